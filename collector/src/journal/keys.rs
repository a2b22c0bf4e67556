//! The files in `keys_dir`: one key per week, made when its first batch comes, gone when it is final.
//!
//! Takes weeks, gives keys. A key is durable on disk before anything is sealed with it, and the
//! store remembers which key a week began with: rows sealed with two keys would make repetitions
//! look fresh, so a missing or exchanged key file stops intake for its week instead of starting anew.

use crate::journal::week_key::WeekKey;
use crate::secret_file::{self, SecretFileError};
use crate::store::{Store, StoreError, WeekState};
use phonehome_proto::chance::{Chance, SharedChance};
use phonehome_proto::time::Week;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use zeroize::Zeroizing;

/// The keys of weeks that are not final. Clones share what they have read.
#[derive(Clone, Debug)]
pub struct WeekKeys {
    folder: Arc<PathBuf>,
    store: Store,
    chance: SharedChance,
    read: Arc<Mutex<BTreeMap<Week, Read>>>,
    making: Arc<tokio::sync::Mutex<()>>,
}

/// A key that was read.
#[derive(Clone, Debug)]
struct Read {
    key: Arc<WeekKey>,
    /// Whether the store holds that the week began with it. A database that came back from a backup
    /// may not know a week whose file is there.
    has_begun: bool,
}

/// Why a week has no key to use.
#[derive(Debug, Error)]
pub enum WeekKeyError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Batches of the week were sealed with a key that is not the one in `keys_dir`, or gone.
    #[error(
        "the key its batches were sealed with is not in the file of {0}: put the right file back"
    )]
    Exchanged(Week),
}

impl WeekKeys {
    /// The keys in `folder`, for the weeks in `store`.
    #[must_use]
    pub fn new(folder: PathBuf, store: Store, chance: SharedChance) -> Self {
        Self {
            folder: Arc::new(folder),
            store,
            chance,
            read: Arc::default(),
            making: Arc::default(),
        }
    }

    /// The key of a week; `None` if no batch of it ever came, or it is final.
    ///
    /// # Errors
    /// When there is a key file that cannot be used.
    pub fn existing(&self, week: Week) -> Result<Option<Arc<WeekKey>>, WeekKeyError> {
        if let Some(read) = self.read().get(&week) {
            return Ok(Some(Arc::clone(&read.key)));
        }
        match secret_file::read(&self.path(week)) {
            Ok(secret) => Ok(Some(self.remember(WeekKey::new(week, secret), false))),
            Err(SecretFileError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The key to seal a week's batches with; made if the week is new. `None` if it is final, and the
    /// clock has gone back since: its key is gone for good.
    ///
    /// # Errors
    /// When it cannot be made durable, or the week began with another key.
    pub async fn for_sealing(&self, week: Week) -> Result<Option<Arc<WeekKey>>, WeekKeyError> {
        if let Some(read) = self.read().get(&week).filter(|read| read.has_begun) {
            return Ok(Some(Arc::clone(&read.key)));
        }
        // One at a time: a second request waits and finds the key.
        let _making = self.making.lock().await;
        let path = self.path(week);
        if !path.exists() {
            let weeks = self.store.weeks().await?;
            let row = weeks.iter().find(|row| row.week == week);
            if row.is_some_and(|row| row.state == WeekState::Final) {
                return Ok(None);
            }
            if row.is_none() {
                let secret = Zeroizing::new(self.chance.clone().bytes());
                match secret_file::create(&path, &secret) {
                    // Another collector that shares the folder was faster: its key is the week's.
                    Err(error) if error.is_taken() => {}
                    made => made?,
                }
            } else if !path.exists() {
                return Err(WeekKeyError::Exchanged(week));
            }
        }
        let key = WeekKey::new(week, secret_file::read(&path)?);
        let row = self.store.open_week(week, key.check()).await?;
        if row.key_check != key.check() {
            return Err(WeekKeyError::Exchanged(week));
        }
        Ok(Some(self.remember(key, true)))
    }

    /// Destroys the key of a week, and with it all that was sealed.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn destroy(&self, week: Week) -> Result<(), WeekKeyError> {
        self.read().remove(&week);
        Ok(secret_file::destroy(&self.path(week))?)
    }

    fn remember(&self, key: WeekKey, has_begun: bool) -> Arc<WeekKey> {
        let (mut read, week) = (self.read(), key.week());
        let read = read.entry(week).or_insert_with(|| Read {
            key: Arc::new(key),
            has_begun,
        });
        read.has_begun |= has_begun;
        Arc::clone(&read.key)
    }

    fn path(&self, week: Week) -> PathBuf {
        self.folder.join(format!("{week}.key"))
    }

    fn read(&self) -> MutexGuard<'_, BTreeMap<Week, Read>> {
        // The map is whole between any two statements, whoever panicked.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
