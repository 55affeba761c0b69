//! Report runs: a folder that is finished only when `_SUCCESS` stands in it, and the manifest that says how it was made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{DataDir, Result};

/// One input or output file of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path, relative to the data directory (inputs) or to the run's folder (outputs).
    pub path: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
    /// Rows, where the file is a table.
    pub rows: Option<u64>,
}

/// How a report was made: `manifest.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Start and end, RFC 3339 UTC.
    pub started: String,
    /// End.
    pub finished: String,
    /// Wall time, seconds.
    pub wall_seconds: f64,
    /// CPU time of the process, seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory, bytes.
    pub peak_memory: u64,
}

/// A finished run that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Miner.
    pub miner: String,
    /// Span as it stands in the path: `day=2026-11-21` or `from=…,to=…`.
    pub span: String,
    /// Run id.
    pub run: String,
    /// Folder.
    pub path: PathBuf,
}

impl Run {
    /// Finished runs of a miner (all miners with `None`), oldest first.
    pub fn list(_data: &DataDir, _miner: Option<&str>) -> Result<Vec<Run>> {
        todo!()
    }

    /// The run's manifest.
    pub fn manifest(&self) -> Result<Manifest> {
        todo!()
    }
}
