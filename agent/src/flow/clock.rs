//! How much time has passed, by packets whose time may jump.
//!
//! A capture's clock is set, steps back when it is corrected, and now and then one frame is stamped
//! with nonsense. What has *passed* must not follow: else one bad frame would end every flow. The
//! clock here believes a time only when two of the last three packets stand behind it (their
//! median), moves forwards by what the median moved, and takes a step back as no time at all.

use phonehome_proto::time::Timestamp;

/// Turns the times of packets into time passed.
#[derive(Clone, Debug, Default)]
pub(super) struct PacketClock {
    /// The last two times seen.
    seen: Option<[Timestamp; 2]>,
    /// The time last believed.
    believed: Option<Timestamp>,
    tick: Tick,
}

/// Nanoseconds since the first packet, never going back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

// === impl PacketClock ===

impl PacketClock {
    /// A clock that has not seen a packet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes the time of the next packet and gives what has passed since the first.
    pub(super) fn advance(&mut self, now: Timestamp) -> Tick {
        let [older, old] = self.seen.unwrap_or([now, now]);
        self.seen = Some([old, now]);
        let median = older.min(old).max(older.max(old).min(now));
        let believed = *self.believed.get_or_insert(median);
        let passed = median.nanos_since(believed);
        if let Ok(passed) = u64::try_from(passed) {
            self.tick = Tick(self.tick.0.saturating_add(passed));
            self.believed = Some(median);
        } else if passed < -DISORDER_NANOS_MAX {
            // The clock was set back: time goes on from there.
            self.believed = Some(median);
        }
        self.tick
    }

    /// What has passed since the first packet.
    pub(super) const fn tick(&self) -> Tick {
        self.tick
    }
}

// === impl Tick ===

impl Tick {
    /// Nanoseconds from `earlier` to here; 0 when `earlier` is later.
    pub(super) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many seconds later.
    pub(super) const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000_000)))
    }
}

/// Files put together from several interfaces are out of order by less than this.
const DISORDER_NANOS_MAX: i64 = 10_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds passed after each of these times, in seconds.
    fn passed(times: &[i64]) -> Vec<u64> {
        let mut clock = PacketClock::new();
        times
            .iter()
            .map(|&time| {
                clock
                    .advance(Timestamp::from_seconds(time))
                    .since(Tick::default())
                    / 1_000_000_000
            })
            .collect()
    }

    #[test]
    fn passes_with_the_packets_one_behind() {
        assert_eq!(passed(&[100, 101, 102, 110]), [0, 0, 1, 2]);
    }

    #[test]
    fn one_wild_time_is_no_time() {
        assert_eq!(
            passed(&[100, 100, 4_000_000, 101, 102, 103]),
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
    fn a_clock_set_forward_is_believed_from_the_second_packet() {
        assert_eq!(
            passed(&[100, 100, 9_000, 9_001, 9_002]),
            [0, 0, 0, 8_900, 8_901]
        );
    }

    #[test]
    fn slight_disorder_goes_neither_way() {
        assert_eq!(passed(&[100, 103, 101, 104, 102, 105]), [0, 0, 1, 3, 3, 4]);
    }
}
