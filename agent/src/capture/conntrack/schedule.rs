//! When the connection table is read, and what a reading was worth.
//!
//! A state machine without a socket: it is told what happened and says what to listen to. `tick` is
//! monotonic time since any fixed point.
//!
//! Promises: 1. At most one reading goes on at a time. 2. In one period at most `1 + RETRIES_MAX`
//! readings begin, whatever is lost, refused or left unanswered, and none begins in between without
//! such a cause. 3. A reading that may lack an entry is not called whole.

use std::time::Duration;

/// How often the table is read anew.
pub const PERIOD: Duration = Duration::from_secs(30);

/// How many readings may follow in a period that did not yield what they should.
pub const RETRIES_MAX: u32 = 3;

/// How long one waits for the next part of a reading.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How many events are taken between the end of a reading and saying so, at most: those that
/// happened meanwhile. More than a full receive buffer of [`super::RECEIVE_BYTES`] holds.
pub const EVENTS_BEHIND_MAX: u32 = 16_384;

/// What is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ear {
    /// Events.
    Events,
    /// The answers of a reading, and no event meanwhile: what a reading shows is older than the
    /// events that wait.
    Answers,
    /// Events that happened during the reading that is over.
    EventsBehind,
}

/// The state of readings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    phase: Phase,
    /// The beginning of the next period.
    next_period: Duration,
    retries: u32,
    /// A reading is wanted before the next period.
    is_wanted: bool,
    /// One reading was whole.
    was_whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Listening,
    Reading { deadline: Duration, is_spoilt: bool },
    Catching { left: u32 },
}

// === impl Schedule ===

impl Schedule {
    /// Wants a reading at once.
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Listening,
            next_period: Duration::ZERO,
            retries: 0,
            is_wanted: false,
            was_whole: false,
        }
    }

    pub(super) const fn ear(&self) -> Ear {
        match self.phase {
            Phase::Listening => Ear::Events,
            Phase::Reading { .. } => Ear::Answers,
            Phase::Catching { .. } => Ear::EventsBehind,
        }
    }

    /// Whether all that was there when the agent began has been seen.
    pub(super) const fn was_whole(&self) -> bool {
        self.was_whole
    }

    /// When something will be due if nothing is heard.
    pub(super) fn due(&self) -> Duration {
        match self.phase {
            Phase::Listening if self.is_wanted && self.retries > 0 => Duration::ZERO,
            Phase::Listening => self.next_period,
            Phase::Reading { deadline, .. } => deadline,
            Phase::Catching { .. } => Duration::ZERO,
        }
    }

    /// Whether a reading is to begin now; then `begun` or `cannot` is to be called.
    pub(super) fn wants_reading(&self, tick: Duration) -> bool {
        self.phase == Phase::Listening && tick >= self.due()
    }

    /// A reading was asked for.
    pub(super) fn begun(&mut self, tick: Duration) {
        if tick >= self.next_period {
            self.next_period = tick + PERIOD;
            self.retries = RETRIES_MAX;
        } else {
            self.retries = self
                .retries
                .checked_sub(1)
                .expect("a reading is wanted while it may be");
        }
        self.is_wanted = false;
        self.phase = Phase::Reading {
            deadline: tick + PATIENCE,
            is_spoilt: false,
        };
    }

    /// A reading could not even be asked for, and never can be again.
    pub(super) fn cannot(&mut self) {
        self.next_period = Duration::MAX;
        self.retries = 0;
        self.phase = Phase::Listening;
    }

    /// A part of the reading has come.
    pub(super) fn heard(&mut self, tick: Duration) {
        if let Phase::Reading { deadline, .. } = &mut self.phase {
            *deadline = tick + PATIENCE;
        }
    }

    /// A part of the reading is missing or could not be read.
    pub(super) fn spoil(&mut self) {
        if let Phase::Reading { is_spoilt, .. } = &mut self.phase {
            *is_spoilt = true;
        }
    }

    /// The reading is over; whether it is whole.
    pub(super) fn done(&mut self) -> bool {
        let Phase::Reading { is_spoilt, .. } = self.phase else {
            return false;
        };
        if is_spoilt {
            self.is_wanted = true;
            self.phase = Phase::Listening;
            return false;
        }
        self.phase = Phase::Catching {
            left: EVENTS_BEHIND_MAX,
        };
        true
    }

    /// The reading was refused, or nobody answers: whether it was given up.
    pub(super) fn gives_up(&mut self, tick: Duration) -> bool {
        if !matches!(self.phase, Phase::Reading { deadline, .. } if tick >= deadline) {
            return false;
        }
        self.broken();
        true
    }

    /// The reading ended before its end.
    pub(super) fn broken(&mut self) {
        self.is_wanted = true;
        self.phase = Phase::Listening;
    }

    /// Events are missing: what they would have said is in the table, or gone with it.
    pub(super) fn overrun(&mut self) {
        self.is_wanted = true;
    }

    /// An event was taken.
    pub(super) fn caught(&mut self) {
        if let Phase::Catching { left } = &mut self.phase {
            *left -= 1;
        }
    }

    /// Whether the events that happened during the reading are all taken, `is_silent` when there is
    /// none left.
    pub(super) fn is_caught_up(&mut self, is_silent: bool) -> bool {
        let Phase::Catching { left } = self.phase else {
            return false;
        };
        if !is_silent && left > 0 {
            return false;
        }
        self.phase = Phase::Listening;
        self.was_whole = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Lets an hour pass in steps, and counts the readings; `fate` says what becomes of each.
    fn readings_in_an_hour(fate: impl Fn(&mut Schedule, Duration)) -> u32 {
        let mut schedule = Schedule::new();
        let mut readings = 0;
        for step in 0..36_000u32 {
            let tick = Duration::from_millis(100) * step;
            // However often one looks at the same moment.
            for _ in 0..20 {
                if schedule.wants_reading(tick) {
                    schedule.begun(tick);
                    readings += 1;
                }
                fate(&mut schedule, tick);
            }
        }
        readings
    }

    fn is_whole(schedule: &mut Schedule) {
        schedule.done();
        schedule.is_caught_up(true);
    }

    #[test]
    fn without_trouble_the_table_is_read_once_a_period() {
        assert_eq!(readings_in_an_hour(|schedule, _| is_whole(schedule)), 120);
    }

    #[test]
    fn no_trouble_makes_it_spin() {
        let periods = 120;
        let worst = periods * (1 + RETRIES_MAX);
        let refused = readings_in_an_hour(|schedule, _| schedule.broken());
        assert_eq!(refused, worst);
        let spoilt = readings_in_an_hour(|schedule, _| {
            schedule.spoil();
            schedule.done();
        });
        assert_eq!(spoilt, worst);
        let overrun = readings_in_an_hour(|schedule, _| {
            is_whole(schedule);
            schedule.overrun();
        });
        assert_eq!(overrun, worst);
        // Five seconds of patience each: after four of them ten are left of thirty.
        let silent = readings_in_an_hour(|schedule, tick| {
            schedule.gives_up(tick);
        });
        assert_eq!(silent, worst);
        assert_eq!(readings_in_an_hour(|schedule, _| schedule.cannot()), 1);
    }

    #[test]
    fn what_was_lost_is_read_at_once() {
        let mut schedule = Schedule::new();
        assert!(schedule.wants_reading(seconds(0)));
        schedule.begun(seconds(0));
        assert_eq!(schedule.ear(), Ear::Answers);
        assert!(schedule.done());
        assert_eq!(
            (schedule.ear(), schedule.was_whole()),
            (Ear::EventsBehind, false)
        );
        schedule.overrun();
        assert!(schedule.is_caught_up(true) && schedule.was_whole());
        assert!(
            schedule.wants_reading(seconds(1)),
            "events were lost meanwhile"
        );
        schedule.begun(seconds(1));
        is_whole(&mut schedule);
        assert!(!schedule.wants_reading(seconds(29)));
        assert_eq!(schedule.due(), seconds(30));
        assert!(schedule.wants_reading(seconds(30)));
    }

    #[test]
    fn a_spoilt_reading_is_not_whole() {
        let mut schedule = Schedule::new();
        schedule.begun(seconds(0));
        schedule.spoil();
        assert!(!schedule.done());
        assert!(!schedule.is_caught_up(true) && !schedule.was_whole());
    }

    #[test]
    fn patience_is_for_each_part() {
        let mut schedule = Schedule::new();
        schedule.begun(seconds(0));
        schedule.heard(seconds(4));
        assert!(!schedule.gives_up(seconds(6)));
        assert!(schedule.gives_up(seconds(9)));
        assert!(!schedule.gives_up(seconds(9)), "once");
    }

    #[test]
    fn events_behind_a_reading_do_not_go_on_for_ever() {
        let mut schedule = Schedule::new();
        schedule.begun(seconds(0));
        schedule.done();
        for _ in 0..EVENTS_BEHIND_MAX {
            assert!(!schedule.is_caught_up(false));
            schedule.caught();
        }
        assert!(schedule.is_caught_up(false));
    }
}
