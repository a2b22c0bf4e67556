//! The nouns of the registry: homes, their keys, invites, and who is crowded out.

use super::HomeToken;
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::time::{Day, Timestamp, Week};

/// An invite as it is kept: the token itself never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteRow {
    /// SHA-256 of the token.
    pub token_hash: Hash,
    /// From then on it opens nothing.
    pub expires_at: Timestamp,
    /// Homes that it lets in, at least 1. Which these are is not kept.
    pub uses: u32,
}

/// Where a home stands in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Enrolled, and waiting for the operator's word: nothing of it is taken.
    Pending,
    /// Taken in. What it reports of days before `counted_from` is held and counts in nothing.
    Admitted {
        /// The first day that counts; `None`: every day does.
        counted_from: Option<Day>,
    },
    /// Taken out by the operator, for good. Its keys are known, so that they are refused.
    Revoked,
}

/// What stands for a place that homes enrol from, within one month: HMAC under the month's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceToken(pub [u8; 32]);

/// One of the places an enrolment comes from, and how many homes it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// What stands for it in this month: there the home is counted if it is new.
    pub this_month: PlaceToken,
    /// What stood for it in the month before, as far as that month's key is there.
    pub last_month: Option<PlaceToken>,
    /// New homes of both months together, at most.
    pub homes_max: u32,
}

/// A home that wishes to be enrolled, its signature already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolAttempt {
    /// SHA-256 of the first key.
    pub home: HomeId,
    /// The key's bytes.
    pub key: [u8; 32],
    /// SHA-256 of the enrolment's payload.
    pub payload_hash: Hash,
    /// SHA-256 of the invite's token; `None` if it brings none.
    pub invite_hash: Option<Hash>,
    /// How a home stands that brings no invite; `None`: it must bring one. With a good one it is
    /// admitted, and every day of it counts.
    pub uninvited: Option<Standing>,
    /// Where it comes from: a home that is new must find room in each of these. Empty where nothing
    /// is known of it.
    pub crowds: Vec<Crowd>,
    /// The first days of the month in which it is counted, and of the one before.
    pub months: [Day; 2],
    /// The receipt it gets if it is taken in.
    pub receipt: Vec<u8>,
    /// Decides whether the invite has expired, and dates the home.
    pub now: Timestamp,
}

/// What became of an [`EnrolAttempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// The invite, if it brought one, is used once more, and the home is in the registry.
    Fresh,
    /// The same enrolment came before; these are the first receipt's bytes.
    Repeated(Vec<u8>),
    /// The invite is unknown, spent or expired, or there is none where there must be.
    InvalidInvite,
    /// The home is new, and a place it comes from has sent as many as it may.
    Crowded,
    /// The home has replaced this key.
    Retired,
    /// The key speaks for another home.
    Taken,
    /// The home was revoked.
    Revoked,
}

/// What became of a home that was to be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// It was pending, and is admitted.
    Now,
    /// It was admitted before.
    Before,
    /// It was revoked, and stays so.
    Revoked,
    /// There is no such home.
    Unknown,
}

/// Homes that are to be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeAttempt {
    /// Which, no home twice.
    pub homes: Vec<HomeToRevoke>,
    /// Dates the ledger's links.
    pub now: Timestamp,
}

/// A home that is to be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeToRevoke {
    /// Which.
    pub home: HomeId,
    /// What it stands for in every week that is not final, by week.
    pub held: Vec<(Week, HomeToken)>,
    /// What the ledger calls it.
    pub listed: Hash,
}

/// What became of a [`RevokeAttempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// One answer for each home, in order; what is erased is past recovery.
    Done(Vec<RevokedHome>),
    /// Nothing was done: the weeks given are not all that are not final.
    Otherwise,
}

/// What became of one home of a [`RevokeAttempt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedHome {
    /// It is out, and so many batches of it were erased.
    Now(u32),
    /// It was revoked before.
    Before,
    /// There is no such home.
    Unknown,
}

/// A key and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The home it speaks for.
    pub home: HomeId,
    /// The key's bytes.
    pub key: [u8; 32],
    /// The last day it may report on; `None` for the home's current key.
    pub last_day: Option<Day>,
    /// Where the home stands.
    pub standing: Standing,
}

/// A home that wishes to be known by another key, both signatures already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateAttempt {
    /// Whose keys they are to be.
    pub home: HomeId,
    /// The key that signed it.
    pub key: [u8; 32],
    /// The key that follows.
    pub new_key: [u8; 32],
    /// SHA-256 of the rotation's payload.
    pub payload_hash: Hash,
    /// The receipt it gets if it is taken.
    pub receipt: Vec<u8>,
    /// The last day that the key which signed it may still report on.
    pub last_day: Day,
}

/// What became of a [`RotateAttempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The home is known by the new key.
    Fresh,
    /// The same rotation gave it this key before; these are the first receipt's bytes.
    Repeated(Vec<u8>),
    /// The key that signed it may not sign for this home.
    Refused(NotItsKey),
    /// The new key speaks, or spoke, for a home already.
    Taken,
    /// More of its replaced keys are remembered than may be.
    Full,
}

/// Why a key may not sign for a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotItsKey {
    /// It is nobody's.
    Unknown,
    /// It is another home's.
    OtherHome,
    /// The home has replaced it.
    Retired,
    /// The home was revoked.
    Revoked,
}

/// A home that wishes to be forgotten, its signature already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseAttempt {
    /// Which.
    pub home: HomeId,
    /// The key that signed it.
    pub key: [u8; 32],
    /// SHA-256 of the withdrawal's payload.
    pub withdrawal_hash: Hash,
    /// What the home stands for in each week that is not final, by week, and how many batches it is
    /// taken to hold there: `receipt` says so.
    pub held: Vec<(Week, HomeToken, u32)>,
    /// What is kept under the withdrawal's hash, to be given back when it is repeated.
    pub receipt: Vec<u8>,
    /// From then on it is not kept.
    pub forget_at: Timestamp,
    /// What stands for the home in the ledger, for good, and on which day: `erased` and these digits.
    pub listed: (Day, Hash),
}

/// What became of an [`EraseAttempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// The home is forgotten; nothing of it is left in the file.
    Done,
    /// It was forgotten before; this was kept for it.
    Repeated(Vec<u8>),
    /// The key that signed it may not sign for this home.
    Refused(NotItsKey),
    /// Nothing was erased, because the receipt would not be true: it holds so many batches in these
    /// weeks, or there are other weeks that are not final.
    Otherwise(Vec<(Week, u32)>),
}

/// What is to be forgotten because its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForgetAttempt {
    /// Replaced keys whose last day lies before this one, unless their home was revoked.
    pub keys_before: Day,
    /// Counters of places of months that begin before this day.
    pub places_before: Day,
    /// Homes that enrolled before this day and are pending still.
    pub pending_before: Day,
    /// Receipts of withdrawals, and invites, whose time is over then.
    pub now: Timestamp,
}

/// How much was forgotten because its time was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Replaced keys.
    pub keys: usize,
    /// Receipts of withdrawals.
    pub withdrawals: usize,
    /// Invites that open nothing any more.
    pub invites: usize,
    /// Counters of places.
    pub places: usize,
    /// Homes that nobody approved.
    pub pending: usize,
}

/// A home as the operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeRow {
    /// Which.
    pub home: HomeId,
    /// Since when.
    pub enrolled: Day,
    /// Keys that speak for it: one, and those it has replaced as long as they are remembered.
    pub keys: u32,
    /// Where it stands.
    pub standing: Standing,
}

/// What the ledger's event begins with when a home was erased; 64 hex digits follow.
pub const ERASED: &str = "erased ";

/// What the ledger's event begins with that says which home was revoked; 64 hex digits follow. Behind
/// those of one revocation stands how many they were, and which weeks they had reported on.
pub const BARRED: &str = "barred ";

/// Homes in one answer of `Store::homes`.
pub const HOMES_PAGE_MAX: u32 = 1_024;

// === impl EraseAttempt ===

impl EraseAttempt {
    /// The ledger's event.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{ERASED}{}", self.listed.1.to_hex())
    }
}

// === impl HomeToRevoke ===

impl HomeToRevoke {
    /// The ledger's event.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{BARRED}{}", self.listed.to_hex())
    }
}

// === impl Standing ===

impl Standing {
    /// The word in the database, and the day beside it.
    #[must_use]
    pub const fn parts(self) -> (&'static str, Option<Day>) {
        match self {
            Self::Pending => ("pending", None),
            Self::Admitted { counted_from } => ("admitted", counted_from),
            Self::Revoked => ("revoked", None),
        }
    }

    /// The standing that has these parts.
    #[must_use]
    pub fn of_parts(word: &str, counted_from: Option<Day>) -> Option<Self> {
        match (word, counted_from) {
            ("pending", None) => Some(Self::Pending),
            ("admitted", counted_from) => Some(Self::Admitted { counted_from }),
            ("revoked", None) => Some(Self::Revoked),
            _ => None,
        }
    }
}
