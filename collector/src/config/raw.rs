//! The configuration as written, and what makes it valid.

mod admin;
mod enrolment;
mod http;
mod intake;
mod store;

use super::{Config, read};
use crate::geo::exercise::ExerciseTable;
use crate::owners::{self, Address, NotAnAddress};
use admin::RawAdmin;
use enrolment::{RawEnrolment, RawQuotas};
use http::RawHttp;
use intake::RawIntake;
use phonehome_proto::manifest::Purpose;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use store::RawStore;
use toml::Spanned;

/// Country databases that may be listed: each is asked for every prefix.
const DATABASES_MAX: usize = 8;

/// What is wrong, and at which byte of the text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: Option<usize>,
    pub(super) sentence: String,
}

/// The file, every text with its place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    purpose: Option<Spanned<String>>,
    #[serde(default = "data_dir")]
    data_dir: Spanned<PathBuf>,
    #[serde(default = "keys_dir")]
    keys_dir: Spanned<PathBuf>,
    identity: Spanned<PathBuf>,
    intake: RawIntake,
    #[serde(default)]
    http: RawHttp,
    #[serde(default)]
    admin: RawAdmin,
    #[serde(default)]
    geo: RawGeo,
    exercise: Option<Spanned<RawExercise>>,
    #[serde(default)]
    owners: RawOwners,
    #[serde(default)]
    publish: RawPublish,
    #[serde(default)]
    enrolment: RawEnrolment,
    #[serde(default)]
    quotas: RawQuotas,
    #[serde(default)]
    store: RawStore,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGeo {
    #[serde(default)]
    databases: Vec<Spanned<PathBuf>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExercise {
    networks: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOwners {
    rdap: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPublish {
    out: Option<PathBuf>,
}

fn data_dir() -> Spanned<PathBuf> {
    Spanned::new(0..0, PathBuf::from("/var/lib/phonehome/data"))
}

fn keys_dir() -> Spanned<PathBuf> {
    Spanned::new(0..0, PathBuf::from("/var/lib/phonehome/keys"))
}

/// The file as written.
pub(super) fn parse(text: &str) -> Result<Raw, Wrong> {
    toml::from_str(text).map_err(|error| Wrong {
        at: error.span().map(|span| span.start),
        // The parser's message may go over several lines; one sentence is promised.
        sentence: error
            .message()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    })
}

impl Raw {
    /// The configuration, paths relative to `folder`.
    pub(super) fn validate(self, folder: &Path) -> Result<Config, Wrong> {
        let purpose = self.purpose()?;
        let data_dir = resolve(folder, self.data_dir.as_ref());
        let keys_dir = resolve(folder, self.keys_dir.as_ref());
        if keys_dir.starts_with(&data_dir) || data_dir.starts_with(&keys_dir) {
            return Err(wrong(
                &self.keys_dir,
                "'keys_dir' and 'data_dir' must not lie within each other: a backup of one would \
                 hold the other, and week keys must die with their week",
            ));
        }
        let intake = self.intake.validate()?;
        if self.geo.databases.len() > DATABASES_MAX {
            let sentence = format!("'geo.databases' lists more than {DATABASES_MAX} files");
            return Err(wrong(&self.geo.databases[DATABASES_MAX], &sentence));
        }
        let databases = self.geo.databases.iter();
        Ok(Config {
            purpose,
            data_dir,
            keys_dir,
            identity: resolve(folder, self.identity.as_ref()),
            server: self.store.server(folder)?,
            intake,
            enrolment: self.enrolment.mode()?,
            limits: self.enrolment.limits(&self.quotas)?,
            http: self.http.validate(folder)?,
            admin: self.admin.listen()?,
            databases: databases
                .map(|path| resolve(folder, path.as_ref()))
                .collect(),
            exercise: self.exercise(purpose, folder)?,
            owners: self.owners()?,
            publish: self.publish.out.map(|out| resolve(folder, &out)),
        })
    }

    fn purpose(&self) -> Result<Purpose, Wrong> {
        match self
            .purpose
            .as_ref()
            .map(|word| (word, word.as_ref().as_str()))
        {
            None | Some((_, "observatory")) => Ok(Purpose::Observatory),
            Some((_, "exercise")) => Ok(Purpose::Exercise),
            Some((word, _)) => Err(wrong(
                word,
                "'purpose' is either \"observatory\" or \"exercise\"",
            )),
        }
    }

    fn owners(&self) -> Result<Address, Wrong> {
        let Some(text) = &self.owners.rdap else {
            return Ok(owners::IANA.parse().expect("IANA's list is an address"));
        };
        let address = text.as_ref().parse();
        address.map_err(|error: NotAnAddress| wrong(text, &error.to_string()))
    }

    fn exercise(&self, purpose: Purpose, folder: &Path) -> Result<ExerciseTable, Wrong> {
        let Some(exercise) = &self.exercise else {
            return Ok(ExerciseTable::default());
        };
        if purpose != Purpose::Exercise {
            let sentence = "'exercise' is only for purpose = \"exercise\": an observatory knows no \
                            homes in documentation networks";
            return Err(wrong(exercise, sentence));
        }
        let Some(path) = &exercise.as_ref().networks else {
            return Ok(ExerciseTable::default());
        };
        let table = read(&resolve(folder, path.as_ref()))
            .and_then(|text| ExerciseTable::parse(&text).map_err(|error| error.to_string()));
        table.map_err(|why| {
            wrong(
                path,
                &format!(
                    "'exercise.networks' names {}: {why}",
                    path.as_ref().display()
                ),
            )
        })
    }
}

fn wrong<T>(at: &Spanned<T>, sentence: &str) -> Wrong {
    let span = at.span();
    // A default has no place in the text.
    let at = (!span.is_empty()).then_some(span.start);
    Wrong {
        at,
        sentence: sentence.to_owned(),
    }
}

fn address(text: Option<&Spanned<String>>, key: &str, default: &str) -> Result<SocketAddr, Wrong> {
    let Some(text) = text else {
        return Ok(default.parse().expect("the defaults are addresses"));
    };
    let sentence = format!("'{key}' is not an address with a port, like {default}");
    text.as_ref().parse().map_err(|_| wrong(text, &sentence))
}

/// A path relative to `folder`, without `.` and `..`, so that two of them can be compared.
fn resolve(folder: &Path, path: &Path) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(
                    resolved.components().next_back(),
                    Some(Component::Normal(_))
                ) =>
            {
                resolved.pop();
            }
            part => resolved.push(part),
        }
    }
    resolved
}
