//! Reads a segment's rows for documents, a few megabytes at a time, and its bodies, a few at a time.

use anyhow::{Context, Result, bail};
use archive::schema::{Kind, columns};
use archive::{DataSet, MENDS};
use arrow::array::{Array, BinaryViewArray, Int64Array, StringArray};
use sha2::{Digest, Sha256};

use crate::columns::array;
use crate::extract::source::{batch_size, selection};
use crate::mongo::document::Rows;
use crate::segment_reader::{SegmentReader, batches};

/// Rows that are decoded at once.
const ROWS: usize = 250;
/// Bytes that are decoded at once, about: few enough to stay in the processor's cache until they are documents.
const BYTES: i64 = 1 << 20;

/// Gives all rows, without bodies, to `take`; it says false to stop. False when it stopped.
pub fn rows(reader: &SegmentReader, set: DataSet, mut take: impl FnMut(Rows) -> Result<bool>) -> Result<bool> {
    let names: Vec<&str> = columns(set).iter().filter(|c| c.kind != Kind::Binary).map(|c| c.name).collect();
    let mask: Vec<usize> = names.iter().map(|name| reader.column(name)).collect::<Result<_>>()?;
    for group in 0..reader.metadata().num_row_groups() {
        let facts = reader.metadata().row_group(group);
        let bytes: i64 = mask.iter().map(|column| facts.column(*column).uncompressed_size()).sum();
        let each = (bytes / facts.num_rows().max(1)).max(1);
        let size = usize::try_from(BYTES / each).unwrap_or(ROWS).clamp(1, ROWS);
        let batched = reader.columns(&names)?.with_row_groups(vec![group]).with_batch_size(size).build()?;
        for batch in batches(reader.path(), batched) {
            let rows = Rows::new(set, &batch?).with_context(|| format!("in {}", reader.path().display()))?;
            if !take(rows)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A body as the segment holds it.
pub struct Body<'a> {
    /// SHA-256, hexadecimal.
    pub id: &'a str,
    /// The same.
    pub digest: [u8; 32],
    /// Bytes.
    pub bytes: &'a [u8],
}

/// Whether bodies have to be compared with their SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Each one.
    Each,
    /// The file was, which is several times smaller.
    File,
}

impl Check {
    /// Compares the file with its footer, if that says what it was.
    pub fn of(reader: &SegmentReader) -> Result<Check> {
        Ok(if reader.is_as_sealed()? { Check::File } else { Check::Each })
    }
}

/// Gives the bodies that are `wanted` to `take`; it says false to stop. False when it stopped.
pub fn bodies(
    reader: &SegmentReader,
    check: Check,
    mut wanted: impl FnMut(&str) -> bool,
    mut take: impl FnMut(Body<'_>) -> Result<bool>,
) -> Result<bool> {
    let path = reader.path();
    for group in 0..reader.metadata().num_row_groups() {
        let (mut chosen, mut sizes, mut ids, mut first) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let small = reader.columns(&["body_sha256", "body_bytes"])?.with_row_groups(vec![group]);
        for batch in batches(path, small.with_batch_size(4096).build()?) {
            let batch = batch?;
            let (texts, bytes): (StringArray, Int64Array) =
                (array(&batch, "body_sha256")?, array(&batch, "body_bytes")?);
            for i in (0..batch.num_rows()).filter(|i| wanted(texts.value(*i))) {
                chosen.push(first + i);
                sizes.push(bytes.value(i).max(0));
                ids.push(texts.value(i).to_owned());
            }
            first += batch.num_rows();
        }
        if chosen.is_empty() {
            continue;
        }
        let bodies = reader.views("body")?.with_row_groups(vec![group]).with_row_selection(selection(&chosen));
        let mut ids = ids.iter();
        for batch in batches(path, bodies.with_batch_size(batch_size(&sizes)).build()?) {
            let bodies: BinaryViewArray = array(&batch?, "body")?;
            for (i, id) in (0..bodies.len()).zip(&mut ids) {
                let bytes = bodies.value(i);
                let mut digest = [0; 32];
                let is_hash = hex::decode_to_slice(id, &mut digest).is_ok();
                if !is_hash || check == Check::Each && digest[..] != Sha256::digest(bytes)[..] {
                    bail!("{} is damaged: a body is not the one of SHA-256 {id}; {MENDS}", path.display());
                }
                if !take(Body { id, digest, bytes })? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}
