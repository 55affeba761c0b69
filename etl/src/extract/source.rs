//! Reads the artefacts of a segment that extraction needs, in chunks of bounded size.
//!
//! Per row group: first the small columns of all rows, by which the rows that matter are chosen (HTML with a body, and
//! redirects); then the bodies of these rows only, and the headers of the redirects. A chunk has at most 512 KiB of bodies, or
//! one body; the largest body is 15 MiB.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, BinaryArray, ListArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::page::is_redirect;
use super::tables::Artefacts;
use crate::columns;
use crate::segment_reader::{SegmentReader, batches};

/// Bodies of one chunk, bytes, unless one alone is larger.
const CHUNK_BYTES: usize = 512 << 10;
/// Rows of one chunk.
const CHUNK_ROWS: usize = 64;
/// Bodies that the reader decodes at once, bytes, unless one alone is larger.
const READ_BYTES: i64 = 2 << 20;

/// Rows to extract, with what is needed of them.
pub struct Chunk {
    artefacts: std::sync::Arc<Artefacts>,
    rows: Vec<Chosen>,
    bodies: Vec<BinaryArray>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Chosen {
    row: usize,
    /// Batch and place of its body.
    body: Option<(usize, usize)>,
    location: Option<String>,
}

impl Chunk {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of all bodies.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Artefact, body and target of a redirect.
    pub fn row(&self, i: usize) -> (super::tables::Artefact<'_>, Option<&[u8]>, Option<&str>) {
        let chosen = &self.rows[i];
        let body = chosen.body.map(|(batch, place)| self.bodies[batch].value(place));
        (self.artefacts.row(chosen.row), body, chosen.location.as_deref())
    }
}

/// Gives all chunks of a segment, in order, to `take`; it says false to stop.
pub fn chunks(path: &Path, mut take: impl FnMut(Chunk) -> bool) -> Result<()> {
    let reader = SegmentReader::open(path)?;
    for group in 0..reader.metadata().num_row_groups() {
        if !group_chunks(&reader, group, &mut take)? {
            break;
        }
    }
    Ok(())
}

fn group_chunks(reader: &SegmentReader, group: usize, take: &mut impl FnMut(Chunk) -> bool) -> Result<bool> {
    let path = reader.path();
    let small = reader.columns(&Artefacts::COLUMNS)?.with_row_groups(vec![group]).with_batch_size(4096).build()?;
    let small = batches(path, small).collect::<Result<Vec<_>>>()?;
    let Some(first) = small.first() else { return Ok(true) };
    let artefacts =
        Artefacts::of(&concat_batches(&first.schema(), &small)?).with_context(|| format!("in {}", path.display()))?;
    let artefacts = std::sync::Arc::new(artefacts);

    let rows: Vec<usize> = (0..artefacts.len()).filter(|i| is_wanted(&artefacts, *i)).collect();
    let redirects: Vec<usize> =
        rows.iter().copied().filter(|i| artefacts.row(*i).status.is_some_and(is_redirect)).collect();
    let mut locations = locations(reader, group, &redirects)?;
    let with_body: Vec<usize> = rows.iter().copied().filter(|i| may_be_page(&artefacts, *i)).collect();
    let sizes: Vec<i64> = with_body.iter().map(|i| artefacts.row(*i).body_bytes).collect();
    let bodies = reader
        .columns(&["body"])?
        .with_row_groups(vec![group])
        .with_row_selection(selection(&with_body))
        .with_batch_size(batch_size(&sizes))
        .build()?;
    let mut bodies = batches(path, bodies);

    let new = || Chunk { artefacts: artefacts.clone(), rows: Vec::new(), bodies: Vec::new(), bytes: 0 };
    let mut chunk = new();
    // Bodies of the batch at hand that were not given out yet.
    let mut next = 0;
    for row in rows {
        let mut body = None;
        if may_be_page(&artefacts, row) {
            if chunk.bodies.last().is_none_or(|batch| next == batch.len()) {
                if (chunk.bytes >= CHUNK_BYTES || chunk.rows.len() >= CHUNK_ROWS)
                    && !take(std::mem::replace(&mut chunk, new()))
                {
                    return Ok(false);
                }
                let batch: RecordBatch =
                    bodies.next().with_context(|| format!("{} ends too early", path.display()))??;
                let batch: BinaryArray = columns::array(&batch, "body")?;
                chunk.bytes += batch.value_data().len();
                chunk.bodies.push(batch);
                next = 0;
            }
            body = Some((chunk.bodies.len() - 1, next));
            next += 1;
        }
        chunk.rows.push(Chosen { row, body, location: locations.remove(&row) });
    }
    Ok(chunk.rows.is_empty() || take(chunk))
}

fn may_be_page(artefacts: &Artefacts, i: usize) -> bool {
    let a = artefacts.row(i);
    // Where the server said no type, the body has to be looked at.
    a.body_bytes > 0 && a.content_type.is_none_or(|said| web::is_html(Some(said), &[]))
}

fn is_wanted(artefacts: &Artefacts, i: usize) -> bool {
    may_be_page(artefacts, i) || artefacts.row(i).status.is_some_and(is_redirect)
}

/// The `Location` headers of some rows.
fn locations(reader: &SegmentReader, group: usize, rows: &[usize]) -> Result<HashMap<usize, String>> {
    let mut found = HashMap::new();
    if rows.is_empty() {
        return Ok(found);
    }
    let headers = reader.columns(&["headers"])?.with_row_groups(vec![group]);
    let headers = headers.with_row_selection(selection(rows)).with_batch_size(256).build()?;
    let mut rows = rows.iter();
    for batch in batches(reader.path(), headers) {
        let lists: ListArray = columns::array(&batch?, "headers")?;
        let pairs = lists.values().as_struct();
        let (names, values): (&StringArray, &StringArray) = (pairs.column(0).as_string(), pairs.column(1).as_string());
        for (i, row) in (0..lists.len()).zip(&mut rows) {
            let place = lists.value_offsets()[i] as usize..lists.value_offsets()[i + 1] as usize;
            let mut headers = place.map(|j| (names.value(j), values.value(j)));
            if let Some((_, location)) = headers.find(|(name, _)| name.eq_ignore_ascii_case("location")) {
                found.insert(*row, location.to_owned());
            }
        }
    }
    Ok(found)
}

/// Picks rows, given in ascending order.
pub(crate) fn selection(rows: &[usize]) -> RowSelection {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut at = 0;
    for row in rows {
        if *row > at {
            selectors.push(RowSelector::skip(row - at));
        }
        match selectors.last_mut() {
            Some(last) if !last.skip => last.row_count += 1,
            _ => selectors.push(RowSelector::select(1)),
        }
        at = row + 1;
    }
    RowSelection::from(selectors)
}

/// How many bodies the reader may decode at once: no batch of so many is over the limit, unless it is one body.
pub(crate) fn batch_size(sizes: &[i64]) -> usize {
    let mut size = CHUNK_ROWS;
    while size > 1 && sizes.chunks(size).any(|batch| batch.iter().sum::<i64>() > READ_BYTES) {
        size /= 2;
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_selected_as_runs() {
        let runs =
            |rows: &[usize]| -> Vec<(usize, bool)> { selection(rows).iter().map(|s| (s.row_count, s.skip)).collect() };
        assert_eq!(runs(&[0, 1, 4]), [(2, false), (2, true), (1, false)]);
        assert_eq!(runs(&[3]), [(3, true), (1, false)]);
        assert_eq!(runs(&[]), []);
    }

    #[test]
    fn large_bodies_are_read_one_by_one() {
        assert_eq!(batch_size(&[10; 1000]), CHUNK_ROWS);
        assert_eq!(batch_size(&[READ_BYTES; 10]), 1);
        assert_eq!(batch_size(&[READ_BYTES / 8; 100]), 8);
        assert_eq!(batch_size(&[15 << 20]), 1);
    }
}
