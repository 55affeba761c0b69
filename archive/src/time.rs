//! The time, as it is written into small files.

use chrono::{SecondsFormat, Utc};

/// Now, RFC 3339 in UTC, to the second.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}
