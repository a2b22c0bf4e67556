//! The UTC days on which a device was seen to do something of its own.
//!
//! Of each day the first and the last moment are kept: where the clock turns out to have been wrong, a
//! day so far becomes two at most, and these two moments lie in them.

use super::DAYS_MAX;
use phonehome_proto::time::{Day, Timestamp};

/// When one device was present.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    /// The first and the last moment of each day, in order.
    days: Vec<(Day, [Timestamp; 2])>,
    /// When the day noted last ends, if it is the last of all: nearly every moment lies on it.
    latest_end: Option<Timestamp>,
}

// === impl Presence ===

impl Presence {
    /// Notes a moment; `false` when it lies on one day too many. A moment before 1970 is on none.
    #[inline]
    pub(super) fn note(&mut self, now: Timestamp) -> bool {
        if let Some((_, [first, last])) = self.days.last_mut()
            && *first <= now
            && self.latest_end.is_some_and(|end| now < end)
        {
            *last = now.max(*last);
            return true;
        }
        self.note_day(now)
    }

    fn note_day(&mut self, now: Timestamp) -> bool {
        let Some(day) = now.day() else { return true };
        match self.days.binary_search_by_key(&day, |(known, _)| *known) {
            Ok(at) => {
                let (_, [first, last]) = &mut self.days[at];
                *first = now.min(*first);
                *last = now.max(*last);
            }
            Err(_) if self.days.len() >= DAYS_MAX => return false,
            Err(at) => self.days.insert(at, (day, [now; 2])),
        }
        let latest = self.days.last().expect("a day was noted");
        self.latest_end = Some(latest.0.end());
        true
    }

    /// The days, in order.
    pub(super) fn days(&self) -> impl Iterator<Item = Day> + '_ {
        self.days.iter().map(|(day, _)| *day)
    }

    /// Drops the days before this one.
    pub(super) fn forget_before(&mut self, day: Day) {
        self.days.retain(|(known, _)| *known >= day);
    }

    /// Moves all moments by what the clock was wrong.
    pub(super) fn redate(&mut self, moved: impl Fn(Timestamp) -> Timestamp) {
        for (_, moments) in std::mem::take(&mut self.days) {
            for moment in moments {
                self.note(moved(moment));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_day_of_the_wrong_clock_becomes_two_where_midnight_lay_between() {
        let mut presence = Presence::default();
        for hour in [1, 9, 20] {
            presence.note(Timestamp::from_seconds(hour * 3_600));
        }
        // Midnight was when the clock said ten.
        let delta_seconds = 20_000 * 86_400 + 14 * 3_600;
        presence.redate(|moment| moment.plus_seconds(delta_seconds));
        let days: Vec<_> = presence.days().map(Day::number).collect();
        assert_eq!(days, [20_000, 20_001]);
    }

    proptest! {
        /// Whatever the delta: the days are those of the moments themselves.
        #[test]
        fn days_come_out_as_if_the_clock_had_been_right(
            moments in prop::collection::vec(0_i64..5 * 86_400, 1..40),
            delta_seconds in 0_i64..40_000 * 86_400,
        ) {
            let (mut wrong, mut right) = (Presence::default(), Presence::default());
            for seconds in moments {
                wrong.note(Timestamp::from_seconds(seconds));
                right.note(Timestamp::from_seconds(seconds + delta_seconds));
            }
            wrong.redate(|moment| moment.plus_seconds(delta_seconds));
            prop_assert_eq!(wrong.days().collect::<Vec<_>>(), right.days().collect::<Vec<_>>());
        }
    }
}
