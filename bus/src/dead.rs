//! Dead letters: a record that could not be handled, kept with its bytes and the reason.

use crate::topic::{DEAD_LETTERS, MAX_DEAD_LETTER};
use crate::{Delivered, Headers, Output, Record};

/// Longest error text, bytes.
const MAX_ERROR: usize = 4 << 10;

/// The dead letter of a record: its key, bytes and headers as they were, and besides `dl_topic`, `dl_partition`,
/// `dl_offset`, `dl_program`, `dl_error` and `dl_time` (`time`, milliseconds since 1970 UTC, as RFC 3339).
///
/// A record within its limit is kept whole. Of a larger one as much is kept as a dead letter may hold, and
/// `dl_truncated` says how many bytes key, value and headers had.
pub fn dead_letter(of: &Delivered, program: &str, error: &str, time: i64) -> Output {
    let error = &error[..floor_boundary(error, MAX_ERROR)];
    let time = chrono::DateTime::from_timestamp_millis(time).unwrap_or_default();
    let mut own = Headers::default();
    own.push("dl_topic", of.topic.clone());
    own.push("dl_partition", of.partition.to_string());
    own.push("dl_offset", of.offset.to_string());
    own.push("dl_program", program.to_owned());
    own.push("dl_error", error.to_owned());
    own.push("dl_time", time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    let record = fit(&of.record, own);
    Output { topic: DEAD_LETTERS.into(), partition: 0, record }
}

/// The record with the further headers; cut where it would not fit: value first, then headers from the end, then key.
fn fit(record: &Record, mut own: Headers) -> Record {
    let whole = with(record, &own);
    if whole.size() <= MAX_DEAD_LETTER {
        return whole;
    }
    own.push("dl_truncated", record.size().to_string());
    let mut cut = with(record, &own);
    let mut excess = cut.size() - MAX_DEAD_LETTER;
    if let Some(value) = &mut cut.value {
        let kept = value.len().saturating_sub(excess);
        excess -= value.len() - kept;
        value.truncate(kept);
    }
    let mut theirs = record.headers.0.len();
    while excess > 0 && theirs > 0 {
        theirs -= 1;
        let (name, value) = cut.headers.0.remove(theirs);
        excess = excess.saturating_sub(name.len() + value.len());
    }
    cut.key.truncate(cut.key.len().saturating_sub(excess));
    cut
}

fn with(record: &Record, own: &Headers) -> Record {
    let mut record = record.clone();
    record.headers.0.extend(own.0.iter().cloned());
    record
}

/// The largest length at most `at` that ends between characters.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(key: usize, value: usize, header: usize) -> Delivered {
        let headers = Headers(vec![("ce_id".into(), "1".into()), ("http-headers".into(), vec![3; header].into())]);
        let record = Record { key: vec![1; key].into(), value: Some(vec![2; value].into()), headers };
        Delivered { topic: "artefacts".into(), partition: 3, offset: 77, time: 0, epoch: 1, record }
    }

    #[test]
    fn a_record_within_its_limit_is_kept_whole() {
        let d = delivered(100, crate::topic::MAX_RECORD - 1_000, 800);
        let error = "ä".repeat(MAX_ERROR);
        let letter = dead_letter(&d, "etl/stage", &error, 1_700_000_000_123);
        assert_eq!((letter.topic.as_str(), letter.partition), (DEAD_LETTERS, 0));
        assert_eq!((&letter.record.key, &letter.record.value), (&d.record.key, &d.record.value));
        let h = &letter.record.headers;
        assert_eq!(h.0[..2], d.record.headers.0[..]);
        let want = [("topic", "artefacts"), ("partition", "3"), ("offset", "77"), ("program", "etl/stage")];
        for (name, value) in want {
            assert_eq!(h.text(&format!("dl_{name}")), Some(value));
        }
        assert_eq!(h.text("dl_time"), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(h.text("dl_error"), Some(&*"ä".repeat(MAX_ERROR / 2)));
        assert_eq!(h.get("dl_truncated"), None);
        assert!(crate::limits::check(&[letter]).is_ok());
    }

    #[test]
    fn a_larger_one_is_cut_to_fit() {
        for (key, value, header) in [(9, 20 << 20, 50), (9, 5, 20 << 20), (20 << 20, 5, 5), (9 << 20, 9 << 20, 9 << 20)]
        {
            let d = delivered(key, value, header);
            let letter = dead_letter(&d, "p", "e", 0);
            assert_eq!(letter.record.headers.text("dl_truncated"), Some(&*d.record.size().to_string()));
            assert_eq!(letter.record.headers.text("dl_offset"), Some("77"));
            assert!(letter.record.size() <= MAX_DEAD_LETTER);
            assert!(crate::limits::check(&[letter]).is_ok());
        }
    }
}
