//! Values of a result as text and as JSON.

use polars::prelude::{AnyValue, TimeUnit};
use serde_json::{Map, Value, json};

/// Bytes of a binary value that a table for people shows.
const SHOWN: usize = 12;

/// A value for a table or a CSV; nothing for null. `whole` gives all bytes of a binary value.
pub fn text(value: &AnyValue<'_>, whole: bool) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(text) => (*text).to_owned(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::Binary(bytes) if whole => hex::encode(bytes),
        AnyValue::Binary(bytes) => format!("{}… {} bytes", hex::encode(&bytes[..bytes.len().min(SHOWN)]), bytes.len()),
        AnyValue::BinaryOwned(bytes) => text(&AnyValue::Binary(bytes), whole),
        AnyValue::Boolean(_) | AnyValue::Int64(_) | AnyValue::Float64(_) => plain(value),
        _ => match json(value) {
            Value::String(text) => text,
            other => other.to_string(),
        },
    }
}

fn plain(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Float64(x) => x.to_string(),
        other => other.to_string(),
    }
}

/// A value as JSON: times as RFC 3339, binary values in hexadecimal, what is no number as null.
pub fn json(value: &AnyValue<'_>) -> Value {
    match value {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(b) => json!(b),
        AnyValue::String(text) => json!(text),
        AnyValue::StringOwned(text) => json!(text.as_str()),
        AnyValue::Binary(bytes) => json!(hex::encode(bytes)),
        AnyValue::BinaryOwned(bytes) => json!(hex::encode(bytes)),
        AnyValue::Int8(n) => json!(n),
        AnyValue::Int16(n) => json!(n),
        AnyValue::Int32(n) => json!(n),
        AnyValue::Int64(n) => json!(n),
        AnyValue::UInt8(n) => json!(n),
        AnyValue::UInt16(n) => json!(n),
        AnyValue::UInt32(n) => json!(n),
        AnyValue::UInt64(n) => json!(n),
        AnyValue::Float32(x) => json!(x),
        AnyValue::Float64(x) => json!(x),
        AnyValue::Datetime(at, unit, zone) => time(*at, *unit, zone.is_some()),
        AnyValue::DatetimeOwned(at, unit, zone) => time(*at, *unit, zone.is_some()),
        AnyValue::List(series) => Value::Array(series.iter().map(|item| json(&item)).collect()),
        AnyValue::Struct(..) | AnyValue::StructOwned(_) => fields(value),
        other => json!(other.to_string()),
    }
}

fn fields(value: &AnyValue<'_>) -> Value {
    let mut object = Map::new();
    match value {
        AnyValue::StructOwned(owned) => {
            for (value, field) in owned.0.iter().zip(&owned.1) {
                object.insert(field.name().to_string(), json(value));
            }
        }
        AnyValue::Struct(_, _, fields) => {
            for (value, field) in value._iter_struct_av().zip(fields.iter()) {
                object.insert(field.name().to_string(), json(&value));
            }
        }
        _ => {}
    }
    Value::Object(object)
}

fn time(at: i64, unit: TimeUnit, utc: bool) -> Value {
    let micros = match unit {
        TimeUnit::Nanoseconds => at.div_euclid(1000),
        TimeUnit::Microseconds => at,
        TimeUnit::Milliseconds => at.saturating_mul(1000),
    };
    let Some(time) = chrono::DateTime::from_timestamp_micros(micros) else { return Value::Null };
    let text = time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    json!(if utc { text } else { text.trim_end_matches('Z').to_owned() })
}
