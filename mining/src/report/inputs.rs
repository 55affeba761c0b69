//! The inputs of a run with their hashes, for its manifest.
//!
//! A segment's hash is that of its rows, which its footer states: by it partials are named, and uploads are checked. So a miner that
//! reads two columns does not read all bodies for its manifest's sake. Whether footers tell the truth is what `etl verify` looks at.

use anyhow::{Context, Result};
use archive::FileEntry;
use rayon::prelude::*;

use crate::source::{Input, Source, hash_file};

/// Segments that were read, with hash, size and rows; where a footer states no hash, with that of the file.
pub fn entries(source: &Source) -> Result<Vec<FileEntry>> {
    let entry = |Input { segment, rows, hash }: Input| {
        let sha256 = match &hash {
            Some(_) => String::new(),
            None => {
                hash_file(&segment.path).with_context(|| format!("cannot read segment {}", segment.path.display()))?
            }
        };
        Ok(FileEntry { path: source.name(segment), sha256, hash, bytes: segment.bytes, rows: Some(rows) })
    };
    source.inputs().into_par_iter().map(entry).collect()
}
