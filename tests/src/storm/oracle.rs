//! What must hold: maps and sets, and none of the product's code but its nouns.
//!
//! The oracle hears every request that reached the collector and every answer to it, knows what each
//! batch says, because it was there when it was sealed, and foretells: who is known by which key, what is
//! held, where each week stands. Where the collector differs, one of the two is wrong.

mod answers;
mod counts;
mod departure;
mod membership;
mod restored;
mod revision;
mod state;
mod weeks;

pub use counts::Expected;
pub use state::State;
pub use weeks::Due;

use super::happened::Happened;
use super::home::Fact;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::store::{Standing, WeekState};
use phonehome_proto::id::{Hash, HomeId};
use phonehome_proto::seal::{SealedBatch, VerifyingKey};
use phonehome_proto::time::{Timestamp, Week};
use std::collections::{BTreeMap, BTreeSet};

/// What can be seen of a collector from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where each week stands.
    pub weeks: BTreeMap<Week, WeekState>,
    /// The payloads of all rows, by hash.
    pub rows: BTreeMap<Week, BTreeSet<Hash>>,
    /// The releases' texts, if somebody looked.
    pub releases: Option<BTreeMap<ReleaseId, String>>,
    /// Homes, how many keys each has, and how it stands.
    pub homes: BTreeMap<HomeId, (u32, Standing)>,
    /// Weeks for which there is a key file.
    pub keys: BTreeSet<Week>,
}

/// Knows what every batch says, and what should be true.
pub struct Oracle {
    /// What is true now.
    pub state: State,
    collector: VerifyingKey,
    facts: BTreeMap<(Hash, Vec<u8>), Fact>,
    /// Payloads of all receipts that were given.
    said: BTreeSet<Vec<u8>>,
    /// What it heard of.
    pub happened: Happened,
}

/// What became of the things of one kind that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub received: u64,
    /// Taken.
    pub accepted: u64,
    /// Taken before.
    pub repeated: u64,
    /// Refused.
    pub rejected: u64,
    /// Put off.
    pub deferred: u64,
}

/// The tallies of a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Batches.
    pub batches: Tally,
    /// Enrolments.
    pub enrolments: Tally,
    /// Rotations.
    pub rotations: Tally,
    /// Withdrawals.
    pub withdrawals: Tally,
}

/// What does not hold.
pub type Wrong = String;

// The week's clock and the home's, in seconds, as the design has them; not taken from the product.
const SKEW: i64 = 300;
const DAY: i64 = 86_400;
const ACCEPTED_FOR: i64 = 4 * DAY;
const DESTROYED_AFTER: i64 = 7 * DAY;
const ERASURES_REPEATED_FOR: i64 = 90 * DAY;
const PENDING_FOR: i64 = 60 * DAY;
const PROBATION_DAYS: u32 = 7;
const RETIRED_KEYS_MAX: usize = 8;
const HOME_WEEK_BATCHES_MAX: usize = 512;

impl Oracle {
    /// Of a collector that holds nothing yet.
    #[must_use]
    pub fn new(collector: VerifyingKey) -> Self {
        Self {
            state: State::default(),
            collector,
            facts: BTreeMap::new(),
            said: BTreeSet::new(),
            happened: Happened::default(),
        }
    }

    /// A batch was sealed.
    pub fn learn(&mut self, fact: Fact) {
        self.facts.insert(name_of(&fact.sealed), fact);
    }

    /// An invite was made.
    pub fn invited(&mut self, token_hash: Hash, until: Timestamp) {
        self.state.invites.insert(token_hash, until);
    }

    /// The collector started anew: it counts from zero.
    pub fn started(&mut self) {
        self.state.counted = Counted::default();
    }

    /// Whether a receipt was given to anybody, whoever heard it.
    #[must_use]
    pub fn has_said(&self, receipt: &SealedBatch) -> bool {
        self.said.contains(&receipt.payload)
    }

    /// Holds the receipts that the journal keeps against those that were given; both by payload.
    ///
    /// # Errors
    /// What differs.
    pub fn check_receipts(
        &self,
        week: Week,
        kept: &BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<(), Wrong> {
        let held = self
            .state
            .held
            .get(&week)
            .into_iter()
            .flat_map(BTreeMap::values);
        let first = held.map(|held| {
            let sealed = &self.facts[&held.fact].sealed;
            (sealed.payload.clone(), held.receipt.payload.clone())
        });
        if first.collect::<BTreeMap<_, _>>() == *kept {
            Ok(())
        } else {
            Err("the journal keeps other receipts than were given".to_owned())
        }
    }

    /// Holds what is seen against what should be.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&mut self, seen: &Seen) -> Result<(), Wrong> {
        self.state.take_up_perhaps(seen);
        self.state.compare(seen)
    }
}

/// Tells one envelope from another.
fn name_of(sealed: &SealedBatch) -> (Hash, Vec<u8>) {
    (Hash::of(&sealed.payload), sealed.signature.clone())
}

impl Tally {
    /// Whether nothing is lost uncounted.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.received == self.accepted + self.repeated + self.rejected + self.deferred
    }
}
