//! What the summary of every command says in JSON, besides its own counts.

use std::time::Duration;

use anyhow::{Context, Result};
use program::Usage;
use serde::Serialize;
use serde_json::Value;

/// The counts, with what the run took: `seconds`, `cpu_seconds` and `peak_memory` in bytes.
pub fn json(counts: &impl Serialize, elapsed: Duration, usage: &Usage) -> Result<Value> {
    let mut json = serde_json::to_value(counts).context("cannot print the summary")?;
    json["seconds"] = elapsed.as_secs_f64().into();
    json["cpu_seconds"] = usage.cpu_seconds.into();
    json["peak_memory"] = usage.peak_memory_bytes.into();
    Ok(json)
}
