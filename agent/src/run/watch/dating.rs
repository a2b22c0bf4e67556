//! When things were: a router's clock, believed only while somebody vouches for it.
//!
//! A router without a clock of its own boots in 1970, or where it was switched off, and is set some
//! time later. Pure: takes [`Reading`]s of its clocks and the collector's signed word on the time,
//! gives *home time*, which is wall time plus a shift, and says when home time moves. The rules:
//!
//! 1. Until somebody vouches for the wall clock nothing has a date. Home time goes on all the same,
//!    evenly, from wherever the wall clock stood first.
//! 2. Three vouch: the kernel, when whoever disciplines it says so; a marker file that the NTP hotplug
//!    script touches; and the collector's signed word. From then on what was seen before is dated too,
//!    by [`Turn::Dated`].
//! 3. A believed clock that is set again is followed once somebody vouches for it anew
//!    ([`Turn::Set`]); until then home time goes on evenly. What was told under the old date keeps it,
//!    what goes on gets the new one; a day that comes twice is told in two parts, which the collector
//!    unites.
//! 4. The collector never overrules a kernel or marker that vouch: they differ, and nothing is sent
//!    until they agree ([`Judgement::Differs`]).

use crate::capture::clock::Reading;
use phonehome_proto::limits;
use phonehome_proto::time::{Day, Timestamp};

/// Who says that a clock is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// The kernel.
    Kernel,
    /// The marker file.
    Marker,
    /// The collector.
    Collector,
}

/// Home time moved: nothing that was seen lies where it lay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// For the first time there are dates; what had none is so many nanoseconds later.
    Dated {
        /// How far home time moved.
        moved_nanos: i64,
    },
    /// The clock was set; what was told keeps its date.
    Set {
        /// How far home time moved.
        moved_nanos: i64,
    },
}

/// Where home time stands, for whoever only reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Home time less time since boot, in nanoseconds.
    pub offset_nanos: i64,
    /// Who vouches for it; nobody as long as nothing has a date.
    pub voucher: Option<Voucher>,
}

/// The collector's signed word on the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The time.
    pub theirs: Timestamp,
    /// Nanoseconds since boot when it said so.
    pub since_boot_nanos: u64,
}

/// What the collector's word on the time comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is ours too, within the skew that all allow for.
    Agrees,
    /// It is better than ours, for which nobody else vouches.
    Better,
    /// It differs from one that somebody vouches for, by so many seconds; more when theirs is later.
    Differs {
        /// Theirs less ours.
        seconds: i64,
    },
}

/// Keeps home time.
#[derive(Clone, Debug, Default)]
pub struct Dating {
    /// Home time less wall time.
    shift_nanos: i64,
    /// Wall time less time since boot, when last looked at.
    base_nanos: Option<i64>,
    voucher: Option<Voucher>,
    marker: Option<Timestamp>,
    /// Whether the marker was touched since the clock was last set.
    does_marker_vouch: bool,
    /// How far the wall clock was set last, and when since boot.
    last_set: Option<LastSet>,
}

#[derive(Clone, Copy, Debug)]
struct LastSet {
    by_nanos: i64,
    since_boot_nanos: i64,
}

// === impl Dating ===

impl Dating {
    /// Looks at the clocks; `marker` is when the marker file was last touched, if it is there.
    pub fn look(&mut self, reading: Reading, marker: Option<Timestamp>) -> Option<Turn> {
        let base = reading.wall.nanos().saturating_sub(since_boot(reading));
        let set_by = base.saturating_sub(self.base_nanos.replace(base).unwrap_or(base));
        if set_by.saturating_abs() > SET_NANOS_MIN {
            self.shift_nanos = self.shift_nanos.saturating_sub(set_by);
            self.last_set = Some(LastSet {
                by_nanos: set_by,
                since_boot_nanos: since_boot(reading),
            });
            self.does_marker_vouch = false;
        }
        if marker != self.marker {
            self.marker = marker;
            self.does_marker_vouch = marker.is_some();
        }
        let voucher = self.vouched(reading)?;
        let was_dated = self.voucher.replace(voucher).is_some();
        let moved_nanos = std::mem::take(&mut self.shift_nanos).saturating_neg();
        match (was_dated, moved_nanos) {
            (false, _) => Some(Turn::Dated { moved_nanos }),
            (true, 0) => None,
            (true, _) => Some(Turn::Set { moved_nanos }),
        }
    }

    /// Who vouches for the wall clock as it stands, the collector aside.
    fn vouched(&self, reading: Reading) -> Option<Voucher> {
        if reading.wall < EARLIEST {
            None
        } else if reading.is_synchronised {
            Some(Voucher::Kernel)
        } else {
            self.does_marker_vouch.then_some(Voucher::Marker)
        }
    }

    /// Believes the collector's word, where it is [`Judgement::Better`]. [`Dating::look`] at the same
    /// reading first.
    pub fn learn(&mut self, word: Word, reading: Reading) -> Option<Turn> {
        let since = reading
            .since_boot_nanos
            .saturating_sub(word.since_boot_nanos);
        let theirs = moved(word.theirs, i64::try_from(since).unwrap_or(i64::MAX));
        if self.stand(reading).judge(theirs, reading) != Judgement::Better {
            return None;
        }
        let moved_nanos = theirs.nanos_since(self.now(reading));
        self.shift_nanos = self.shift_nanos.saturating_add(moved_nanos);
        Some(match self.voucher.replace(Voucher::Collector) {
            None => Turn::Dated { moved_nanos },
            Some(_) => Turn::Set { moved_nanos },
        })
    }

    /// Home time now. [`Dating::look`] at the same reading first.
    #[must_use]
    pub fn now(&self, reading: Reading) -> Timestamp {
        self.date(reading.wall)
    }

    /// The home time of what the kernel stamped with this wall time.
    #[must_use]
    pub fn date(&self, stamp: Timestamp) -> Timestamp {
        moved(stamp, self.shift_nanos)
    }

    /// The wall time, by the clock as it stands now, of a frame stamped a moment ago: a frame that waited
    /// while the clock was set has its stamp from the clock before. [`Dating::look`] at the same reading
    /// first.
    #[must_use]
    pub fn restamp(&self, stamp: Timestamp, reading: Reading) -> Timestamp {
        let age = |stamp: Timestamp| reading.wall.nanos_since(stamp).saturating_abs();
        let Some(set) = self.last_set else {
            return stamp;
        };
        let passed = since_boot(reading).saturating_sub(set.since_boot_nanos);
        if passed > WAITED_NANOS_MAX || age(stamp) <= RESTAMP_NANOS_MIN {
            return stamp;
        }
        // All that waited move alike, so that what lies between two of them stays as it was.
        let restamped = moved(stamp, set.by_nanos);
        if age(restamped) < age(stamp) {
            restamped
        } else {
            stamp
        }
    }

    /// Whether what is seen now has a date.
    #[must_use]
    pub const fn is_dated(&self) -> bool {
        self.voucher.is_some()
    }

    /// Where home time stands.
    #[must_use]
    pub fn stand(&self, reading: Reading) -> Stand {
        Stand {
            offset_nanos: self
                .now(reading)
                .nanos()
                .saturating_sub(since_boot(reading)),
            voucher: self.voucher,
        }
    }
}

// === impl Voucher ===

impl Voucher {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Marker => "marker",
            Self::Collector => "collector",
        }
    }
}

// === impl Stand ===

impl Stand {
    /// Home time when the clocks read so; of them only the time since boot counts.
    #[must_use]
    pub fn time(&self, reading: Reading) -> Timestamp {
        Timestamp::from_nanos(self.offset_nanos.saturating_add(since_boot(reading)))
    }

    /// What the collector's word comes to, said when the clocks read so.
    #[must_use]
    pub fn judge(&self, theirs: Timestamp, reading: Reading) -> Judgement {
        let seconds = theirs.nanos_since(self.time(reading)) / 1_000_000_000;
        match self.voucher {
            Some(_) if seconds.abs() <= limits::SKEW_SECONDS_MAX => Judgement::Agrees,
            None | Some(Voucher::Collector) => Judgement::Better,
            Some(Voucher::Kernel | Voucher::Marker) => Judgement::Differs { seconds },
        }
    }
}

// === impl Turn ===

impl Turn {
    /// How far home time moved.
    #[must_use]
    pub const fn moved_nanos(self) -> i64 {
        match self {
            Self::Dated { moved_nanos } | Self::Set { moved_nanos } => moved_nanos,
        }
    }
}

/// `stamp`, so many nanoseconds later; saturates.
#[must_use]
pub fn moved(stamp: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(stamp.nanos().saturating_add(nanos))
}

fn since_boot(reading: Reading) -> i64 {
    i64::try_from(reading.since_boot_nanos).unwrap_or(i64::MAX)
}

/// Whoever disciplines a clock moves it by half a millisecond a second; what moves further between
/// two looks was set.
const SET_NANOS_MIN: i64 = 500_000_000;

/// The longest that a frame waits to be looked at, and then some.
const WAITED_NANOS_MAX: i64 = 30_000_000_000;

/// A stamp that is less off than this may be right.
const RESTAMP_NANOS_MIN: i64 = 3_000_000_000;

/// Whether the wall clock was set between two readings.
#[must_use]
pub fn is_set(before: Reading, now: Reading) -> bool {
    let base = |reading: Reading| reading.wall.nanos().saturating_sub(since_boot(reading));
    base(now).saturating_sub(base(before)).saturating_abs() > SET_NANOS_MIN
}

/// Nobody can vouch for an earlier time than this agent was written at: 2026-01-01.
const EARLIEST: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// The day of a home time; home time before 1970 is the first day of all.
#[must_use]
pub fn day_of(time: Timestamp) -> Day {
    time.day()
        .unwrap_or_else(|| Day::new(0).expect("the first day of all"))
}

#[cfg(test)]
mod tests;
