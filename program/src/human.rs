//! Numbers as people read them, and text that they can look at safely.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{DecimalBytes, HumanCount};

/// Bytes in powers of ten: `1.50 MB`.
pub fn bytes(n: u64) -> String {
    DecimalBytes(n).to_string()
}

/// A count with its thousands apart: `1,234,567`.
pub fn count(n: u64) -> String {
    HumanCount(n).to_string()
}

/// A duration in two units at most: `0.012 s`, `4.31 s`, `2 min 05 s`, `3 h 20 min`, `2 d 04 h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        return format!("{seconds:.3} s");
    }
    if seconds < 59.995 {
        return format!("{seconds:.2} s");
    }
    let whole = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match (whole / 86_400, whole / 3600, whole / 60) {
        (0, 0, minutes) => format!("{minutes} min {:02} s", whole % 60),
        (0, hours, minutes) => format!("{hours} h {:02} min", minutes % 60),
        (days, hours, _) => format!("{days} d {:02} h", hours % 24),
    }
}

/// Text from anywhere in one harmless line: control characters and those that change the direction of writing, which play
/// tricks on terminals, become spaces and �.
pub fn clean(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let harmless = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if harmful(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(harmless).collect()
}

/// How many of something in a second, such as `12.3 MB/s`; nothing happened in no time is `-`.
pub fn rate(n: u64, time: Duration, show: impl Fn(u64) -> String) -> String {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { format!("{}/s", show((n as f64 / seconds).round() as u64)) } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1_500_000), "1.50 MB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(3000, Duration::from_secs(2), count), "1,500/s");
        assert_eq!(rate(0, Duration::ZERO, count), "-");
    }

    #[test]
    fn text_from_anywhere_is_one_line_that_moves_no_cursor() {
        assert_eq!(clean("a\tb\nc\u{1b}[2Jd\u{202e}e ü"), "a b c�[2Jd�e ü");
        assert!(matches!(clean("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn durations_keep_two_units_and_never_show_sixty() {
        for (millis, text) in [
            (12, "0.012 s"),
            (4_310, "4.31 s"),
            (59_994, "59.99 s"),
            (59_999, "1 min 00 s"),
            (125_000, "2 min 05 s"),
            (3_599_999, "1 h 00 min"),
            (12_000_000, "3 h 20 min"),
            (187_200_000, "2 d 04 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
