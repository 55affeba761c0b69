//! The inputs of a run with their hashes, for its manifest.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};
use archive::{FileEntry, Segment};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::source::Source;

/// Segments that were read, with hash, size and rows.
pub fn entries(source: &Source) -> Result<Vec<FileEntry>> {
    source.inputs().into_par_iter().map(|(segment, rows)| entry(source, segment, rows)).collect()
}

fn entry(source: &Source, segment: &Segment, rows: u64) -> Result<FileEntry> {
    let path = source.name(segment);
    let sha256 = hash(segment).with_context(|| format!("cannot read segment {}", segment.path.display()))?;
    Ok(FileEntry { path, sha256, bytes: segment.bytes, rows: Some(rows) })
}

/// SHA-256 of the file.
fn hash(segment: &Segment) -> std::io::Result<String> {
    let mut file = File::open(&segment.path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}
