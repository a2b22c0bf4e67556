//! What is true of a collector at one moment, and what can be seen of it.

use super::super::edition::Edition;
use super::{Counted, Expected, Seen, Wrong};
use phonehome_collector::release::ReleaseId;
use phonehome_collector::store::{Standing, WeekState};
use phonehome_proto::id::{BatchId, Hash, HomeId};
use phonehome_proto::seal::SealedBatch;
use phonehome_proto::time::{Day, Timestamp, Week};
use std::collections::{BTreeMap, BTreeSet};

/// What is true of a collector at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Invites that let somebody in, and until when.
    pub(super) invites: BTreeMap<Hash, Timestamp>,
    pub(super) homes: BTreeMap<HomeId, Member>,
    pub(super) keys: BTreeMap<Vec<u8>, Key>,
    pub(super) weeks: BTreeMap<Week, WeekState>,
    /// Weeks that may have been opened by a request of which nothing else is known.
    pub(super) perhaps: BTreeSet<Week>,
    pub(super) held: BTreeMap<Week, BTreeMap<(HomeId, BatchId), Held>>,
    /// Erasures, by the withdrawal's payload, as far as anybody heard them; and until when they are
    /// repeated.
    pub(super) erasures: BTreeMap<Hash, (Option<SealedBatch>, Timestamp)>,
    /// Withdrawals that were put off, and may have been done all the same.
    pub(super) perhaps_left: BTreeMap<HomeId, (Hash, Timestamp)>,
    pub(super) releases: BTreeMap<ReleaseId, Made>,
    /// Released weeks from which homes were revoked since.
    pub(super) thinned: BTreeSet<Week>,
    /// Homes that have left, for ever.
    pub(super) left: BTreeSet<HomeId>,
    /// Homes that were ever revoked.
    pub(super) barred: BTreeSet<HomeId>,
    /// What was counted since the collector started.
    pub counted: Counted,
}

/// A home that is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) enrolment: Hash,
    pub(super) receipt: SealedBatch,
    pub(super) enrolled: Day,
    pub(super) standing: Standing,
}

/// A key that speaks, or spoke, for a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) home: HomeId,
    pub(super) last_day: Option<Day>,
    /// The rotation that brought it, and its receipt.
    pub(super) rotation: Option<(Hash, SealedBatch)>,
}

/// A batch that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) payload: Hash,
    pub(super) receipt: SealedBatch,
    pub(super) fact: (Hash, Vec<u8>),
    pub(super) is_on_probation: bool,
}

/// A release, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) text: String,
    pub(super) edition: Edition,
    pub(super) expected: Expected,
}

impl State {
    /// What may have happened has, or has not.
    pub fn take_up_perhaps(&mut self, seen: &Seen) {
        for (home, (withdrawal, until)) in std::mem::take(&mut self.perhaps_left) {
            if !seen.homes.contains_key(&home) && self.homes.contains_key(&home) {
                self.forget_home(home);
                self.left.insert(home);
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
        let known = |id| self.releases.get(id).map(|made| &made.text);
        if let Some(releases) = &seen.releases {
            let all = releases.keys().chain(self.releases.keys());
            let differing = all.filter(|id| releases.get(id) != known(id));
            let differing: BTreeSet<_> = differing.collect();
            if !differing.is_empty() {
                return Err(format!("other releases than there were: {differing:?}"));
            }
        }
        let homes = self.homes.iter().map(|(home, member)| {
            let keys = self.keys.values().filter(|key| key.home == *home).count();
            (*home, (keys, member.standing))
        });
        let seen_homes = seen.homes.iter().map(|(home, (keys, standing))| {
            let keys = usize::try_from(*keys).unwrap_or(usize::MAX);
            (*home, (keys, *standing))
        });
        let homes: BTreeMap<HomeId, (usize, Standing)> = homes.collect();
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

impl Member {
    /// Whether the operator took it out.
    pub(super) fn is_revoked(&self) -> bool {
        self.standing == Standing::Revoked
    }
}
