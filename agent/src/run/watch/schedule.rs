//! When to send next.
//!
//! Pure: takes what happened and chance, gives a moment, counted since boot because the wall clock may
//! be set in between. A day is over in every home at the same moment, and a collector that was away is
//! back for all at once; so every moment here is drawn by chance, anew each time, wide enough that the
//! homes of a country do not come together:
//!
//! - what a day's end brings goes out at a moment drawn evenly from the hours after midnight UTC that
//!   the configuration names, never in the first minutes, when clocks still differ;
//! - what is found waiting at start goes out within the first hour: after a power cut many start at once;
//! - a home that knows no date asks for the time some minutes after its start: most learn it before;
//! - what failed is tried again by `patience::later`.

use crate::uplink::later;
use phonehome_proto::chance::Chance;
use std::time::Duration;

/// Knows when to send next.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Over how long after midnight a day's upload is spread.
    spread: Duration,
    /// Since boot.
    due: Option<Duration>,
    /// Failed tries since the last that did not.
    failures: u32,
}

/// Nobody sends a day before all clocks that may send it agree that it is over.
pub const MARGIN: Duration = Duration::from_secs(600);

/// What waits at start is sent within this time.
const START_SPREAD: Duration = Duration::from_secs(3_600);

/// Who disciplines a clock does so within this time, where there is anybody.
const ASK_AFTER: Duration = Duration::from_secs(300);

/// Over how long the questions for the time are spread.
const ASK_SPREAD: Duration = Duration::from_secs(900);

// === impl Schedule ===

impl Schedule {
    /// Nothing to send.
    #[must_use]
    pub const fn new(spread: Duration) -> Self {
        Self {
            spread,
            due: None,
            failures: 0,
        }
    }

    /// When to send next, since boot; `None` while there is nothing to send.
    #[must_use]
    pub const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// A day was over `since_midnight` ago, and there is something to send of it. What is due already
    /// takes it along.
    pub fn day_over(&mut self, now: Duration, since_midnight: Duration, chance: &mut dyn Chance) {
        if self.due.is_none() {
            let moment = MARGIN + below(self.spread, chance);
            let wait = moment.saturating_sub(since_midnight);
            // One that learns of it late comes at no moment that others share either.
            let wait = if wait.is_zero() {
                below(START_SPREAD, chance)
            } else {
                wait
            };
            self.due = Some(now + wait);
        }
    }

    /// Something waits from before.
    pub fn found(&mut self, now: Duration, chance: &mut dyn Chance) {
        if self.due.is_none() {
            self.due = Some(now + below(START_SPREAD, chance));
        }
    }

    /// Nothing waits, and nobody vouches for the clock: the collector can tell the time.
    pub fn undated(&mut self, now: Duration, chance: &mut dyn Chance) {
        if self.due.is_none() {
            self.due = Some(now + ASK_AFTER + below(ASK_SPREAD, chance));
        }
    }

    /// It could not be sent; the collector may have asked for a pause.
    pub fn failed(&mut self, now: Duration, asked_seconds: Option<u64>, chance: &mut dyn Chance) {
        self.failures = self.failures.saturating_add(1);
        self.due = Some(now + later(self.failures, asked_seconds, chance));
    }

    /// All was sent.
    pub const fn done(&mut self) {
        self.due = None;
        self.failures = 0;
    }
}

/// A duration below `bound`, to the millisecond.
fn below(bound: Duration, chance: &mut dyn Chance) -> Duration {
    let mut random = [0; 8];
    chance.fill(&mut random);
    let bound_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(u64::from_be_bytes(random) % bound_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phonehome_proto::chance::SeededChance;

    const HOUR: Duration = Duration::from_secs(3_600);
    const SPREAD: Duration = Duration::from_secs(6 * 3_600);

    /// The largest share of these moments that falls into one minute, in thousandths.
    fn crowd(moments: &[Duration]) -> usize {
        let mut minutes = std::collections::BTreeMap::<u64, usize>::new();
        for moment in moments {
            *minutes.entry(moment.as_secs() / 60).or_default() += 1;
        }
        minutes
            .values()
            .max()
            .map_or(0, |most| most * 1_000 / moments.len())
    }

    #[test]
    fn a_days_end_sends_nobody_in_the_same_minute() {
        let due = |seed| {
            let mut schedule = Schedule::new(SPREAD);
            let late = Duration::from_secs(seed % 5);
            schedule.day_over(late, late, &mut SeededChance::new(seed));
            schedule.due().expect("there is something to send")
        };
        let moments: Vec<_> = (0..20_000).map(due).collect();
        assert!(
            moments
                .iter()
                .all(|due| (MARGIN..MARGIN + SPREAD).contains(due))
        );
        // 360 minutes: an even share is 2.8 thousandths.
        assert!(crowd(&moments) <= 6, "{}", crowd(&moments));
    }

    #[test]
    fn who_learns_of_a_day_late_does_not_come_at_once() {
        let due = |seed| {
            let mut schedule = Schedule::new(HOUR);
            schedule.day_over(5 * HOUR, 5 * HOUR, &mut SeededChance::new(seed));
            schedule.due().expect("there is something to send") - 5 * HOUR
        };
        let moments: Vec<_> = (0..10_000).map(due).collect();
        assert!(moments.iter().all(|due| *due < HOUR));
        assert!(crowd(&moments) <= 25, "{}", crowd(&moments));
    }

    #[test]
    fn an_outage_of_three_days_gathers_no_crowd() {
        // All homes find the collector gone at their first try after midnight, and try until it is back.
        let outage_end = 72 * HOUR;
        let mut returns = Vec::new();
        let mut tries = 0;
        for seed in 0..2_000 {
            let mut chance = SeededChance::new(seed);
            let mut schedule = Schedule::new(SPREAD);
            schedule.day_over(Duration::ZERO, Duration::ZERO, &mut chance);
            let back = loop {
                let now = schedule.due().expect("it was not sent yet");
                if now >= outage_end {
                    break now;
                }
                tries += 1;
                schedule.failed(now, None, &mut chance);
            };
            returns.push(back - outage_end);
        }
        assert!(returns.iter().all(|back| *back <= SPREAD + MARGIN));
        // Six hours are 360 minutes; the first are fuller, because a wait that began early ends early.
        assert!(crowd(&returns) <= 14, "{}", crowd(&returns));
        // Nor does a home that waits bother anybody: some thirty tries in three days.
        assert!(tries / 2_000 <= 40, "{}", tries / 2_000);
    }

    #[test]
    fn what_is_due_takes_the_next_day_along() {
        let mut chance = SeededChance::new(1);
        let mut schedule = Schedule::new(SPREAD);
        schedule.found(HOUR, &mut chance);
        let due = schedule.due();
        schedule.day_over(2 * HOUR, Duration::ZERO, &mut chance);
        assert_eq!(schedule.due(), due);
        schedule.done();
        assert_eq!(schedule.due(), None);
    }
}
