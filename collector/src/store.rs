//! The store contract: all that is ever kept, and the only way to it.
//!
//! Takes whole lists, gives values. Each call is atomic and durable when it returns; no
//! transaction, row handle or connection stands in a signature, and nothing above knows how an
//! engine does it. Every key of a home's data contains the home's token, so that an engine may
//! spread homes over machines and still answer exactly. A new engine is a new folder, a new variant
//! of [`Store`], and a run of the one contract suite.
//!
//! Five things are kept: the *registry* (homes, their keys, hashed invites, what homes that left
//! need to be told again), the *journal* (sealed
//! batches of weeks that are not final), the *weeks* and where they stand, the *releases*, and the
//! *ledger*, a hash chain of what was done to weeks.

#[cfg(test)]
mod fixture;
mod rows;
pub mod sqlite;

pub use rows::{
    Appended, Attempt, BatchToken, EnrolAttempt, Enrolled, EraseAttempt, Erased, Forgotten,
    HOME_WEEK_BATCHES_MAX, HOMES_PAGE_MAX, HomeRow, HomeToken, InviteRow, JournalRow, KeyRow,
    LedgerRow, NotItsKey, ReleaseRow, RotateAttempt, Rotated, Slice, Stored, WeekRow, WeekState,
};

use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::{Day, Timestamp, Week};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// An open store. Clones are handles to the same one.
#[derive(Clone)]
pub enum Store {
    /// The embedded database, one file.
    Sqlite(sqlite::Sqlite),
}

/// Why the store did not do what was asked. Nothing was changed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no database where one is expected.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// No room is left.
    #[error("the database cannot be written: the disk is full")]
    Full,
    /// The database was written by a newer version of this program.
    #[error("the database has schema {found}, and this version knows only up to {known}")]
    Newer {
        /// What the file says.
        found: u32,
        /// The newest this program can read.
        known: u32,
    },
    /// The engine failed.
    #[error("the database failed in '{transaction}': {source}")]
    Engine {
        /// The transaction's name.
        transaction: &'static str,
        /// What the engine said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The engine has stopped.
    #[error("the database is closed")]
    Stopped,
}

impl Store {
    /// Opens the database file at `path`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none and `create` is false.
    pub async fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        sqlite::Sqlite::open(path, create).await.map(Self::Sqlite)
    }

    /// The serial of a set of rules: that of the last call if the rules are the same, else the next.
    ///
    /// `None` if the database belongs to another collector, or to one with another purpose.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn rules_serial(
        &self,
        audience: Audience,
        purpose: Purpose,
        rules_hash: Hash,
    ) -> Result<Option<u64>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.rules_serial(audience, purpose, rules_hash).await,
        }
    }

    /// Adds invites.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn add_invites(&self, invites: Vec<InviteRow>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.add_invites(invites).await,
        }
    }

    /// Spends the invite and takes the home in, or repeats the first answer.
    ///
    /// A home that is already in and comes with another enrolment needs another invite.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn enrol(&self, attempt: EnrolAttempt) -> Result<Enrolled, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.enrol(attempt).await,
        }
    }

    /// Puts a home under another key, or repeats the first answer.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn rotate(&self, attempt: RotateAttempt) -> Result<Rotated, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.rotate(attempt).await,
        }
    }

    /// Forgets a home: what it holds in the given weeks, its keys and its entry, past recovery from
    /// the file. Does so only if the given weeks are all that are not final and it holds in them what
    /// the receipt says; or repeats the first answer.
    ///
    /// # Errors
    /// When the engine fails. If only overwriting did, the home is forgotten and the next call, which
    /// repeats the first answer, overwrites.
    pub async fn erase(&self, attempt: EraseAttempt) -> Result<Erased, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.erase(attempt).await,
        }
    }

    /// Forgets replaced keys whose last day lies before `keys_before`, and receipts of withdrawals
    /// whose time is over at `now`.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn forget(&self, keys_before: Day, now: Timestamp) -> Result<Forgotten, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.forget(keys_before, now).await,
        }
    }

    /// The enrolled key with each of these SHA-256 hashes, in order.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn keys(&self, key_hashes: Vec<Hash>) -> Result<Vec<Option<KeyRow>>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.keys(key_hashes).await,
        }
    }

    /// At most [`HOMES_PAGE_MAX`] homes in order, beginning after `after`.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn homes(&self, after: Option<HomeId>) -> Result<Vec<HomeRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.homes(after).await,
        }
    }

    /// Appends, or looks for, each of these in order; one answer each. All that is
    /// [`Appended::Fresh`] is durable when this returns.
    ///
    /// # Errors
    /// When the engine fails; then none of them was appended.
    pub async fn append(&self, attempts: Vec<Attempt>) -> Result<Vec<Appended>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.append(attempts).await,
        }
    }

    /// Rows of a week in one slice, ordered by home and batch, beginning after `after`: at least one
    /// if any is left, then as many as fit in `bytes_max` of sealed bytes.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn journal_page(
        &self,
        week: Week,
        slice: Slice,
        after: Option<(HomeToken, BatchToken)>,
        bytes_max: usize,
    ) -> Result<Vec<JournalRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.journal_page(week, slice, after, bytes_max).await,
        }
    }

    /// Opens a week if it is not there, and says where it stands and which key it began with.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn open_week(&self, week: Week, key_check: Hash) -> Result<WeekRow, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.open_week(week, key_check).await,
        }
    }

    /// Every week that ever took a batch, in order.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn weeks(&self) -> Result<Vec<WeekRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.weeks().await,
        }
    }

    /// Closes an open week; afterwards nothing is appended to it. Others stay as they are.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn close_week(&self, week: Week, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.close_week(week, now).await,
        }
    }

    /// Stores a closed week's release, or a released week's revision, unless it has that already, or a
    /// home was erased from it since there were `erasures`; a final week takes no revision.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn release_week(
        &self,
        release: ReleaseRow,
        erasures: u32,
        now: Timestamp,
    ) -> Result<Stored, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.release_week(release, erasures, now).await,
        }
    }

    /// Destroys a week's rows, past recovery from the file; it is final when this returns.
    ///
    /// The one call that is not atomic: interrupted, it leaves some rows behind, which nothing can
    /// open, since their key went first; the next call deletes them.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn destroy_week(&self, week: Week, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.destroy_week(week, now).await,
        }
    }

    /// Every release, by week and revision.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn releases(&self) -> Result<Vec<ReleaseRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.releases().await,
        }
    }

    /// The whole ledger, oldest first.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn ledger(&self) -> Result<Vec<LedgerRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.ledger().await,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(_) => f.write_str("Store::Sqlite(..)"),
        }
    }
}
