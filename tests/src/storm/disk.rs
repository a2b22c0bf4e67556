//! The collector's disk, and what a power cut leaves of it.
//!
//! A [`Snapshot`] is every byte that the collector has given to the system. All that it has synced
//! survives a power cut; between two snapshots lie writes of which any part may have reached the disk,
//! and each write may have stopped within a sector. Barriers are known and kept where the collector waits
//! for the disk:
//! - a week's key is on the disk, whole, before anything that was sealed with it, and off the disk before
//!   its rows are deleted;
//! - what is moved from the log into the database's file is in the log, whole, until all of it has arrived;
//! - the ledger's copy is written when the database holds what it tells, and counted when it is written.

mod places;
mod torn;

pub use places::Places;

use super::happened::Happened;
use crate::simulation::dice::Dice;
use anyhow::{Context, Result};
use phonehome_collector::ledger::COUNTER;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use torn::{mixed_pages, torn_end, torn_file, torn_keys};

/// What stands on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The database's file.
    database: Vec<u8>,
    /// Its write-ahead log.
    log: Vec<u8>,
    /// The key files, by name.
    keys: BTreeMap<String, Vec<u8>>,
    /// The ledger's copy, and the file that counts it.
    ledger: [Vec<u8>; 2],
}

// === impl Snapshot ===

impl Snapshot {
    /// What stands there now. Nothing may be under way.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn take(places: &Places) -> io::Result<Self> {
        let mut keys = BTreeMap::new();
        for name in names_in(&places.keys())? {
            let bytes = fs::read(places.keys().join(&name))?;
            keys.insert(name, bytes);
        }
        let counter = keys.remove(COUNTER).unwrap_or_default();
        Ok(Self {
            database: read_if_there(&places.database())?,
            log: read_if_there(&places.log())?,
            keys,
            ledger: [read_if_there(&places.ledger())?, counter],
        })
    }

    /// Puts it onto another disk, which has [inherited](Places::inherit) the rest.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn restore(&self, places: &Places) -> io::Result<()> {
        write(&places.database(), &self.database)?;
        let [ledger, counter] = &self.ledger;
        let others = [
            (places.log(), &self.log),
            (places.ledger(), ledger),
            (places.keys().join(COUNTER), counter),
        ];
        for (path, bytes) in others {
            if !bytes.is_empty() {
                write(&path, bytes)?;
            }
        }
        self.keys
            .iter()
            .try_for_each(|(name, bytes)| write(&places.keys().join(name), bytes))
    }

    /// What is left if the power fails on the way from this to `after`. Where keys are destroyed,
    /// `is_first` says that nothing else was done before.
    #[must_use]
    pub fn torn(
        &self,
        after: &Self,
        is_first: bool,
        dice: &mut Dice,
        happened: &mut Happened,
    ) -> Self {
        let mut left = self.torn_store(after, is_first, dice, happened);
        left.ledger.clone_from(&self.ledger);
        let is_stored = left.database == after.database && left.log == after.log;
        if is_stored && left.keys == after.keys {
            let [ledger, counter] = [0, 1].map(|file| [&self.ledger[file], &after.ledger[file]]);
            left.ledger[0] = torn_end(ledger[0], ledger[1], dice);
            if left.ledger[0] == *ledger[1] && dice.happens(0.5) {
                left.ledger[1].clone_from(counter[1]);
            }
            happened.note_if(left.ledger != after.ledger, "disk", "the ledger is torn");
        }
        happened.note_if(left != *self && left == *after, "disk", "all of it arrived");
        happened.note_if(
            left == *self && left != *after,
            "disk",
            "nothing of it arrived",
        );
        left
    }

    /// The same of the database and the keys.
    fn torn_store(
        &self,
        after: &Self,
        is_first: bool,
        dice: &mut Dice,
        happened: &mut Happened,
    ) -> Self {
        let made = |name: &String| !self.keys.contains_key(name);
        let gone = |name: &String| !after.keys.contains_key(name);
        let comes = after.keys.keys().any(made);
        let goes = self.keys.keys().any(gone);
        if goes && !is_first {
            // Nobody outside can tell what of the rest stands before it.
            return if dice.happens(0.5) { self } else { after }.clone();
        }
        // Key files come and go before what depends on them is written: either they are torn, or all the
        // rest has not begun.
        if (comes || goes) && dice.happens(0.4) {
            happened.note("disk", "a key file is torn");
            return Self {
                keys: torn_keys(&self.keys, &after.keys, dice),
                ..self.clone()
            };
        }
        if after.database != self.database {
            // The log was moved, and what it held had arrived; how that is broken off is another operation.
            return if dice.happens(0.5) || comes || goes {
                after.clone()
            } else {
                self.clone()
            };
        }
        // Where it was not appended to, it begins anew over what had arrived in the file long ago.
        let log = torn_file(&self.log, &after.log, dice);
        happened.note_if(
            log != self.log && log != after.log,
            "disk",
            "the log is torn",
        );
        Self {
            database: self.database.clone(),
            log,
            ..after.clone()
        }
    }

    /// What is left if the power fails while the log is moved into the database's file.
    ///
    /// # Errors
    /// Whatever the system or the engine says.
    pub fn torn_in_checkpoint(&self, scratch: &Places, dice: &mut Dice) -> Result<Self> {
        self.restore(scratch)?;
        let moved = {
            let connection = rusqlite::Connection::open(scratch.database())?;
            connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                .context("the log is moved")?;
            read_if_there(&scratch.database())?
        };
        scratch.remove()?;
        Ok(Self {
            database: mixed_pages(&self.database, &moved, dice),
            ..self.clone()
        })
    }

    /// Whether these bytes stand anywhere in the database or its log.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        [&self.database, &self.log]
            .into_iter()
            .any(|file| file.windows(bytes.len()).any(|window| window == bytes))
    }
}

fn names_in(folder: &Path) -> io::Result<BTreeSet<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

fn read_if_there(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}
