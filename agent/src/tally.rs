//! Losses, counted by reason.
//!
//! A stage that lets something go says why with a word of a closed enum, and counts it here, so that
//! `in = out + each counted loss` can be added up. The words are written once, beside the reason:
//! they are the log field, the counter's label and the text a person reads.

use std::fmt;
use std::marker::PhantomData;

/// A closed list of reasons, each with its word.
pub trait Reason: Copy + Eq + fmt::Debug + 'static {
    /// Every reason, in the order of [`Reason::index`].
    const ALL: &'static [Self];

    /// Its place in [`Reason::ALL`].
    fn index(self) -> usize;

    /// Its word, `snake_case`, never changed once released.
    fn as_str(self) -> &'static str;
}

/// Declares an enum of reasons and its words in one place, so that no list can lag behind.
macro_rules! reasons {
    (
        $(#[$outer:meta])*
        $vis:vis enum $name:ident { $( $(#[$inner:meta])* $variant:ident = $word:literal, )+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name { $( $(#[$inner])* $variant, )+ }

        impl $name {
            /// The reason in one word, `snake_case`.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl $crate::tally::Reason for $name {
            const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

pub(crate) use reasons;

/// How often each reason occurred.
#[derive(Clone, PartialEq, Eq)]
pub struct Tally<R> {
    /// One count per reason, in the order of `R::ALL`.
    counts: Box<[u64]>,
    reasons: PhantomData<R>,
}

// === impl Tally ===

impl<R: Reason> Tally<R> {
    /// All counts zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: vec![0; R::ALL.len()].into_boxed_slice(),
            reasons: PhantomData,
        }
    }

    /// Adds `count` occurrences of `reason`.
    pub fn add(&mut self, reason: R, count: u64) {
        let slot = &mut self.counts[reason.index()];
        *slot = slot.saturating_add(count);
    }

    /// How often `reason` occurred.
    #[must_use]
    pub fn of(&self, reason: R) -> u64 {
        self.counts[reason.index()]
    }

    /// How often anything occurred.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The reasons that occurred, with their counts.
    pub fn nonzero(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL
            .iter()
            .map(|&reason| (reason, self.of(reason)))
            .filter(|&(_, count)| count > 0)
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (slot, count) in self.counts.iter_mut().zip(&other.counts) {
            *slot = slot.saturating_add(*count);
        }
    }
}

impl<R: Reason> Default for Tally<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Reason> fmt::Debug for Tally<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.nonzero()
                    .map(|(reason, count)| (reason.as_str(), count)),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    reasons! {
        enum Why {
            Early = "early",
            Late = "late",
        }
    }

    #[test]
    fn adds_up_by_reason() {
        let mut tally = Tally::new();
        tally.add(Why::Late, 2);
        let mut sum = tally.clone();
        sum.merge(&tally);
        assert_eq!(
            (sum.of(Why::Early), sum.of(Why::Late), sum.total()),
            (0, 4, 4)
        );
        assert_eq!(sum.nonzero().collect::<Vec<_>>(), [(Why::Late, 4)]);
        assert!(
            Why::ALL
                .iter()
                .enumerate()
                .all(|(place, why)| why.index() == place)
        );
        assert_eq!(format!("{sum:?}"), r#"{"late": 4}"#);
    }
}
