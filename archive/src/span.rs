//! A span of days, as it stands in the path of a report.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::{Day, Error};

/// A span of days, both ends included; prints as `day=2026-11-21` or `from=2026-11-01,to=2026-11-21`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    from: Day,
    to: Day,
}

impl Span {
    /// One day.
    pub fn day(day: Day) -> Span {
        Span { from: day, to: day }
    }

    /// From one day to another, in whichever order they are given.
    pub fn new(one: Day, other: Day) -> Span {
        Span { from: one.min(other), to: one.max(other) }
    }

    /// First day.
    pub fn from(self) -> Day {
        self.from
    }

    /// Last day.
    pub fn to(self) -> Day {
        self.to
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "day={}", self.from)
        } else {
            write!(f, "from={},to={}", self.from, self.to)
        }
    }
}

impl FromStr for Span {
    type Err = Error;

    fn from_str(span: &str) -> Result<Self, Error> {
        let parsed = match span.strip_prefix("day=") {
            Some(day) => day.parse().ok().map(Span::day),
            None => span.strip_prefix("from=").and_then(|span| {
                let (from, to) = span.split_once(",to=")?;
                Some(Span::new(from.parse().ok()?, to.parse().ok()?))
            }),
        };
        parsed.filter(|parsed| parsed.to_string() == span).ok_or_else(|| {
            Error::invalid(Path::new(span), "is not a span: day=2026-11-21 or from=2026-11-01,to=2026-11-21")
        })
    }
}
