//! The time that records carry: the system's, or what a test says it is. Deadlines and delays never use it.

use anyhow::Result;
use bus::clock::Clock as BusClock;
use program::Misuse;

/// Environment variable with the time that is "now" when the process starts (RFC 3339), for tests.
const TEST_CLOCK: &str = "KAFKASPIDER_TEST_CLOCK";

/// A clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    shift_ms: i64,
}

impl Clock {
    /// The system's clock, unless a test has set another time.
    pub fn from_environment() -> Result<Clock> {
        let Ok(text) = std::env::var(TEST_CLOCK) else { return Ok(Clock::default()) };
        match BusClock::parse(&text).map_err(|e| Misuse::new(format!("{TEST_CLOCK}: {e}")))? {
            BusClock::Shifted(shift_ms) => Ok(Clock { shift_ms }),
            _ => Ok(Clock::default()),
        }
    }

    /// The same for the bus.
    pub fn for_bus(&self) -> BusClock {
        if self.shift_ms == 0 { BusClock::System } else { BusClock::Shifted(self.shift_ms) }
    }

    /// Microseconds since 1970 UTC.
    pub fn micros(&self) -> i64 {
        chrono::Utc::now().timestamp_micros().saturating_add(self.shift_ms.saturating_mul(1000))
    }

    /// Milliseconds since 1970 UTC.
    pub fn millis(&self) -> i64 {
        self.micros() / 1000
    }

    /// Seconds since 1970 UTC.
    pub fn seconds(&self) -> i64 {
        self.micros().div_euclid(1_000_000)
    }
}

/// A time for people and JSON, from milliseconds since 1970 UTC.
pub fn text(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
