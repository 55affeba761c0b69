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
    /// Milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        let system = chrono::Utc::now().timestamp_millis();
        match self {
            Clock::System => system,
            Clock::Shifted(by) => system + by,
            Clock::Manual(at) => at.load(Ordering::Relaxed),
        }
    }
}
