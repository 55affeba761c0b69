//! What is shown of a record.

use bus::Delivered;
use program::human;
use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Most bytes of a JSON value that are shown whole.
const MAX_JSON: usize = 64 << 10;
/// Most bytes of a header, a key or another text that are shown.
const MAX_TEXT: usize = 1 << 10;

/// A record, as far as it is shown.
pub struct Shown {
    topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
    /// Append time, milliseconds since 1970 UTC.
    pub time: i64,
    key: Part,
    headers: Vec<(String, Part)>,
    value: Part,
}

/// A key, a header or a value.
enum Part {
    /// A tombstone's value.
    None,
    Json(Value),
    /// Whole, or its beginning; with the size of the whole.
    Text(String, usize),
    /// Size, first bytes and SHA-256.
    Binary(usize, String, String),
}

impl Shown {
    /// Takes from a record what is shown of it.
    pub fn of(delivered: &Delivered) -> Shown {
        let record = &delivered.record;
        Shown {
            topic: delivered.topic.clone(),
            partition: delivered.partition,
            offset: delivered.offset,
            time: delivered.time,
            key: Part::of(&record.key),
            headers: record
                .headers
                .0
                .iter()
                .map(|(name, value)| (name.clone().into_owned(), Part::text_of(value)))
                .collect(),
            value: record.value.as_deref().map_or(Part::None, Part::of),
        }
    }

    /// True when key, a header or the value, as far as they are text, match.
    pub fn matches(delivered: &Delivered, re: &Regex) -> bool {
        let record = &delivered.record;
        let is_match = |bytes: &[u8]| text(bytes).is_some_and(|text| re.is_match(text));
        let header = |(name, value): &(std::borrow::Cow<'static, str>, bytes::Bytes)| {
            text(value).is_some_and(|value| re.is_match(&format!("{name}: {value}")))
        };
        is_match(&record.key) || record.headers.0.iter().any(header) || record.value.as_deref().is_some_and(is_match)
    }

    /// For people: place, time and key on one line, headers and value below.
    pub fn text(&self) -> String {
        let place = format!("{}-{}@{}", self.topic, self.partition, self.offset);
        let mut text = format!("{place}  {}  {}\n", self.rfc3339(), self.key.line());
        for (name, value) in &self.headers {
            text.push_str(&format!("  {}: {}\n", human::clean(name), value.line()));
        }
        match &self.value {
            Part::Json(value) => {
                let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
                for line in pretty.lines() {
                    text.push_str(&format!("  {}\n", human::clean(line)));
                }
            }
            value => text.push_str(&format!("  {}\n", value.line())),
        }
        text
    }

    /// For machines: one line.
    pub fn json(&self) -> Value {
        let headers: Vec<Value> = self.headers.iter().map(|(name, value)| json!([name, value.json()])).collect();
        json!({
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "time": self.rfc3339(),
            "key": self.key.json(),
            "headers": headers,
            "value": self.value.json(),
        })
    }

    fn rfc3339(&self) -> String {
        let time = chrono::DateTime::from_timestamp_millis(self.time).unwrap_or_default();
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }
}

/// Bytes as text, if they are some: UTF-8 without NUL.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

impl Part {
    fn of(bytes: &[u8]) -> Part {
        let structured = bytes.len() <= MAX_JSON && matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
        match structured.then(|| serde_json::from_slice(bytes)) {
            Some(Ok(value)) => Part::Json(value),
            _ => Part::text_of(bytes),
        }
    }

    fn text_of(bytes: &[u8]) -> Part {
        match text(bytes) {
            Some(text) => {
                let end = (0..=MAX_TEXT.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
                Part::Text(text[..end].to_owned(), text.len())
            }
            None => {
                let first = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
                Part::Binary(bytes.len(), first, hex::encode(Sha256::digest(bytes)))
            }
        }
    }

    fn line(&self) -> String {
        match self {
            Part::None => "(no value: a tombstone)".into(),
            Part::Json(value) => human::clean(&value.to_string()).into_owned(),
            Part::Text(text, 0) => text.clone(),
            Part::Text(text, size) if text.len() < *size => {
                format!("{} … ({} of text)", human::clean(text.trim()), human::bytes(*size as u64))
            }
            Part::Text(text, _) => human::clean(text.trim()).into_owned(),
            Part::Binary(size, first, sha256) => {
                format!("({} of binary, SHA-256 {sha256}, begins {first})", human::bytes(*size as u64))
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Part::None => Value::Null,
            Part::Json(value) => value.clone(),
            Part::Text(text, size) if text.len() == *size => json!(text),
            Part::Text(text, size) => json!({ "bytes": size, "begins": text }),
            Part::Binary(size, first, sha256) => json!({ "bytes": size, "begins_hex": first, "sha256": sha256 }),
        }
    }
}
