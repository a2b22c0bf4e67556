//! Time: UTC only, as three nouns: the moment, the day and the ISO week.
//!
//! A [`Timestamp`] dates things in files and on the wire, a [`Day`] is the finest time that leaves a
//! home, a [`Week`] is the unit of publication (ISO 8601). Conversions never fail inside the years
//! 1970 to 2199; what lies outside is refused where it enters. Clocks are values: pure stages take
//! `now`, and only `run` modules hold a [`Clock`].

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

const DAY_SECONDS: i64 = 86_400;

/// Nanoseconds since 1970-01-01T00:00:00Z; negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A UTC calendar day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

/// An ISO 8601 week, written `2026-W46`; it begins on Monday 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week {
    /// The Monday it begins with.
    monday: Day,
}

/// A text that is not a week.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'{0}' is not an ISO week: write it like 2026-W46")]
pub struct NotAWeek(String);

// === impl Timestamp ===

impl Timestamp {
    /// So many nanoseconds after (or, negative, before) the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// So many whole seconds after the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Moved by so many seconds; saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000_000)))
    }

    /// Nanoseconds from `earlier` to here; negative when `earlier` is later.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The UTC day it falls on; `None` before 1970.
    #[must_use]
    #[inline]
    pub fn day(self) -> Option<Day> {
        u32::try_from(self.seconds().div_euclid(DAY_SECONDS))
            .ok()
            .map(Day)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with microseconds, `2026-11-22T09:09:59.000001Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
        let second = seconds.rem_euclid(DAY_SECONDS);
        let micros = self.0.rem_euclid(1_000_000_000) / 1_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z",
            second / 3_600,
            second / 60 % 60,
            second % 60
        )
    }
}

// === impl Day ===

impl Day {
    /// The last day there is, 2199-12-31: a timestamp ends in the year 2262.
    pub const LAST: Self = Self(84_005);

    /// The day so many days after 1970-01-01; `None` past the year 2199.
    #[must_use]
    pub fn new(days: u32) -> Option<Self> {
        (days <= Self::LAST.0).then_some(Self(days))
    }

    /// Days since 1970-01-01, as on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// 00:00 UTC, the first moment of the day.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::from_seconds(self.0 as i64 * DAY_SECONDS)
    }

    /// The first moment after the day.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.start().plus_seconds(DAY_SECONDS)
    }

    /// The day before; the first day of all stays.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// So many days later.
    #[must_use]
    pub const fn plus(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The first day of its month.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a day of a month is 1 to 31"
    )]
    pub const fn month_start(self) -> Self {
        let (_, _, day) = civil_from_days(self.0 as i64);
        Self(self.0 - (day as u32 - 1))
    }

    /// The week it belongs to.
    #[must_use]
    pub const fn week(self) -> Week {
        // 1970-01-01 was a Thursday: three days after its Monday, which lies before the epoch.
        let since_monday = (self.0 + 3) % 7;
        Week {
            monday: Self(self.0.saturating_sub(since_monday)),
        }
    }
}

impl fmt::Display for Day {
    /// `2026-11-22`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(i64::from(self.0));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

// === impl Week ===

impl Week {
    /// Monday 00:00 UTC.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.monday.start()
    }

    /// T in the week's clock: the Monday 00:00 UTC after it.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.monday.start().plus_seconds(7 * DAY_SECONDS)
    }

    /// Its seven days, Monday first.
    pub fn days(self) -> impl Iterator<Item = Day> {
        (0..7).map(move |offset| self.monday.plus(offset))
    }

    /// The Monday it begins with.
    #[must_use]
    pub const fn monday(self) -> Day {
        self.monday
    }

    /// The week after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            monday: self.monday.plus(7),
        }
    }

    /// ISO year and week number, 1 to 53.
    #[must_use]
    pub fn year_and_number(self) -> (i64, u32) {
        // A week belongs to the year its Thursday lies in.
        let thursday = self.monday.0 + 3;
        let (year, ..) = civil_from_days(i64::from(thursday));
        let first = days_from_civil(year, 1, 1);
        let number = (i64::from(thursday) - first) / 7 + 1;
        (
            year,
            u32::try_from(number).expect("a week number lies between 1 and 53"),
        )
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, number) = self.year_and_number();
        write!(f, "{year:04}-W{number:02}")
    }
}

impl FromStr for Week {
    type Err = NotAWeek;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || NotAWeek(text.to_owned());
        let (year, number) = text.split_once("-W").ok_or_else(refuse)?;
        let digits = |s: &str, len| s.len() == len && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(number, 2) {
            return Err(refuse());
        }
        let (year, number): (i64, i64) = (
            year.parse().map_err(|_| refuse())?,
            number.parse().map_err(|_| refuse())?,
        );
        // The 4th of January always lies in week 1.
        let fourth = days_from_civil(year, 1, 4);
        let first_monday = fourth - (fourth + 3).rem_euclid(7);
        let monday = u32::try_from(first_monday + (number - 1) * 7).map_err(|_| refuse())?;
        let week = Self {
            monday: Day::new(monday).ok_or_else(refuse)?,
        };
        // Refuses week 0, and week 53 of a year that has 52.
        if week.to_string() == text {
            Ok(week)
        } else {
            Err(refuse())
        }
    }
}

// === clocks ===

/// Something that knows the wall time.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[allow(
            clippy::disallowed_methods,
            reason = "the one home of the system's clock"
        )]
        let now = std::time::SystemTime::now();
        let nanos = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        };
        Timestamp(nanos)
    }
}

/// A clock that moves only when told; its clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock standing at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Sets every clone to `now`, which may lie before.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === the calendar ===

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01 (same source).
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        // 2026-11-22 is a Sunday, the last day of week 47.
        let day = Timestamp::from_seconds(1_795_338_599)
            .day()
            .expect("after 1970");
        assert_eq!(day.to_string(), "2026-11-22");
        assert_eq!(day.week().to_string(), "2026-W47");
        assert_eq!(
            Timestamp::from_nanos(-1).to_string(),
            "1969-12-31T23:59:59.999999Z"
        );
        // 2027-01-01 is a Friday and belongs to 2026-W53; 2024-12-30 to 2025-W01.
        assert_eq!(
            "2026-W53".parse::<Week>().map(|w| w.monday().to_string()),
            Ok("2026-12-28".into())
        );
        assert_eq!(
            "2025-W01".parse::<Week>().map(|w| w.monday().to_string()),
            Ok("2024-12-30".into())
        );
        for wrong in [
            "2025-W53", "2026-W00", "2026-W54", "2026W46", "+026-W01", "1969-W01", "",
        ] {
            assert!(wrong.parse::<Week>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn weeks_parse_as_printed(days in 4_u32..84_000) {
            let day = Day::new(days).expect("in range");
            let week = day.week();
            prop_assert!(week.days().any(|d| d == day));
            prop_assert_eq!(week.to_string().parse::<Week>(), Ok(week));
            prop_assert_eq!(day.start().day(), Some(day));
            prop_assert_eq!(day.end().day(), Some(day.plus(1)));
        }
    }
}
