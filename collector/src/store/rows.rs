//! The nouns of the store: what goes in, what comes out.

mod folding;
mod registry;
mod restored;

pub use folding::{Fold, Lease, PART_BYTES_MAX, PARTS_MAX, Taken};
pub use restored::{CaughtUp, Since, Snapshot};

pub use registry::{
    Approved, BARRED, Crowd, ERASED, EnrolAttempt, Enrolled, EraseAttempt, Erased, ForgetAttempt,
    Forgotten, HOMES_PAGE_MAX, HomeRow, HomeToRevoke, InviteRow, KeyRow, NotItsKey, PlaceToken,
    RevokeAttempt, Revoked, RevokedHome, RotateAttempt, Rotated, Standing,
};

use crate::geo::network::Origin;
use phonehome_proto::id::Hash;
use phonehome_proto::time::{Timestamp, Week};

// === journal ===

/// A home within one week: HMAC of the home under the week's key. Other weeks' tokens of the same
/// home look unrelated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HomeToken(pub [u8; 32]);

/// A batch within one week: HMAC of home and batch id under the week's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchToken(pub [u8; 32]);

/// A sealed batch at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The week its day lies in.
    pub week: Week,
    /// Whose.
    pub home: HomeToken,
    /// Which.
    pub batch: BatchToken,
    /// SHA-256 of the batch's payload.
    pub payload_hash: Hash,
    /// The home's country and network, all that is ever kept of its address; `None`: in no table.
    pub origin: Option<Origin>,
    /// Of a day on which its home was on probation: held, and counted in nothing.
    pub is_on_probation: bool,
    /// Batch and receipt, encrypted under the week's key.
    pub sealed: Vec<u8>,
}

/// One row to append, or only to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Append it, unless it is there, or its home is not there any more.
    Append {
        /// The row.
        row: JournalRow,
        /// SHA-256 of the key that signed the batch.
        key_hash: Hash,
    },
    /// Say whether it is there, and append nothing: its week takes no more.
    Look {
        /// The week its day lies in.
        week: Week,
        /// Whose.
        home: HomeToken,
        /// Which.
        batch: BatchToken,
        /// SHA-256 of the batch's payload.
        payload_hash: Hash,
    },
}

/// What became of an [`Attempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is held now, durably.
    Fresh,
    /// The same payload was there before; this is its row.
    Repeated(JournalRow),
    /// Another payload stands under this batch's token.
    Conflict,
    /// It is not there, and was not appended: the week is not open.
    Closed,
    /// It is not there, and was not appended: the home has filled its week.
    Full,
    /// It is not there, and was not appended: the key that signed it speaks for nobody who may report.
    Stranger,
}

/// A part of all home tokens: those whose first 16 bits lie in `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    first: u16,
    last: u16,
}

// === weeks, releases, ledger ===

/// Where a week stands. It only ever moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WeekState {
    /// Takes batches.
    Open,
    /// Takes no more; what it holds does not change until it is destroyed.
    Closed,
    /// Its release stands.
    Released,
    /// Key, journal and dedupe rows are destroyed.
    Final,
}

/// A week in which at least one batch was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekRow {
    /// Which.
    pub week: Week,
    /// Where it stands.
    pub state: WeekState,
    /// Tells whether a key file is the one the rows were sealed with.
    pub key_check: Hash,
    /// How often a home was erased from it.
    pub erasures: u32,
    /// Homes that were revoked from it since its last release.
    pub revocations: u32,
}

/// A release at rest. Once stored it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its week.
    pub week: Week,
    /// 0 at first.
    pub revision: u8,
    /// The text of `release.json`.
    pub text: String,
    /// The collector's signature over the text, as a payload of type release.
    pub signature: [u8; 64],
}

/// What became of a release that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It stands.
    Fresh,
    /// The week has one already, which stays.
    Before,
    /// A home was erased from the week since it was folded, or a week to be revised is final: look
    /// again.
    Outdated,
}

/// One link of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// 1, 2, 3, ...
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What was done, to which week.
    pub event: String,
    /// SHA-256 of the previous link's hash, this number, time and event.
    pub hash: Hash,
}

/// Batches one home may have accepted in one week; a further one is refused and counted, so that
/// nobody fills the disk and a home always fits in memory when it is folded.
pub const HOME_WEEK_BATCHES_MAX: u32 = 512;

/// Links of the ledger in one answer of `Store::ledger_after`.
pub const LEDGER_PAGE_MAX: u32 = 1_024;

// === impl Attempt ===

impl Attempt {
    /// Week, home, batch and payload hash: what identifies a row, and tells repetition from conflict.
    #[must_use]
    pub const fn key(&self) -> (Week, HomeToken, BatchToken, Hash) {
        match self {
            Self::Append { row, .. } => (row.week, row.home, row.batch, row.payload_hash),
            Self::Look {
                week,
                home,
                batch,
                payload_hash,
            } => (*week, *home, *batch, *payload_hash),
        }
    }
}

// === impl Slice ===

impl Slice {
    /// All tokens.
    pub const WHOLE: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    /// `count` slices that together hold every token once.
    #[must_use]
    pub fn all(count: u16) -> Vec<Self> {
        let count = u32::from(count.max(1));
        let edge = |index: u32| 65_536 * index / count;
        (0..count)
            .map(|index| Self {
                first: u16::try_from(edge(index)).expect("below 65,536 for an index below count"),
                last: u16::try_from(edge(index + 1) - 1).expect("at most 65,535"),
            })
            .collect()
    }

    /// The lowest and the highest token in it.
    #[must_use]
    pub fn bounds(self) -> (HomeToken, HomeToken) {
        let (mut low, mut high) = ([0; 32], [0xff; 32]);
        low[..2].copy_from_slice(&self.first.to_be_bytes());
        high[..2].copy_from_slice(&self.last.to_be_bytes());
        (HomeToken(low), HomeToken(high))
    }
}

// === impl WeekState ===

impl WeekState {
    /// The word in the database and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Released => "released",
            Self::Final => "final",
        }
    }

    /// The state a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Closed, Self::Released, Self::Final]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

// === impl LedgerRow ===

impl LedgerRow {
    /// The link that follows `previous` (none for the first).
    #[must_use]
    pub fn follow(previous: Option<&Self>, at: Timestamp, event: String) -> Self {
        let number = previous.map_or(1, |row| row.number + 1);
        let mut bytes = previous
            .map_or([0; 32], |row| *row.hash.as_bytes())
            .to_vec();
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&at.seconds().to_be_bytes());
        bytes.extend_from_slice(event.as_bytes());
        Self {
            number,
            at: Timestamp::from_seconds(at.seconds()),
            event,
            hash: Hash::of(&bytes),
        }
    }
}
