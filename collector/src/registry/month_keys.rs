//! The files in `keys_dir` under which places are counted: one key per month, gone with the next.
//!
//! Takes places, gives tokens. Without its key a counter says nothing of its place; while there is
//! one, whoever holds it and the database could ask whether some address enrolled a home in that
//! month, never which. Of two months there are keys, so that a limit holds across their border; the
//! one before is destroyed with what was counted under it.

use super::place::{HomeLimits, Whence};
use crate::secret_file::{self, SecretFileError};
use crate::store::{Crowd, PlaceToken};
use hmac::{Hmac, KeyInit, Mac};
use phonehome_proto::chance::{Chance, SharedChance};
use phonehome_proto::time::{Day, Timestamp};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// The keys of this and the last month. Clones share what they have read.
#[derive(Clone)]
pub struct MonthKeys {
    folder: Arc<PathBuf>,
    chance: SharedChance,
    /// By the month's first day.
    read: Arc<Mutex<BTreeMap<Day, Secret>>>,
}

type Secret = Arc<Zeroizing<[u8; 32]>>;

/// What follows the month in a file's name.
const SUFFIX: &str = ".month.key";

/// This month and the last one, by their first days.
#[must_use]
pub fn months(now: Timestamp) -> [Day; 2] {
    let this = now.day().unwrap_or(Day::LAST).month_start();
    [this, this.previous().month_start()]
}

impl MonthKeys {
    /// The keys in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, chance: SharedChance) -> Self {
        Self {
            folder: Arc::new(folder),
            chance,
            read: Arc::default(),
        }
    }

    /// The places that `whence` names, as they are counted at `now`. Makes the month's key if it is the
    /// first of its month.
    ///
    /// # Errors
    /// When a key cannot be read or made durable.
    pub fn crowds(
        &self,
        whence: &Whence,
        limits: &HomeLimits,
        now: Timestamp,
    ) -> Result<Vec<Crowd>, SecretFileError> {
        let places = whence.places(limits);
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let [this, last] = months(now);
        let (this_key, last_key) = (self.made(this)?, self.existing(last)?);
        let crowds = places.into_iter().map(|(place, homes_max)| {
            let bytes = place.bytes();
            Crowd {
                this_month: token(&this_key, &bytes),
                last_month: last_key.as_ref().map(|key| token(key, &bytes)),
                homes_max,
            }
        });
        Ok(crowds.collect())
    }

    /// Destroys the keys of months before the last one; gives how many there were.
    ///
    /// # Errors
    /// When the folder or one of them refuses.
    pub fn destroy_old(&self, now: Timestamp) -> Result<usize, SecretFileError> {
        let [_, last] = months(now);
        self.lock().retain(|month, _| *month >= last);
        let fail = |source: io::Error| SecretFileError::Io {
            path: self.folder.as_ref().clone(),
            source,
        };
        let mut destroyed = 0;
        for entry in fs::read_dir(self.folder.as_ref()).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let month = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            // Year and month in fixed width sort as they follow each other.
            if month.is_some_and(|month| month < name_of(last).as_str()) {
                secret_file::destroy(&entry.path())?;
                destroyed += 1;
            }
        }
        Ok(destroyed)
    }

    fn existing(&self, month: Day) -> Result<Option<Secret>, SecretFileError> {
        if let Some(secret) = self.lock().get(&month) {
            return Ok(Some(Arc::clone(secret)));
        }
        match secret_file::read(&self.path(month)) {
            Ok(secret) => {
                let mut read = self.lock();
                let secret = read.entry(month).or_insert_with(|| Arc::new(secret));
                Ok(Some(Arc::clone(secret)))
            }
            Err(SecretFileError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn made(&self, month: Day) -> Result<Secret, SecretFileError> {
        if let Some(secret) = self.existing(month)? {
            return Ok(secret);
        }
        let fresh = Zeroizing::new(self.chance.clone().bytes());
        let created = secret_file::create(&self.path(month), &fresh);
        // Another collector on the same folder may have been first: then its key is the month's.
        match self.existing(month)? {
            Some(secret) => Ok(secret),
            None => Err(created
                .err()
                .unwrap_or_else(|| SecretFileError::Missing(self.path(month)))),
        }
    }

    fn path(&self, month: Day) -> PathBuf {
        self.folder.join(format!("{}{SUFFIX}", name_of(month)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Day, Secret>> {
        // The map is whole between any two statements, whoever panicked.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `2026-11`.
fn name_of(month: Day) -> String {
    let mut name = month.to_string();
    name.truncate("2026-11".len());
    name
}

fn token(key: &[u8; 32], place: &[u8]) -> PlaceToken {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    PlaceToken(mac.chain_update(place).finalize().into_bytes().into())
}

impl std::fmt::Debug for MonthKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MonthKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::chance::SeededChance;

    fn day(week: &str) -> Timestamp {
        let week: phonehome_proto::time::Week = week.parse().expect("a week");
        week.start()
    }

    fn keys(folder: &tempfile::TempDir, seed: u64) -> MonthKeys {
        let chance = SharedChance::new(SeededChance::new(seed));
        MonthKeys::new(folder.path().to_owned(), chance)
    }

    fn here() -> Whence {
        Whence {
            address: Some("192.0.2.7".parse().expect("an address")),
            network: None,
        }
    }

    fn crowds(keys: &MonthKeys, now: Timestamp) -> Vec<Crowd> {
        let crowds = keys.crowds(&here(), &HomeLimits::default(), now);
        crowds.expect("a key")
    }

    #[test]
    fn a_place_is_the_same_all_month_and_another_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let mine = keys(&folder, 1);
        // 2 and 30 November, 7 December 2026, 4 January 2027.
        let [early, late, december, january] =
            ["2026-W45", "2026-W49", "2026-W50", "2027-W01"].map(day);
        let first = crowds(&mine, early);
        assert_eq!(first, crowds(&mine, late));
        assert!(first.iter().all(|crowd| crowd.last_month.is_none()));
        // Another process, or this one after a restart, reads the same files.
        let next = crowds(&keys(&folder, 2), december);
        for (before, after) in first.iter().zip(&next) {
            assert_eq!(after.last_month, Some(before.this_month));
            assert_ne!(after.this_month, before.this_month);
        }
        assert_eq!(mine.destroy_old(december).expect("destroys"), 0);
        assert_eq!(mine.destroy_old(january).expect("destroys"), 1);
        let left: Vec<_> = fs::read_dir(folder.path())
            .expect("reads")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, ["2026-12.month.key"]);
        // Even the one that had read it has lost it: a clock that goes back begins anew.
        assert_ne!(crowds(&mine, late), first);
    }

    #[test]
    fn whoever_is_nowhere_needs_no_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let nowhere = Whence::default();
        let crowds = keys(&folder, 1).crowds(&nowhere, &HomeLimits::default(), day("2026-W45"));
        assert_eq!(crowds.expect("nothing"), []);
        assert_eq!(fs::read_dir(folder.path()).expect("reads").count(), 0);
    }
}
