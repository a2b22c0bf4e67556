//! What must hold: maps and sets, and none of the product's code but its nouns.
//!
//! The oracle hears every request that reached the collector and every answer to it, knows what each
//! batch says, because it was there when it was sealed, and foretells: who is known by which key, what is
//! held, where each week stands. Where the collector differs, one of the two is wrong.

mod answers;
mod counts;
mod membership;
mod weeks;

pub use counts::Expected;
pub use weeks::Due;

use super::home::Fact;
use phonehome_collector::release::ReleaseId;
use phonehome_collector::store::{Standing, WeekState};
use phonehome_proto::id::{BatchId, Hash, HomeId};
use phonehome_proto::seal::{SealedBatch, VerifyingKey};
use phonehome_proto::time::{Day, Timestamp, Week};
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
}

/// What is true of a collector at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Invites that let somebody in, and until when.
    invites: BTreeMap<Hash, Timestamp>,
    homes: BTreeMap<HomeId, Member>,
    keys: BTreeMap<Vec<u8>, Key>,
    weeks: BTreeMap<Week, WeekState>,
    /// Weeks that may have been opened by a request of which nothing else is known.
    perhaps: BTreeSet<Week>,
    held: BTreeMap<Week, BTreeMap<(HomeId, BatchId), Held>>,
    /// Erasures, by the withdrawal's payload, as far as anybody heard them; and until when they are
    /// repeated.
    erasures: BTreeMap<Hash, (Option<SealedBatch>, Timestamp)>,
    /// Withdrawals that were put off, and may have been done all the same.
    perhaps_left: BTreeMap<HomeId, (Hash, Timestamp)>,
    releases: BTreeMap<ReleaseId, String>,
    /// What was counted since the collector started.
    pub counted: Counted,
}

/// A home that is in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    enrolment: Hash,
    receipt: SealedBatch,
    is_revoked: bool,
}

/// A key that speaks, or spoke, for a home.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    home: HomeId,
    last_day: Option<Day>,
    /// The rotation that brought it, and its receipt.
    rotation: Option<(Hash, SealedBatch)>,
}

/// A batch that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    payload: Hash,
    receipt: SealedBatch,
    fact: (Hash, Vec<u8>),
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

impl State {
    /// What may have happened has, or has not.
    pub fn take_up_perhaps(&mut self, seen: &Seen) {
        for (home, (withdrawal, until)) in std::mem::take(&mut self.perhaps_left) {
            if !seen.homes.contains_key(&home) && self.homes.contains_key(&home) {
                self.forget_home(home);
                self.erasures.insert(withdrawal, (None, until));
            }
        }
        for week in std::mem::take(&mut self.perhaps) {
            if seen.weeks.contains_key(&week) {
                self.weeks.entry(week).or_insert(WeekState::Open);
            } else if seen.keys.contains(&week) {
                self.perhaps.insert(week);
            }
        }
    }

    /// This, and of the batches that `after` holds beyond it those that can be seen.
    #[must_use]
    pub fn between(&self, after: &Self, seen: &Seen) -> Self {
        let mut between = self.clone();
        for (week, held) in &after.held {
            let rows = seen.rows.get(week);
            let there = held
                .iter()
                .filter(|(_, held)| rows.is_some_and(|rows| rows.contains(&held.payload)));
            let held = between.held.entry(*week).or_default();
            held.extend(there.map(|(name, held)| (*name, held.clone())));
            between.perhaps.insert(*week);
        }
        between
    }

    /// Holds what is seen against what should be.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, seen: &Seen) -> Result<(), Wrong> {
        same("weeks", &self.weeks, &seen.weeks)?;
        for week in seen.weeks.keys() {
            let none = BTreeMap::new();
            let held = self.held.get(week).unwrap_or(&none);
            let held: BTreeSet<Hash> = held.values().map(|held| held.payload).collect();
            let rows = seen.rows.get(week).cloned().unwrap_or_default();
            let lost: Vec<_> = held.difference(&rows).collect();
            let surplus: Vec<_> = rows.difference(&held).collect();
            if !lost.is_empty() || !surplus.is_empty() {
                return Err(format!(
                    "{week}: {} batches are lost, {} are held that should not be",
                    lost.len(),
                    surplus.len()
                ));
            }
        }
        if let Some(releases) = &seen.releases
            && *releases != self.releases
        {
            let all = releases.keys().chain(self.releases.keys());
            let differing = all.filter(|id| releases.get(id) != self.releases.get(id));
            let differing: BTreeSet<_> = differing.collect();
            return Err(format!("other releases than there were: {differing:?}"));
        }
        let homes = self.homes.iter().map(|(home, member)| {
            let keys = self.keys.values().filter(|key| key.home == *home).count();
            (*home, (keys, member.is_revoked))
        });
        let seen_homes = seen.homes.iter().map(|(home, (keys, standing))| {
            let keys = usize::try_from(*keys).unwrap_or(usize::MAX);
            (*home, (keys, *standing == Standing::Revoked))
        });
        let homes: BTreeMap<HomeId, (usize, bool)> = homes.collect();
        same("homes", &homes, &seen_homes.collect())?;
        let not_final = self
            .weeks
            .iter()
            .filter(|(_, state)| **state != WeekState::Final);
        let with_key: BTreeSet<Week> = not_final.map(|(week, _)| *week).collect();
        let perhaps: BTreeSet<Week> = with_key.union(&self.perhaps).copied().collect();
        if !seen.keys.is_superset(&with_key) || !seen.keys.is_subset(&perhaps) {
            return Err(format!(
                "weeks with a key should be {with_key:?} and are {:?}",
                seen.keys
            ));
        }
        Ok(())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, seen: &T) -> Result<(), Wrong> {
    if expected == seen {
        Ok(())
    } else {
        Err(format!("{what} should be {expected:?} and are {seen:?}"))
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
