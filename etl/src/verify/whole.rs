//! Is a segment what was sealed? Its footer, its name, every row and the hash over all rows.

use anyhow::{Result, bail, ensure};
use archive::schema::{VERSION, columns};
use archive::{DataSet, Segment, Source};
use arrow::array::RecordBatch;

use crate::row_hash;
use crate::segment_reader::{SegmentReader, batches};
use crate::upload::source::{self, Check};

/// Reads a segment whole; an error says what is wrong with it. Gives its rows.
pub fn check(segment: &Segment) -> Result<u64> {
    let reader = SegmentReader::open(&segment.path)?;
    let footer = reader.footer()?;
    let name = &segment.name;
    ensure!(
        (footer.from, footer.next) == (name.from, name.next),
        "the footer is of offsets {} to {}, the name of {} to {}",
        footer.from,
        footer.next,
        name.from,
        name.next
    );
    if let Source::Partition(p) = name.source {
        ensure!(footer.partition == p, "the footer is of partition {}, the name of {p}", footer.partition);
    }
    ensure!(
        footer.schema <= VERSION,
        "its columns are of version {}; this program reads up to {VERSION}",
        footer.schema
    );
    reader.is_as_sealed()?;
    let (mut hash, mut rows) = (0_u128, 0);
    let mut id = String::new();
    if name.data_set == DataSet::Artefacts {
        source::rows(&reader, DataSet::Artefacts, |batch| {
            for row in 0..batch.len() {
                hash = hash.wrapping_add(batch.rev(row));
                batch.id(row, &mut id);
            }
            rows += batch.len() as u64;
            Ok(true)
        })?;
        // row hashes go by the SHA-256 that a row names; this reads the bodies themselves
        source::bodies(&reader, Check::Each, |_| true, |_| Ok(true))?;
    } else {
        let all: Vec<&str> = columns(name.data_set).iter().map(|column| column.name).collect();
        for batch in batches(&segment.path, reader.columns(&all)?.with_batch_size(256).build()?) {
            let batch: RecordBatch = batch?;
            for rev in row_hash::rows(name.data_set, &batch, None)? {
                hash = hash.wrapping_add(rev);
            }
            rows += batch.num_rows() as u64;
        }
    }
    if (hash, rows) != (footer.hash, footer.rows) {
        bail!(
            "{rows} rows with hash {}, but {} with hash {} were sealed",
            row_hash::hex(hash),
            footer.rows,
            row_hash::hex(footer.hash)
        );
    }
    Ok(rows)
}
