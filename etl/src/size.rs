//! Sizes, durations and times as people write them: `128MiB`, `10m`, `2026-11-21T06:00:00Z`, `2h`.

use std::time::Duration;

/// Bytes from `4096`, `64KiB`, `128MiB`, `1GiB`, `500kB`, `10MB`, `2GB` (also with a blank before the unit).
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a size; write it as 4096, 500kB or 128MiB");
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)
}

/// A duration from `90` (seconds), `90s`, `10m`, `2h`, `3d`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write it as 90s, 10m, 2h or 3d");
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let millis: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(millis)).map(Duration::from_millis).ok_or_else(wrong)
}

/// A time: RFC 3339, a day (its first moment, UTC), or how long before `now` it was. Milliseconds since 1970 UTC.
pub fn time(text: &str, now: i64) -> Result<i64, String> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    if let Ok(day) = text.parse::<archive::Day>() {
        return Ok(day.start_millis());
    }
    let ago = duration(text).ok().and_then(|ago| i64::try_from(ago.as_millis()).ok());
    match ago.and_then(|ago| now.checked_sub(ago)) {
        Some(time) => Ok(time),
        None => Err(format!(
            "{text:?} is not a time; write it as 2026-11-21T06:00:00Z, 2026-11-21, or 2h for two hours ago"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, want) in [
            ("0", 0),
            ("4096", 4096),
            ("64KiB", 65_536),
            ("128 MiB", 128 << 20),
            ("5MB", 5_000_000),
            ("1g", 1_000_000_000),
        ] {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MB", "1 XB", "99999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, want) in
            [("90", 90_000), ("90s", 90_000), ("10m", 600_000), ("2h", 7_200_000), ("3d", 259_200_000), ("5ms", 5)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(want)), "{text}");
        }
        for text in ["", "m", "-1s", "1.5h", "1w", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = 1_795_262_400_000;
        for (text, want) in [
            ("2026-11-21T12:00:00Z", now),
            ("2026-11-21T13:00:00+01:00", now),
            ("2026-11-21", now - 43_200_000),
            ("2h", now - 7_200_000),
        ] {
            assert_eq!(time(text, now), Ok(want), "{text}");
        }
        assert!(time("yesterday", now).is_err());
    }
}
