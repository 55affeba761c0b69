//! How a report was made: `manifest.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One input or output file of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEntry {
    /// Path, relative to the data directory (inputs) or to the run's folder (outputs).
    pub path: String,
    /// SHA-256, hexadecimal; empty where the hash of its rows is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Hash of a segment's rows, as its footer states it: the sum of their hashes modulo 2^128, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Size.
    pub bytes: u64,
    /// Rows, where the file is a table.
    pub rows: Option<u64>,
}

/// How a report was made: `manifest.json`. Fields that an older or newer version does not know are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Miner.
    pub miner: String,
    /// Run id, UUIDv7.
    pub run: String,
    /// Arguments as given.
    pub arguments: Vec<String>,
    /// Versions by name: `kafkaspider`, `polars` …
    pub versions: BTreeMap<String, String>,
    /// Seed, where there is chance.
    pub seed: Option<u64>,
    /// Inputs.
    pub inputs: Vec<FileEntry>,
    /// Outputs, but for the manifest itself and `_SUCCESS`.
    pub outputs: Vec<FileEntry>,
    /// Start, RFC 3339 UTC.
    pub started: String,
    /// End, RFC 3339 UTC.
    pub finished: String,
    /// Wall time, seconds.
    pub wall_seconds: f64,
    /// CPU time of the process, seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory, bytes.
    pub peak_memory: u64,
}
