//! How much time has passed, by packets whose time may jump.
//!
//! A capture's clock is set, steps back when it is corrected, and now and then one frame is stamped
//! with nonsense. What has *passed* must not follow: else one bad frame would end every flow. So
//! there are two readings:
//!
//! - [`PacketClock::passed`] is believed: it follows the median of the last three packets' times, so
//!   that one wild time counts for nothing. A step back is no time at all, and so is a leap that only
//!   the setting of a clock explains. What *ends* things asks it.
//! - [`PacketClock::stamp`] is the latest packet's own: what *begins* with a packet is dated by it,
//!   else the first packet after a silence would look as old as the silence. It may be wild, once.

use phonehome_proto::time::Timestamp;

/// Turns the times of packets into time passed.
#[derive(Clone, Debug, Default)]
pub(super) struct PacketClock {
    /// The last two times seen.
    seen: Option<[Timestamp; 2]>,
    /// The time last believed, and what had passed by then.
    believed: Option<Timestamp>,
    passed: Tick,
    stamp: Tick,
}

/// Nanoseconds since the first packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

// === impl PacketClock ===

impl PacketClock {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes the time of the next packet.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let [older, old] = self.seen.unwrap_or([now, now]);
        self.seen = Some([old, now]);
        let median = older.min(old).max(older.max(old).min(now));
        let believed = *self.believed.get_or_insert(median);
        let moved = median.nanos_since(believed);
        self.passed = self.passed.plus(moved);
        // Slight disorder waits until time has caught up; a longer way back is a clock that was set.
        if !(-DISORDER_NANOS_MAX..0).contains(&moved) {
            self.believed = Some(median);
        }
        self.stamp = self.passed.plus(now.nanos_since(median.max(believed)));
    }

    /// What has certainly passed since the first packet; never goes back.
    pub(super) const fn passed(&self) -> Tick {
        self.passed
    }

    /// When the latest packet was, by its own time; never before [`PacketClock::passed`].
    pub(super) const fn stamp(&self) -> Tick {
        self.stamp
    }
}

// === impl Tick ===

impl Tick {
    /// Later than any that packets make.
    pub(super) const MAX: Self = Self(u64::MAX);

    /// Nanoseconds from `earlier` to here; 0 when `earlier` is later.
    pub(super) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many seconds later.
    pub(super) const fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_nanos(seconds.saturating_mul(1_000_000_000))
    }

    /// So many nanoseconds later.
    pub(super) const fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Moved by what a clock moved, if that can be time passing.
    fn plus(self, moved_nanos: i64) -> Self {
        match u64::try_from(moved_nanos) {
            Ok(nanos) if nanos <= SILENCE_NANOS_MAX => Self(self.0.saturating_add(nanos)),
            _ => self,
        }
    }
}

/// Files put together from several interfaces are out of order by less than this.
const DISORDER_NANOS_MAX: i64 = 10_000_000_000;

/// A capture may pause for a week; what leaps further is a clock that was set.
const SILENCE_NANOS_MAX: u64 = 7 * 86_400 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NANOS: u64 = 1_000_000_000;

    /// Seconds passed after each of these times, in seconds.
    fn passed(times: &[i64]) -> Vec<u64> {
        let mut clock = PacketClock::new();
        let mut advance = |time: &i64| {
            clock.advance(Timestamp::from_seconds(*time));
            assert!(clock.stamp() >= clock.passed());
            clock.passed().since(Tick::default()) / NANOS
        };
        times.iter().map(&mut advance).collect()
    }

    #[test]
    fn passes_with_the_packets_one_behind() {
        assert_eq!(passed(&[100, 101, 102, 110]), [0, 0, 1, 2]);
    }

    #[test]
    fn one_wild_time_is_no_time() {
        assert_eq!(
            passed(&[100, 100, 9_000, 101, 102, 103]),
            [0, 0, 0, 1, 2, 2]
        );
        assert_eq!(passed(&[100, 100, 0, 101, 102, 103]), [0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn a_clock_set_back_goes_on_from_there() {
        assert_eq!(
            passed(&[1_000, 1_000, 1_001, 5, 6, 7, 8, 9]),
            [0, 0, 0, 0, 0, 0, 1, 2]
        );
    }

    #[test]
    fn a_silence_passes_and_a_clock_set_forward_does_not() {
        assert_eq!(
            passed(&[100, 100, 9_000, 9_001, 9_002]),
            [0, 0, 0, 8_900, 8_901]
        );
        assert_eq!(
            passed(&[100, 100, 1 << 30, 1 << 30, (1 << 30) + 1]),
            [0, 0, 0, 0, 0]
        );
        let set = [0, 0, 1 << 30, (1 << 30) + 1, (1 << 30) + 2, (1 << 30) + 3];
        assert_eq!(passed(&set), [0, 0, 0, 0, 1, 2]);
    }

    #[test]
    fn slight_disorder_goes_neither_way() {
        assert_eq!(passed(&[100, 103, 101, 104, 102, 105]), [0, 0, 1, 3, 3, 4]);
    }

    #[test]
    fn the_first_packet_after_a_silence_is_dated_by_its_own_time() {
        let mut clock = PacketClock::new();
        for time in [100, 101, 700] {
            clock.advance(Timestamp::from_seconds(time));
        }
        assert_eq!(clock.passed().since(Tick::default()) / NANOS, 1);
        assert_eq!(clock.stamp().since(Tick::default()) / NANOS, 600);
    }
}
