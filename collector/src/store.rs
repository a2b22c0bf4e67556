//! The store contract: all that is ever kept, and the only way to it.
//!
//! Takes whole lists, gives values. Each call is atomic and durable when it returns; no
//! transaction, row handle or connection stands in a signature, and nothing above knows how an
//! engine does it. Every key of a home's data contains the home's token, so that an engine may
//! spread homes over machines and still answer exactly. A new engine is a new folder, a new variant
//! of [`Store`], and a run of the one contract suite.
//!
//! Five things are kept: the *registry* (homes, their keys, hashed invites, how many homes came from
//! places that only this and last month's keys tell, what homes that left need to be told again),
//! the *journal* (sealed
//! batches of weeks that are not final), the *weeks* and where they stand, the *releases*, and the
//! *ledger*, a hash chain of what was done to weeks and which homes were erased.

mod error;
#[cfg(test)]
mod fixture;
pub mod moving;
pub mod postgres;
mod restoring;
mod rows;
pub mod sqlite;

pub use error::StoreError;
pub use rows::{
    Appended, Approved, Attempt, BARRED, BatchToken, CaughtUp, Crowd, ERASED, EnrolAttempt,
    Enrolled, EraseAttempt, Erased, Fold, ForgetAttempt, Forgotten, HOME_WEEK_BATCHES_MAX,
    HOMES_PAGE_MAX, HomeRow, HomeToRevoke, HomeToken, InviteRow, JournalRow, KeyRow,
    LEDGER_PAGE_MAX, Lease, LedgerRow, NotItsKey, PART_BYTES_MAX, PARTS_MAX, PlaceToken,
    ReleaseRow, RevokeAttempt, Revoked, RevokedHome, RotateAttempt, Rotated, Since, Slice,
    Snapshot, Standing, Stored, Taken, WeekRow, WeekState,
};

use phonehome_proto::id::{Audience, Hash, HomeId};
use phonehome_proto::manifest::Purpose;
use phonehome_proto::time::{Timestamp, Week};
use std::fmt;
use std::path::Path;

/// An open store. Clones are handles to the same one.
#[derive(Clone)]
pub enum Store {
    /// The embedded database, one file.
    Sqlite(sqlite::Sqlite),
    /// A database server that several collectors may share.
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens the database file at `path`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none and `create` is false.
    pub async fn open(path: &Path, create: bool) -> Result<Self, StoreError> {
        sqlite::Sqlite::open(path, create).await.map(Self::Sqlite)
    }

    /// Opens the database on a server.
    ///
    /// # Errors
    /// [`StoreError::Unmade`] if there are no tables in it and `create` is false.
    pub async fn connect(server: postgres::Server, create: bool) -> Result<Self, StoreError> {
        let engine = postgres::Postgres::open(server, create).await?;
        if engine.is_being_filled().await? {
            return Err(StoreError::Unfinished);
        }
        Ok(Self::Postgres(engine))
    }

    /// Lets the database grow by at most so many pages from now on, as a disk without room would; or by
    /// as many as it likes. Whatever needs more fails with [`StoreError::Full`]. A server's room is its
    /// own affair.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn limit_growth(&self, pages: Option<u32>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.limit_growth(pages).await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Writes what is there already, as durably as anything: whether it could be done is what is asked.
    ///
    /// # Errors
    /// Those that whoever writes would meet now.
    pub async fn try_writing(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.try_writing().await,
            Self::Postgres(engine) => engine.try_writing().await,
        }
    }

    /// Which setting of the database would let it forget what it acknowledged; `None` if none does.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn fragility(&self) -> Result<Option<&'static str>, StoreError> {
        match self {
            // What it is opened with is its own affair.
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(engine) => engine.fragility().await,
        }
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
            Self::Postgres(engine) => engine.rules_serial(audience, purpose, rules_hash).await,
        }
    }

    /// Adds invites.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn add_invites(&self, invites: Vec<InviteRow>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.add_invites(invites).await,
            Self::Postgres(engine) => engine.add_invites(invites).await,
        }
    }

    /// Uses the invite and takes the home in, or repeats the first answer.
    ///
    /// A home that is already in and comes with another enrolment needs another invite where homes
    /// need one; a good one admits it if it was not. Only a home that is new is counted in its places.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn enrol(&self, attempt: EnrolAttempt) -> Result<Enrolled, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.enrol(attempt).await,
            Self::Postgres(engine) => engine.enrol(attempt).await,
        }
    }

    /// Puts a home under another key, or repeats the first answer.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn rotate(&self, attempt: RotateAttempt) -> Result<Rotated, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.rotate(attempt).await,
            Self::Postgres(engine) => engine.rotate(attempt).await,
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
            Self::Postgres(engine) => engine.erase(attempt).await,
        }
    }

    /// Admits homes that are pending; one answer for each, in order.
    ///
    /// # Errors
    /// When the engine fails; then none of them was admitted.
    pub async fn approve(&self, homes: Vec<HomeId>) -> Result<Vec<Approved>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.approve(homes).await,
            Self::Postgres(engine) => engine.approve(homes).await,
        }
    }

    /// Takes homes out of every week that is not final, past recovery from the file, and keeps their
    /// keys so that they are refused. Does so only if the given weeks are all that are not final. A
    /// week that was released before counts them as revocations until its next release; the ledger says which homes, by
    /// names that only the identity's holder can tell, and how many of which weeks.
    ///
    /// # Errors
    /// When the engine fails. If only overwriting did, the homes are out and the next call overwrites.
    pub async fn revoke(&self, attempt: RevokeAttempt) -> Result<Revoked, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.revoke(attempt).await,
            Self::Postgres(engine) => engine.revoke(attempt).await,
        }
    }

    /// Forgets what has outlived its time.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn forget(&self, attempt: ForgetAttempt) -> Result<Forgotten, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.forget(attempt).await,
            Self::Postgres(engine) => engine.forget(attempt).await,
        }
    }

    /// The enrolled key with each of these SHA-256 hashes, in order.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn keys(&self, key_hashes: Vec<Hash>) -> Result<Vec<Option<KeyRow>>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.keys(key_hashes).await,
            Self::Postgres(engine) => engine.keys(key_hashes).await,
        }
    }

    /// At most [`HOMES_PAGE_MAX`] homes in order, beginning after `after`.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn homes(&self, after: Option<HomeId>) -> Result<Vec<HomeRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.homes(after).await,
            Self::Postgres(engine) => engine.homes(after).await,
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
            Self::Postgres(engine) => engine.append(attempts).await,
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
            Self::Postgres(engine) => engine.journal_page(week, slice, after, bytes_max).await,
        }
    }

    /// Opens a week if it is not there, and says where it stands and which key it began with.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn open_week(&self, week: Week, key_check: Hash) -> Result<WeekRow, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.open_week(week, key_check).await,
            Self::Postgres(engine) => engine.open_week(week, key_check).await,
        }
    }

    /// Every week that ever took a batch, in order.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn weeks(&self) -> Result<Vec<WeekRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.weeks().await,
            Self::Postgres(engine) => engine.weeks().await,
        }
    }

    /// Closes an open week; afterwards nothing is appended to it. Others stay as they are.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn close_week(&self, week: Week, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(engine) => engine.close_week(week, now).await,
            Self::Postgres(engine) => engine.close_week(week, now).await,
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
            Self::Postgres(engine) => engine.release_week(release, erasures, now).await,
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
            Self::Postgres(engine) => engine.destroy_week(week, now).await,
        }
    }

    /// Takes a part of a fold for a time: one that nobody works on, or whose holder's time is over at `now`.
    /// A fold is made of `parts` the first time that anybody asks, and every asker must say the same. Its
    /// parts are forgotten when the week is released or final, or a home is erased from it.
    ///
    /// # Errors
    /// When the engine fails.
    ///
    /// # Panics
    /// If `parts` is 0 or more than [`PARTS_MAX`].
    pub async fn take_part(
        &self,
        fold: Fold,
        parts: u16,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        assert!((1..=PARTS_MAX).contains(&parts), "a fold has some parts");
        match self {
            Self::Sqlite(engine) => engine.take_part(fold, parts, lease, now).await,
            Self::Postgres(engine) => engine.take_part(fold, parts, lease, now).await,
        }
    }

    /// Keeps a part for longer, and says whether it was still the holder's to keep: else its time ran out
    /// and another has it, or it is done, or what is found in it counts no more.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn hold_part(&self, fold: Fold, part: u16, lease: Lease) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.hold_part(fold, part, lease).await,
            Self::Postgres(engine) => engine.hold_part(fold, part, lease).await,
        }
    }

    /// Keeps what was found in a part, sealed; of several the first. What was found in a fold that was
    /// forgotten meanwhile is not kept.
    ///
    /// # Errors
    /// When the engine fails.
    ///
    /// # Panics
    /// If it has more than [`PART_BYTES_MAX`] bytes.
    pub async fn keep_part(
        &self,
        fold: Fold,
        part: u16,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        assert!(sealed.len() <= PART_BYTES_MAX, "a part is bounded");
        match self {
            Self::Sqlite(engine) => engine.keep_part(fold, part, sealed).await,
            Self::Postgres(engine) => engine.keep_part(fold, part, sealed).await,
        }
    }

    /// What was found in a part; `None` if that is not known, or no more.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn part(&self, fold: Fold, part: u16) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.part(fold, part).await,
            Self::Postgres(engine) => engine.part(fold, part).await,
        }
    }

    /// Every release, by week and revision.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn releases(&self) -> Result<Vec<ReleaseRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.releases().await,
            Self::Postgres(engine) => engine.releases().await,
        }
    }

    /// The whole ledger, oldest first.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn ledger(&self) -> Result<Vec<LedgerRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.ledger().await,
            Self::Postgres(engine) => engine.ledger().await,
        }
    }

    /// At most [`LEDGER_PAGE_MAX`] links of the ledger, oldest first, beginning after the one with this
    /// number.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn ledger_after(&self, number: u64) -> Result<Vec<LedgerRow>, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.ledger_after(number).await,
            Self::Postgres(engine) => engine.ledger_after(number).await,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(_) => f.write_str("Store::Sqlite(..)"),
            Self::Postgres(_) => f.write_str("Store::Postgres(..)"),
        }
    }
}
