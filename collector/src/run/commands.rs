//! The commands that are not `serve`: each takes what was typed, gives what to print.

pub mod agents;
mod backup;
mod geography;
mod moving;
mod restore;

pub use backup::backup;
pub use restore::{Restore, restore};

pub use geography::{geo_status, geo_update, owners_update};
pub use moving::migrate;

use super::ground::{self, Ground};
use super::readers::certificate::Certificate;
use super::{RunError, in_words, tables};
use crate::config::Config;
use crate::geo::atlas::Atlas;
use crate::geo::lookup;
use crate::publish::{self, Origin, Outcome, VerifyError};
use crate::secret_file::{self, SecretFileError};
use crate::store::{Store, StoreError};
use crate::weeks::Released;
use crate::weeks::revision::Revised;
use phonehome_proto::manifest::Purpose;
use phonehome_proto::seal::VerifyingKey;
use phonehome_proto::time::{Timestamp, Week};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

/// What a command found: what to print, and whether it is a finding (exit code 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// For the terminal; complete lines.
    pub text: String,
    /// Whether something is not as it should be, or there was nothing to do.
    pub is_finding: bool,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

impl Found {
    fn good(text: String) -> Self {
        Self {
            text,
            is_finding: false,
        }
    }

    fn finding(text: String) -> Self {
        Self {
            text,
            is_finding: true,
        }
    }
}

/// Checks a configuration and what it names, as far as that is there. Makes nothing.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(config: &Config) -> Result<(), RunError> {
    ground::apart(config)?;
    tables::load(config)?;
    if let Some(files) = config.certificate() {
        Certificate::open(files.clone())?;
    }
    match secret_file::read(&config.identity) {
        // `serve` makes it the first time.
        Ok(_) | Err(SecretFileError::Missing(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Asks the database server of a configuration, if it names one, whether it can be relied on. Makes
/// nothing; a server without tables yet is as good as a file that is not there.
///
/// # Errors
/// When it cannot be asked, or would forget what it acknowledged.
pub async fn check_server(config: &Config) -> Result<(), RunError> {
    let Some(server) = &config.server else {
        return Ok(());
    };
    match Store::connect(server.clone(), false).await {
        Ok(store) => match store.fragility().await? {
            None => Ok(()),
            Some(setting) => Err(RunError::Fragile(setting)),
        },
        Err(StoreError::Unmade) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `release WEEK`: closes, folds and releases it, if its time has come.
///
/// # Errors
/// When store or key fail.
pub async fn release(ground: &Ground, week: Week, now: Timestamp) -> Result<Found, RunError> {
    let released = ground.weeks(ground.keys()).release(week, now).await?;
    // What a restore must know stands outside of the database before anybody hears of it.
    ground.ledger.follow(&ground.store).await?;
    Ok(match released {
        Released::Now(id) => Found::good(format!("released {id}\n")),
        Released::Before(id) => Found::good(format!(
            "{week} was released before, as {id}; a release never changes\n"
        )),
        Released::StillOpen(until) => Found::finding(format!(
            "{week} is open: it takes batches until {}\n",
            in_words(until)
        )),
        Released::Nothing => Found::finding(format!("there is nothing to release of {week}\n")),
    })
}

/// `release WEEK --revise`: places a released week again with the tables in use now, if it may.
///
/// # Errors
/// When store or key fail.
pub async fn revise(ground: &Ground, week: Week, now: Timestamp) -> Result<Found, RunError> {
    Ok(match revised(ground, week, now).await? {
        Revised::Now(id) => Found::good(format!("revised: {id}\n")),
        Revised::SameTables(id) => Found::good(format!(
            "nothing changed: {id} was made with the tables in use now, and no home was revoked since\n"
        )),
        Revised::NothingToTell(id) => Found::good(format!(
            "nothing changed: tables or homes are other ones than those of {id}, but no cell changed by as \
             many homes as a cell needs to be told anew\n"
        )),
        Revised::Twice(id) => Found::finding(format!(
            "{week} was revised before, as {id}; a week is revised once at most\n"
        )),
        Revised::StillOpen(until) => Found::finding(format!(
            "{week} is open: it takes batches until {}\n",
            in_words(until)
        )),
        Revised::NotReleased => Found::finding(format!(
            "{week} was never released, so there is nothing to revise\n"
        )),
        Revised::Final(id) => Found::finding(format!(
            "{week} is final: its reports are destroyed, and {id} is the last word on it\n"
        )),
        Revised::OtherMethod(id) => Found::finding(format!(
            "{id} was counted by another method than this program's, which a revision would mix with \
             what the tables changed\n"
        )),
    })
}

/// What becomes of a week that is to be placed again. A revision stands in the ledger's copy when this gives it,
/// so that a restore brings it back.
///
/// # Errors
/// When store or key fail.
pub async fn revised(ground: &Ground, week: Week, now: Timestamp) -> Result<Revised, RunError> {
    let revised = ground.weeks(ground.keys()).revise(week, now).await?;
    ground.ledger.follow(&ground.store).await?;
    Ok(revised)
}

/// `publish --out DIR`: writes every release that is not there yet.
///
/// # Errors
/// When the store fails or the disk refuses.
pub async fn publish(ground: &Ground, out: &Path) -> Result<Found, RunError> {
    let releases = ground.weeks(ground.keys()).releases().await?;
    if releases.is_empty() {
        return Ok(Found::finding(
            "there is no release to publish\n".to_owned(),
        ));
    }
    let Outcome {
        written,
        unchanged,
        differing,
    } = publish::publish(&releases, out, ground.identity.key())?;
    let mut text = String::new();
    let mut tell = |releases: &[crate::release::ReleaseId], what: &str| {
        for id in releases {
            writeln!(text, "{}: {what}", out.join(id.to_string()).display())
                .expect("a string takes text");
        }
    };
    tell(&written, "written");
    tell(&unchanged, "there already, byte for byte");
    tell(
        &differing,
        "has other bytes than this release; it was not touched",
    );
    Ok(Found {
        text,
        is_finding: !differing.is_empty(),
    })
}

/// `publish --site DIR`: the release folders in `DIR/releases`, and around them the pages of all.
///
/// # Errors
/// When the store fails or the disk refuses.
pub async fn publish_site(ground: &Ground, site: &Path) -> Result<Found, RunError> {
    let mut found = publish(ground, &site.join("releases")).await?;
    let releases = ground.weeks(ground.keys()).releases().await?;
    let releases: Vec<&crate::release::Release> = releases.iter().collect();
    let files = publish::write_site(&releases, site)?;
    writeln!(found.text, "{}: {files} files of the site", site.display())
        .expect("a string takes text");
    Ok(found)
}

/// `verify DIR`: a release folder, or the folder that holds them, checked with nothing else.
///
/// # Errors
/// [`RunError::Unreadable`] when the disk refuses to show it; what does not hold is a finding.
pub fn verify(folder: &Path, key: Option<&VerifyingKey>) -> Result<Found, RunError> {
    let report = match publish::verify(folder, key) {
        Ok(report) => report,
        Err(refused @ VerifyError::Refused { .. }) => {
            return Ok(Found::finding(format!("{refused}\n")));
        }
        Err(VerifyError::Read { path, source }) => {
            return Err(RunError::Unreadable { path, source });
        }
    };
    let mut text = String::new();
    for release in &report.releases {
        let mark = match release.purpose {
            Purpose::Observatory => "",
            Purpose::Exercise => " (an exercise: synthetic homes)",
        };
        let origin = match release.origin {
            Origin::Proven => "which is the key you named",
            Origin::Unproven => "origin unproven: name the collector's key with --key",
        };
        writeln!(
            text,
            "{}{mark}: {} files unchanged; signed by {}, {origin}",
            release.id, release.files, release.fingerprint
        )
        .expect("a string takes text");
    }
    Ok(Found::good(text))
}

/// `geo lookup IP...`.
#[must_use]
pub fn geo_lookup(atlas: &Atlas, addresses: &[IpAddr], format: Format) -> Found {
    let rows: Vec<_> = addresses
        .iter()
        .map(|address| lookup::row(atlas, *address))
        .collect();
    Found::good(match format {
        Format::Table => lookup::table(&rows),
        Format::Json => lookup::json(&rows),
    })
}
