//! The collector's disk, and what a power cut leaves of it.
//!
//! A [`Snapshot`] is every byte that the collector has given to the system. All that it has synced
//! survives a power cut; between two snapshots lie writes of which any part may have reached the disk,
//! and each write may have stopped within a sector. Three barriers are known and kept, because the
//! collector waits for the disk there: a week's key is on the disk, whole, before anything that was sealed
//! with it, it is off the disk before its rows are deleted, and what is moved from the log into the database's
//! file is in the log, whole, until all of it has arrived.

use crate::simulation::dice::Dice;
use anyhow::{Context, Result};
use phonehome_proto::chance::Chance;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What stands on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The database's file.
    database: Vec<u8>,
    /// Its write-ahead log.
    log: Vec<u8>,
    /// The key files, by name.
    keys: BTreeMap<String, Vec<u8>>,
}

/// Where things stand on a collector's disk.
#[derive(Clone, Debug)]
pub struct Places {
    folder: PathBuf,
}

/// A disk writes so many bytes or none, but for the sector under its head when the power fails.
const SECTOR_BYTES: usize = 512;

/// The pages of the database's file.
const PAGE_BYTES: usize = 8_192;

// === impl Places ===

impl Places {
    /// A disk in this folder, which is made.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn make(folder: PathBuf) -> io::Result<Self> {
        let places = Self { folder };
        fs::create_dir_all(places.data())?;
        fs::create_dir_all(places.keys())?;
        Ok(places)
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data().join("collector.db")
    }

    /// The folder of the key files.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    fn log(&self) -> PathBuf {
        self.data().join("collector.db-wal")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Removes all of it.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.folder)
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// What stands there now. Nothing may be under way.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn take(places: &Places) -> io::Result<Self> {
        let mut keys = BTreeMap::new();
        for entry in fs::read_dir(places.keys())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            keys.insert(name, fs::read(entry.path())?);
        }
        Ok(Self {
            database: read_if_there(&places.database())?,
            log: read_if_there(&places.log())?,
            keys,
        })
    }

    /// Puts it onto another disk.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn restore(&self, places: &Places) -> io::Result<()> {
        write(&places.database(), &self.database)?;
        if !self.log.is_empty() {
            write(&places.log(), &self.log)?;
        }
        self.keys
            .iter()
            .try_for_each(|(name, bytes)| write(&places.keys().join(name), bytes))
    }

    /// What is left if the power fails on the way from this to `after`. Where keys are destroyed,
    /// `is_first` says that nothing else was done before.
    #[must_use]
    pub fn torn(&self, after: &Self, is_first: bool, dice: &mut Dice) -> Self {
        let made = |name: &String| !self.keys.contains_key(name);
        let gone = |name: &String| !after.keys.contains_key(name);
        let comes = after.keys.keys().any(made);
        let goes = self.keys.keys().any(gone);
        if goes && !is_first {
            // Nobody outside can tell what of the rest stands before it.
            let either = if dice.happens(0.5) { self } else { after };
            return either.clone();
        }
        // Key files come and go before what depends on them is written: either they are torn, or all the
        // rest has not begun.
        if (comes || goes) && dice.happens(0.4) {
            return Self {
                keys: torn_keys(&self.keys, &after.keys, dice),
                ..self.clone()
            };
        }
        let keys = after.keys.clone();
        // A log that was empty may have been written, moved and emptied meanwhile: the file tells.
        let is_appended = after.log.starts_with(&self.log)
            && (!self.log.is_empty() || after.database == self.database);
        if after.database != self.database && !is_appended {
            // The log was emptied: what it held had arrived.
            return if dice.happens(0.5) || comes || goes {
                after.clone()
            } else {
                self.clone()
            };
        }
        if after.database != self.database && dice.happens(0.5) {
            return Self {
                database: mixed_pages(&self.database, &after.database, dice),
                log: after.log.clone(),
                keys,
            };
        }
        if !is_appended {
            // The log begins anew over what had arrived in the database's file long ago.
            return Self {
                database: self.database.clone(),
                log: torn_file(&self.log, &after.log, dice),
                keys,
            };
        }
        Self {
            database: self.database.clone(),
            log: torn_file(&self.log, &after.log, dice),
            keys,
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

/// Files that were made may be missing still; they get their names when they are whole. Those that were
/// removed may be there still, or hold what they were overwritten with.
fn torn_keys(
    before: &BTreeMap<String, Vec<u8>>,
    after: &BTreeMap<String, Vec<u8>>,
    dice: &mut Dice,
) -> BTreeMap<String, Vec<u8>> {
    let mut torn = before.clone();
    for (name, bytes) in after {
        if !before.contains_key(name) && dice.happens(0.5) {
            torn.insert(name.clone(), bytes.clone());
        }
    }
    for (name, bytes) in before {
        if !after.contains_key(name) {
            match dice.below(3) {
                0 => {}
                1 => {
                    let mut overwritten = bytes.clone();
                    let digits = overwritten.len().min(64);
                    overwritten[..digits].fill(b'0');
                    torn.insert(name.clone(), overwritten);
                }
                _ => {
                    torn.remove(name);
                }
            }
        }
    }
    torn
}

/// Some pages are new, some are old, and one is both.
fn mixed_pages(before: &[u8], after: &[u8], dice: &mut Dice) -> Vec<u8> {
    let share = dice.fraction();
    let mut mixed = before.to_vec();
    if after.len() > mixed.len() {
        mixed.resize(after.len(), 0);
    }
    for (at, page) in after.chunks(PAGE_BYTES).enumerate() {
        let start = at * PAGE_BYTES;
        if dice.happens(share) {
            mixed[start..start + page.len()].copy_from_slice(page);
        } else if dice.happens(0.1) {
            let sectors = dice.below(page.len() / SECTOR_BYTES + 1) * SECTOR_BYTES;
            mixed[start..start + sectors].copy_from_slice(&page[..sectors]);
        }
    }
    mixed
}

/// Of the sectors that differ, the first ones are new; the next may hold anything, and those after it are
/// old, or new all the same, since a disk writes in an order of its own.
fn torn_file(before: &[u8], after: &[u8], dice: &mut Dice) -> Vec<u8> {
    let differs = |at: usize| {
        let sector = |file: &[u8]| {
            let end = (at + SECTOR_BYTES).min(file.len());
            file.get(at..end).unwrap_or_default().to_vec()
        };
        sector(before) != sector(after)
    };
    let changed: Vec<usize> = (0..after.len())
        .step_by(SECTOR_BYTES)
        .filter(|at| differs(*at))
        .collect();
    let whole = dice.below(changed.len() + 1);
    let is_disorderly = dice.happens(0.3);
    let mut torn = before.to_vec();
    let put = |torn: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        if torn.len() < at + bytes.len() {
            torn.resize(at + bytes.len(), 0);
        }
        torn[at..at + bytes.len()].copy_from_slice(bytes);
    };
    for (nth, at) in changed.into_iter().enumerate() {
        let sector = &after[at..(at + SECTOR_BYTES).min(after.len())];
        if nth < whole || (is_disorderly && nth > whole && dice.happens(0.5)) {
            put(&mut torn, at, sector);
        } else if nth == whole && dice.happens(0.5) {
            let mut garbage = vec![0; sector.len()];
            dice.fill(&mut garbage);
            let kept = dice.below(sector.len());
            for (nth, byte) in garbage.iter_mut().enumerate() {
                // Disks harm no byte that was not to be written; the engine counts on it.
                let is_written = before.get(at + nth) != Some(&sector[nth]);
                if nth < kept || !is_written {
                    *byte = sector[nth];
                }
            }
            put(&mut torn, at, &garbage);
        }
    }
    torn
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_is_somewhere_between() {
        let before = vec![1; 3 * SECTOR_BYTES];
        let mut after = before.clone();
        after.extend(vec![2; 5 * SECTOR_BYTES]);
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let torn = torn_file(&before, &after, &mut Dice::new(seed));
            assert_eq!(torn[..before.len()], before, "what was synced stays");
            assert!(torn.len() <= after.len());
            lengths.insert(torn.len());
        }
        assert!(lengths.len() >= 6, "{lengths:?}");
    }
}
