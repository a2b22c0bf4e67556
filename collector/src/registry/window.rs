//! How much each spent in the present window of time: in memory, and bounded.
//!
//! Takes whoever it is, what this costs and what may be spent; says whether it fits. A window is a
//! stretch of time of fixed length, and everybody begins anew with the next one. When the table is
//! full, whoever is not in it yet goes unwatched, which is counted: a crowd of strangers must not be
//! able to shut out a home. Nothing of it is ever written.

use phonehome_proto::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What something costs, and what may be spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Things.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What became of something that costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// There was room, and it is spent.
    Fits,
    /// There was not, and nothing is spent.
    Over,
    /// The table is full, so nobody knows.
    Unwatched,
}

/// The table of one kind of spender.
pub struct Window<K> {
    seconds: i64,
    entries_max: usize,
    budget: Cost,
    present: Mutex<Present<K>>,
    unwatched: AtomicUsize,
}

struct Present<K> {
    number: i64,
    spent: BTreeMap<K, Cost>,
}

impl<K: Ord> Window<K> {
    /// A table of at most `entries_max`, in which each may spend `budget` every `seconds`.
    #[must_use]
    pub fn new(seconds: i64, entries_max: usize, budget: Cost) -> Self {
        Self {
            seconds: seconds.max(1),
            entries_max,
            budget,
            present: Mutex::new(Present {
                number: i64::MIN,
                spent: BTreeMap::new(),
            }),
            unwatched: AtomicUsize::new(0),
        }
    }

    /// Whether `who` has nothing left at `now`.
    pub fn has_spent(&self, who: &K, now: Timestamp) -> bool {
        let present = self.present(now);
        let spent = present.spent.get(who);
        spent.is_some_and(|spent| {
            spent.items >= self.budget.items || spent.bytes > 0 && spent.bytes >= self.budget.bytes
        })
    }

    /// How often somebody went unwatched since this was last asked.
    pub fn take_unwatched(&self) -> usize {
        self.unwatched.swap(0, Ordering::Relaxed)
    }

    /// Spends `cost`, if `who` has as much left at `now`.
    pub fn spend(&self, who: K, cost: Cost, now: Timestamp) -> Spent {
        let mut present = self.present(now);
        let is_full = present.spent.len() >= self.entries_max;
        let before = match present.spent.get(&who) {
            Some(before) => *before,
            None if is_full => {
                self.unwatched.fetch_add(1, Ordering::Relaxed);
                return Spent::Unwatched;
            }
            None => Cost::default(),
        };
        let after = Cost {
            items: before.items.saturating_add(cost.items),
            bytes: before.bytes.saturating_add(cost.bytes),
        };
        if after.items > self.budget.items || after.bytes > self.budget.bytes {
            return Spent::Over;
        }
        present.spent.insert(who, after);
        Spent::Fits
    }

    /// The table of the window that `now` lies in.
    fn present(&self, now: Timestamp) -> MutexGuard<'_, Present<K>> {
        let number = now.seconds().div_euclid(self.seconds);
        // The table is whole between any two statements, whoever panicked.
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.number != number {
            *present = Present {
                number,
                spent: BTreeMap::new(),
            };
        }
        present
    }
}

impl<K> fmt::Debug for Window<K> {
    /// Without whom it knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Window({:?} every {} seconds)",
            self.budget, self.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn cost(items: u64, bytes: u64) -> Cost {
        Cost { items, bytes }
    }

    #[test]
    fn each_spends_its_own_and_begins_anew() {
        let window = Window::new(60, 9, cost(3, 10));
        assert_eq!(window.spend('a', cost(2, 4), at(0)), Spent::Fits);
        assert_eq!(window.spend('a', cost(2, 4), at(1)), Spent::Over, "items");
        assert_eq!(window.spend('a', cost(1, 7), at(1)), Spent::Over, "bytes");
        // What was refused was not spent.
        assert_eq!(window.spend('a', cost(1, 6), at(59)), Spent::Fits);
        assert_eq!(window.spend('b', cost(3, 10), at(59)), Spent::Fits);
        assert_eq!(window.spend('a', cost(0, 1), at(59)), Spent::Over);
        assert_eq!(window.spend('a', cost(3, 10), at(60)), Spent::Fits);
        assert_eq!(window.spend('a', cost(u64::MAX, 0), at(60)), Spent::Over);
    }

    #[test]
    fn a_full_table_watches_those_it_knows() {
        let window = Window::new(60, 2, cost(1, 0));
        for who in ['a', 'b'] {
            assert_eq!(window.spend(who, cost(1, 0), at(0)), Spent::Fits);
        }
        assert_eq!(window.spend('c', cost(1, 0), at(0)), Spent::Unwatched);
        assert_eq!((window.take_unwatched(), window.take_unwatched()), (1, 0));
        assert!(window.has_spent(&'a', at(0)) && !window.has_spent(&'c', at(0)));
        assert_eq!(window.spend('a', cost(1, 0), at(0)), Spent::Over);
        assert!(!window.has_spent(&'a', at(60)));
        assert_eq!(window.spend('c', cost(1, 0), at(60)), Spent::Fits);
    }
}
