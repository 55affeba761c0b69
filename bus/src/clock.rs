//! The clock that append times come from. Tests set it; deadlines never use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where "now" comes from, in milliseconds since 1970 UTC.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// The system's clock, shifted by this many milliseconds.
    Shifted(i64),
    /// A clock that a test moves by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that says `text` (RFC 3339) now, and goes on from there.
    pub fn parse(text: &str) -> Result<Clock, String> {
        let at = chrono::DateTime::parse_from_rfc3339(text.trim())
            .map_err(|e| format!("`{text}` is not a time such as 2026-11-21T23:59:00Z: {e}"))?;
        Ok(Clock::Shifted(at.timestamp_millis() - chrono::Utc::now().timestamp_millis()))
    }

    /// Milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        let system = chrono::Utc::now().timestamp_millis();
        match self {
            Clock::System => system,
            Clock::Shifted(by) => system.saturating_add(*by),
            Clock::Manual(at) => at.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_clock_says_that_time_and_goes_on() {
        let clock = Clock::parse("2031-02-03T23:59:00+01:00").unwrap();
        let want = 1_927_925_940_000;
        assert!((want..want + 60_000).contains(&clock.now()), "{}", clock.now());
        for wrong in ["", "2031-02-03", "2031-02-03T23:59:00", "tomorrow"] {
            assert!(Clock::parse(wrong).unwrap_err().contains("2026-11-21T23:59:00Z"));
        }
    }
}
