//! A day of the archive, in UTC.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A day in UTC; prints as `2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub chrono::NaiveDate);

impl Day {
    /// The day of a time in milliseconds since 1970 UTC.
    pub fn of_millis(_millis: i64) -> Day {
        todo!()
    }

    /// First millisecond of the day, since 1970 UTC.
    pub fn start_millis(self) -> i64 {
        todo!()
    }

    /// The next day.
    pub fn next(self) -> Day {
        todo!()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d"))
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(_day: &str) -> Result<Self, Error> {
        todo!()
    }
}
