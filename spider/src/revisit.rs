//! When a URL is fetched again: after a failure, and when its page may have changed.

use std::time::{Duration, SystemTime};

/// First interval between visits of a page, seconds.
const FIRST: i64 = 7 * 24 * 3600;
/// Shortest interval, seconds.
const SHORTEST: i64 = 3600;
/// Longest interval, seconds.
const LONGEST: i64 = 90 * 24 * 3600;
/// First interval after a failure that may pass, seconds; each further one in a row doubles it.
pub const SOON: i64 = 600;
/// Longest interval after such failures, seconds.
const LATEST: i64 = 24 * 3600;
/// Longest wait between attempts, and longest Retry-After that is honoured.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Interval until the next visit, seconds. It adapts to the page: half after a change, half as much again without one
/// (a multiplicative rule as in Cho and Garcia-Molina, "Effective page refresh policies", 2003, made simple). `before`
/// is 0 for a first visit; `changed` is unknown when there was nothing to compare with.
pub fn interval(before: i64, changed: Option<bool>) -> i64 {
    let next = match (before, changed) {
        (0, _) => FIRST,
        (before, None) => before,
        (before, Some(true)) => before / 2,
        (before, Some(false)) => before.saturating_add(before / 2),
    };
    next.clamp(SHORTEST, LONGEST)
}

/// Interval after a visit that failed for a reason that may pass, seconds. `before` is the interval before, 0 when the
/// visit before did not fail.
pub fn after_failure(before: i64) -> i64 {
    if before == 0 { SOON } else { before.saturating_mul(2).clamp(SOON, LATEST) }
}

/// Wait after the failed attempt number `attempts` (from 1): twice as long each time.
pub fn backoff(first: Duration, attempts: u32) -> Duration {
    let doubled = 2u32.saturating_pow(attempts.saturating_sub(1));
    first.saturating_mul(doubled).min(LONGEST_WAIT)
}

/// Value of Retry-After (RFC 9110, section 10.2.3), seconds or a date, at most an hour.
pub fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            date.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_follows_the_page_and_stays_within_bounds() {
        assert_eq!(interval(0, None), FIRST);
        assert_eq!(interval(FIRST, Some(true)), FIRST / 2);
        assert_eq!(interval(FIRST, Some(false)), FIRST + FIRST / 2);
        assert_eq!(interval(SHORTEST, Some(true)), SHORTEST);
        assert_eq!(interval(LONGEST, Some(false)), LONGEST);
        assert_eq!(interval(i64::MAX, Some(false)), LONGEST);
    }

    #[test]
    fn failures_that_may_pass_are_tried_again_soon_and_then_less_often() {
        let mut interval = 0;
        let mut intervals = Vec::new();
        for _ in 0..9 {
            interval = after_failure(interval);
            intervals.push(interval / 60);
        }
        assert_eq!(intervals, [10, 20, 40, 80, 160, 320, 640, 1280, 1440]);
    }

    #[test]
    fn waits_double_and_end() {
        let first = Duration::from_secs(2);
        assert_eq!([1, 2, 3].map(|n| backoff(first, n).as_secs()), [2, 4, 8]);
        assert_eq!(backoff(first, u32::MAX), LONGEST_WAIT);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_clamped() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 99999999 "), Some(LONGEST_WAIT));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("Tue, 31 Dec 2999 23:59:59 GMT"), Some(LONGEST_WAIT));
        assert_eq!(retry_after("soon"), None);
    }
}
