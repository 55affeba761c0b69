//! A day of the archive, in UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Milliseconds of a day. UTC as computers count it has no leap seconds.
const DAY_MILLIS: i64 = 86_400_000;

/// A day in UTC; prints as `2026-11-21`. Days of the years 0 to 9999 print and parse, and sort as their texts do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub NaiveDate);

impl Day {
    /// The day of a time in milliseconds since 1970 UTC; times outside the years 0 to 9999 fall on the nearest day.
    pub fn of_millis(millis: i64) -> Day {
        let days = millis.div_euclid(DAY_MILLIS);
        let epoch = NaiveDate::default();
        let date = if days < 0 {
            epoch.checked_sub_days(Days::new(days.unsigned_abs()))
        } else {
            epoch.checked_add_days(Days::new(days.unsigned_abs()))
        };
        let end = if days < 0 { first() } else { last() };
        Day(date.map_or(end, |date| date.clamp(first(), last())))
    }

    /// First millisecond of the day, since 1970 UTC.
    pub fn start_millis(self) -> i64 {
        self.0.and_time(NaiveTime::MIN).and_utc().timestamp_millis()
    }

    /// First millisecond after the day, since 1970 UTC.
    pub fn end_millis(self) -> i64 {
        self.start_millis() + DAY_MILLIS
    }

    /// The next day; the last one that prints has none and gives itself.
    pub fn next(self) -> Day {
        Day(self.0.succ_opt().map_or(last(), |date| date.min(last())))
    }

    /// The day before; the first one that prints has none and gives itself.
    pub fn previous(self) -> Day {
        Day(self.0.pred_opt().map_or(first(), |date| date.max(first())))
    }

    /// All days from this one to another, both included; none when the other comes before.
    pub fn to(self, last: Day) -> impl Iterator<Item = Day> {
        std::iter::successors(Some(self), |day| Some(day.next()).filter(|next| next != day))
            .take_while(move |day| *day <= last)
    }
}

/// 0000-01-01.
fn first() -> NaiveDate {
    NaiveDate::from_ymd_opt(0, 1, 1).unwrap_or(NaiveDate::MIN)
}

/// 9999-12-31.
fn last() -> NaiveDate {
    NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(day: &str) -> Result<Self, Error> {
        let parsed = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok().map(Day);
        // chrono takes more spellings than the one that is printed
        let printed = |parsed: &Day| (first()..=last()).contains(&parsed.0) && parsed.to_string() == day;
        parsed.filter(printed).ok_or_else(|| Error::Day(day.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Day {
    type Error = Error;

    fn try_from(day: String) -> Result<Self, Error> {
        day.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}
