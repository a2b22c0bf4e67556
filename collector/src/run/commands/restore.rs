//! `restore FILE`: a database from a backup, brought up to what happened since.
//!
//! What holds here:
//! - **Nothing is restored without the current ledger.** The copy beside the identity must go on where
//!   the backup's ends, and be as long as it was counted beside the week keys; where that count is lost,
//!   as long as the operator says.
//! - **Who left stays gone.** Homes that were erased since the backup are erased from the database,
//!   past recovery from the file, before it has its name.
//! - **Who was taken out stays out.** Homes that were revoked since are revoked in it, in the same way. One
//!   that the backup does not know yet is named in the ledger, and refused if it comes again.
//! - **What is over stays over.** Weeks that were closed, released or destroyed since are so again. Their
//!   releases are taken from the folder they were published to; what nobody can read any more is deleted.
//! - **Rules only become newer.** Homes refuse a serial lower than one they saw, and the backup knows an old one:
//!   each restoring stands in the ledger, and begins a range of serials of its own.
//! - **All or nothing.** Until all of it is done the file has another name, and `serve` finds none.

use super::Found;
use crate::backup::{self, Label};
use crate::config::Config;
use crate::identity::Identity;
use crate::journal::week_key::WeekKey;
use crate::ledger::{self, Head, LedgerCopy};
use crate::release::ReleaseId;
use crate::run::RunError;
use crate::secret_file::{self, SecretFileError};
use crate::store::sqlite::SCHEMA;
use crate::store::{
    BARRED, CaughtUp, ERASED, HomeRow, LedgerRow, ReleaseRow, Since, Store, StoreError, WeekState,
};
use phonehome_proto::id::Hash;
use phonehome_proto::time::{Timestamp, Week};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the ledger's event says when a database was put back from a backup.
const RESTORED: &str = "restored";

/// Rules change less often than that between two restorings: the upper bits of a serial count these.
const SERIAL_BITS: u32 = 32;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// The backup.
    pub file: PathBuf,
    /// How many links the ledger has at least, where the count beside the week keys is lost.
    pub links: Option<u64>,
}

/// What the ledger tells that the backup does not know.
#[derive(Debug, Default)]
struct Told {
    links: Vec<LedgerRow>,
    /// What became of homes last, by what the ledger calls them.
    homes: BTreeMap<String, Gone>,
    closed: Vec<Week>,
    destroyed: BTreeSet<Week>,
    released: Vec<(ReleaseId, String)>,
}

/// How a home went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Erased,
    Revoked,
}

/// `restore FILE`: makes the database that the configuration names from a backup.
///
/// # Errors
/// When there is a database already, the backup or the ledger is not the right one, or the disk fails;
/// then there is no database.
pub async fn restore(
    config: &Config,
    request: &Restore,
    now: Timestamp,
) -> Result<Found, RunError> {
    if config.server.is_some() {
        return Err(StoreError::OnServer.into());
    }
    let database = config.database();
    for suffix in ["", "-wal", "-shm"] {
        let path = backup::beside(&database, suffix);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(RunError::NotEmpty(path));
        }
    }
    let identity = Arc::new(Identity::load(&config.identity, config.purpose)?);
    let label = Label::read(&request.file, &identity, SCHEMA)?;
    let links = ledger::read(&config.ledger(), &identity)?;
    let copy = LedgerCopy::new(config.ledger(), &config.keys_dir, Arc::clone(&identity));
    is_current(&links, copy.counted()?, request.links)?;
    let (link, serial) = this_restoring(&links, now);
    let told = Told::since(&label, links)?;

    let part = backup::beside(&database, ".part");
    for suffix in ["", "-wal", "-shm"] {
        // What an interrupted call left.
        let left = backup::beside(&part, suffix);
        match fs::remove_file(&left) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(RunError::Unwritable { path: left, source });
            }
            _ => {}
        }
    }
    fs::create_dir_all(&config.data_dir).map_err(|source| RunError::Folder {
        path: config.data_dir.clone(),
        source,
    })?;
    label.unpack(&request.file, &part)?;
    let store = Store::open(&part, false).await?;
    let (mut since, lost) = told.since_in(&store, config, &identity).await?;
    since.links.push(link);
    since.serial_min = serial;
    let releases = since.releases.len();
    let done = store.catch_up(since).await?.ok_or_else(not_its_ledger)?;
    // Its threads end, and leave one file at rest.
    drop(store);
    let name = |source| RunError::Unwritable {
        path: database.clone(),
        source,
    };
    fs::rename(&part, &database).map_err(name)?;
    backup::sync_folder(&database).map_err(name)?;
    Ok(Found::good(told.words(&label, done, releases, &lost)))
}

/// Whether the ledger is as long as it is known to have been.
fn is_current(
    links: &[LedgerRow],
    counted: Option<Head>,
    said: Option<u64>,
) -> Result<(), RunError> {
    let number = links.last().map_or(0, |link| link.number);
    let least = match (counted, said) {
        (None, None) => {
            return Err(RunError::NotCurrent(format!(
                "nothing here says how long the ledger was: its file has {number} links; if your log or \
                 your monitoring knows of no later one, say so with '--links {number}'"
            )));
        }
        (counted, said) => counted.map_or(0, |head| head.number).max(said.unwrap_or(0)),
    };
    if number < least {
        return Err(RunError::NotCurrent(format!(
            "the ledger's file has {number} links and there were {least}: without the later ones homes \
             that left would be back"
        )));
    }
    let is_same = counted
        .is_none_or(|head| head.number == 0 || links.iter().any(|link| Head::of(link) == head));
    if is_same {
        Ok(())
    } else {
        Err(not_its_ledger())
    }
}

/// The link that tells of this restoring, and the first serial of rules shown after it.
fn this_restoring(links: &[LedgerRow], now: Timestamp) -> (LedgerRow, u64) {
    let before = links.iter().filter(|link| link.event == RESTORED).count();
    let link = LedgerRow::follow(links.last(), now, RESTORED.to_owned());
    (link, (before as u64 + 1) << SERIAL_BITS)
}

fn not_its_ledger() -> RunError {
    RunError::NotCurrent("the ledger's file does not go on where the backup ends".to_owned())
}

impl Told {
    /// What the ledger says that was not said when the backup was made.
    fn since(label: &Label, links: Vec<LedgerRow>) -> Result<Self, RunError> {
        let is_before = |link: &LedgerRow| link.number <= label.head.number;
        let known = links.iter().rfind(|link| is_before(link));
        if known.map_or(Head::NONE, Head::of) != label.head {
            return Err(not_its_ledger());
        }
        let mut told = Self::default();
        for link in links.into_iter().filter(|link| !is_before(link)) {
            told.hear(&link.event);
            told.links.push(link);
        }
        Ok(told)
    }

    fn hear(&mut self, event: &str) {
        if let Some(digits) = event.strip_prefix(ERASED) {
            self.homes.insert(digits.to_owned(), Gone::Erased);
        } else if let Some(digits) = event.strip_prefix(BARRED) {
            self.homes.insert(digits.to_owned(), Gone::Revoked);
        } else if let Some(week) = event.strip_prefix("closed ") {
            self.closed.extend(week.parse::<Week>());
        } else if let Some(week) = event.strip_prefix("destroyed ") {
            self.destroyed.extend(week.parse::<Week>());
        } else if let Some(release) = event.strip_prefix("released ") {
            self.released.extend(released(release));
        }
    }

    /// The same, as it stands in this database. Beside it, releases that are nowhere to be found.
    async fn since_in(
        &self,
        store: &Store,
        config: &Config,
        identity: &Identity,
    ) -> Result<(Since, Vec<ReleaseId>), RunError> {
        let mut since = Since {
            links: self.links.clone(),
            closed: self.closed.clone(),
            released: self.released.iter().map(|(id, _)| id.week).collect(),
            ..Since::default()
        };
        let mut keys = Vec::new();
        for row in store.weeks().await? {
            if row.state == WeekState::Final {
                continue;
            }
            let path = config.keys_dir.join(format!("{}.key", row.week));
            let secret = match secret_file::read(&path) {
                Ok(secret) => Some(secret),
                Err(SecretFileError::Missing(_)) => None,
                Err(error) => return Err(error.into()),
            };
            let key = secret.map(|secret| WeekKey::new(row.week, secret));
            match key.filter(|key| key.check() == row.key_check) {
                Some(key) if !self.destroyed.contains(&row.week) => keys.push(key),
                // Its key is gone, or a later one has its name: nobody can read it any more.
                Some(_) | None => since.destroyed.push(row.week),
            }
        }
        let mut after = None;
        loop {
            let page = store.homes(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.home);
            for HomeRow { home, .. } in page {
                let gone = self.homes.get(&identity.listed(home).to_hex());
                let list = match gone {
                    None => continue,
                    Some(Gone::Erased) => &mut since.erased,
                    Some(Gone::Revoked) => &mut since.revoked,
                };
                let held = keys.iter().map(|key| (key.week(), key.home_token(home)));
                list.push((home, held.collect()));
            }
        }
        let mut lost = Vec::new();
        for (id, digits) in &self.released {
            match published(config, *id, digits, identity) {
                Some(row) => since.releases.push(row),
                None => lost.push(*id),
            }
        }
        Ok((since, lost))
    }

    fn words(&self, label: &Label, done: CaughtUp, releases: usize, lost: &[ReleaseId]) -> String {
        let made_at = crate::run::in_words(label.made_at);
        let mut text = format!(
            "restored what the collector held at {made_at}; what it acknowledged later it does not hold\n"
        );
        let mut say = |line: String| writeln!(text, "{line}").expect("a string takes text");
        if !self.links.is_empty() {
            say(format!(
                "the ledger tells of {} things since",
                self.links.len()
            ));
        }
        if done.homes > 0 {
            say(format!(
                "{} homes that left since are erased, and {} batches of theirs",
                done.homes, done.batches
            ));
        }
        if done.revoked > 0 {
            say(format!(
                "{} homes that were revoked since are revoked, and {} batches of theirs erased",
                done.revoked, done.revoked_batches
            ));
        }
        if done.unreadable > 0 {
            say(format!(
                "{} batches of weeks whose keys are gone are deleted",
                done.unreadable
            ));
        }
        if releases > 0 {
            say(format!(
                "{releases} releases made since are taken from the published folder"
            ));
        }
        for id in lost {
            say(format!(
                "{id} was released since and is not in the published folder: it is not made again, and not shown"
            ));
        }
        text
    }
}

/// The release and the hash that a link tells of.
fn released(text: &str) -> Option<(ReleaseId, String)> {
    let (id, digits) = text.split_once(' ')?;
    let (week, revision) = id.split_once('.')?;
    let id = ReleaseId {
        week: week.parse().ok()?,
        revision: revision.parse().ok()?,
    };
    Some((id, digits.to_owned()))
}

/// A release as it was published, if it is there with the bytes that the ledger tells of.
fn published(
    config: &Config,
    id: ReleaseId,
    digits: &str,
    identity: &Identity,
) -> Option<ReleaseRow> {
    let folder: &Path = config.publish.as_deref()?;
    let path = folder.join(id.to_string()).join("release.json");
    let text = fs::read_to_string(path).ok()?;
    let is_same = Hash::of(text.as_bytes()).to_hex() == digits;
    is_same.then(|| ReleaseRow {
        week: id.week,
        revision: id.revision,
        signature: identity.sign_release(&text),
        text,
    })
}
