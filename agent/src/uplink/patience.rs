//! How long to wait for a busy collector.
//!
//! Pure: takes how often it was tried and what the collector asked for, gives a pause. Pauses double
//! up to a bound and are cut by chance, so that homes turned away together do not return together
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). There are two: within
//! one upload somebody may be looking on, so [`pause`] is seconds; between two uploads nobody is, and
//! [`later`] grows to hours.

use phonehome_proto::chance::Chance;
use std::pin::Pin;
use std::time::Duration;

/// How often a request is sent before the spool keeps its batches for another time.
pub const TRIES_MAX: u32 = 5;

/// No pause is longer, whatever the collector asks for.
pub const PAUSE_SECONDS_MAX: u64 = 120;

/// The first pause between two uploads is below this, the second below twice this, and so on.
const LATER_SECONDS_FIRST: u64 = 300;

/// Between two uploads no pause is drawn from more.
const LATER_SECONDS_MAX: u64 = 6 * 3_600;

/// A collector may ask for no longer pause between two uploads: a day's batches must find it within
/// the week.
const ASKED_SECONDS_MAX: u64 = 24 * 3_600;

/// Someone who can wait. Only `run` waits in real time; tests and exercises do not.
pub trait Waits: Send {
    /// Returns once the pause is over.
    fn wait(&mut self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The pause after `tries` failed ones, the first being 1; the collector may have asked for
/// `asked_seconds`.
///
/// At least what was asked, or half of 2, 4, 8 ... seconds; at most half as much again, and never
/// more than [`PAUSE_SECONDS_MAX`].
#[must_use]
pub(super) fn pause(tries: u32, asked_seconds: Option<u64>, chance: &mut dyn Chance) -> Duration {
    let doubled = 1_u64
        .checked_shl(tries)
        .map_or(PAUSE_SECONDS_MAX, |s| s.min(PAUSE_SECONDS_MAX));
    let least_ms = asked_seconds.map_or(doubled * 500, |s| s.min(PAUSE_SECONDS_MAX) * 1_000);
    let mut random = [0; 4];
    chance.fill(&mut random);
    let spread_ms = u64::from(u32::from_be_bytes(random)) % (least_ms / 2 + 1);
    Duration::from_millis((least_ms + spread_ms).min(PAUSE_SECONDS_MAX * 1_000))
}

/// The pause between two uploads, after `failures` failed ones in a row, the first being 1; the
/// collector may have asked for `asked_seconds`.
///
/// What was asked, or a minute, and a share of 5, 10, 20 ... minutes, 6 hours at most, drawn evenly from
/// nothing to all of it: of all ways to come back this one gathers the smallest crowd.
#[must_use]
pub fn later(failures: u32, asked_seconds: Option<u64>, chance: &mut dyn Chance) -> Duration {
    let doubled = 1_u64
        .checked_shl(failures.saturating_sub(1))
        .and_then(|times| times.checked_mul(LATER_SECONDS_FIRST));
    let range_ms = doubled.unwrap_or(LATER_SECONDS_MAX).min(LATER_SECONDS_MAX) * 1_000;
    let least_ms = asked_seconds.unwrap_or(60).min(ASKED_SECONDS_MAX) * 1_000;
    let mut random = [0; 8];
    chance.fill(&mut random);
    Duration::from_millis(least_ms + u64::from_be_bytes(random) % (range_ms + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::chance::SeededChance;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pauses_are_bounded_and_heed_the_collector(
            tries in 1u32..100,
            asked in prop::option::of(any::<u64>()),
            seed: u64,
        ) {
            let pause = pause(tries, asked, &mut SeededChance::new(seed));
            prop_assert!(pause <= Duration::from_secs(PAUSE_SECONDS_MAX));
            let asked = asked.unwrap_or(1).min(PAUSE_SECONDS_MAX);
            prop_assert!(pause >= Duration::from_secs(asked));
        }
    }

    proptest! {
        #[test]
        fn later_is_bounded_and_heeds_the_collector(
            failures in 1u32..100,
            asked in prop::option::of(any::<u64>()),
            seed: u64,
        ) {
            let pause = later(failures, asked, &mut SeededChance::new(seed));
            let least = asked.unwrap_or(60).min(ASKED_SECONDS_MAX);
            prop_assert!(pause >= Duration::from_secs(least));
            prop_assert!(pause <= Duration::from_secs(least + LATER_SECONDS_MAX));
        }
    }

    #[test]
    fn the_first_try_again_comes_within_minutes() {
        for seed in 0..100 {
            let pause = later(1, None, &mut SeededChance::new(seed));
            assert!(pause <= Duration::from_secs(60 + LATER_SECONDS_FIRST));
        }
    }

    #[test]
    fn two_homes_do_not_come_back_together() {
        let of = |seed| pause(3, Some(30), &mut SeededChance::new(seed));
        assert_ne!(of(1), of(2));
    }
}
