//! Finds an artefact in the archive, by URL or by record id.
//!
//! Statistics and Bloom filters tell for most row groups that it is not there; of the others only small columns are read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use archive::{Catalogue, DataDir, DataSet, MENDS};
use arrow::array::{Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::bloom_filter::Sbbf;

use crate::columns;
use crate::segment_reader::{SegmentReader, batches};

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// An artefact of this canonical URL.
    Url(String),
    /// The artefact with this id, in lower case.
    Id(String),
}

impl Wanted {
    fn column(&self) -> &'static str {
        match self {
            Wanted::Url(_) => "url",
            Wanted::Id(_) => "id",
        }
    }

    fn text(&self) -> &str {
        match self {
            Wanted::Url(text) | Wanted::Id(text) => text,
        }
    }
}

/// Where an artefact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// File.
    pub path: PathBuf,
    /// Row group in it.
    pub group: usize,
    /// Row in that.
    pub row: usize,
    /// Start of the fetch, microseconds since 1970 UTC.
    pub fetched_at: i64,
    /// HTTP status.
    pub status: Option<i64>,
}

/// What a search gave.
#[derive(Debug, Default)]
pub struct Search {
    /// The newest artefact. One that says only "not modified" stands for an earlier body and is passed over, unless there is no
    /// other.
    pub newest: Option<Found>,
    /// Segments that cannot be read, each told in a warning: what is in them is not known.
    pub unread: usize,
}

impl Search {
    fn take(&mut self, found: Found) {
        if self.newest.as_ref().is_none_or(|newest| rank(&found) >= rank(newest)) {
            self.newest = Some(found);
        }
    }
}

/// Looks for the newest artefact, fetched at or before `at` (microseconds since 1970 UTC) where that is given.
pub fn newest(data: &DataDir, wanted: &Wanted, at: Option<i64>) -> Result<Search> {
    let catalogue = Catalogue::read(data)?;
    let mut search = Search::default();
    for segment in catalogue.segments(DataSet::Artefacts, None, None) {
        let taken = in_segment(&segment.path, wanted, |found| {
            if at.is_none_or(|at| found.fetched_at <= at) {
                search.take(found);
            }
        });
        if let Err(error) = taken {
            tracing::warn!("{error:#}; it is looked for in the other segments");
            search.unread += 1;
        }
    }
    Ok(search)
}

fn in_segment(path: &Path, wanted: &Wanted, take: impl FnMut(Found)) -> Result<()> {
    let reader = SegmentReader::open(path)?;
    let mut found = Vec::new();
    for group in 0..reader.metadata().num_row_groups() {
        found.extend(in_group(&reader, group, wanted)?);
    }
    found.into_iter().for_each(take);
    Ok(())
}

fn rank(found: &Found) -> (bool, i64) {
    (found.status != Some(304), found.fetched_at)
}

fn in_group(reader: &SegmentReader, group: usize, wanted: &Wanted) -> Result<Vec<Found>> {
    let column = reader.column(wanted.column())?;
    if reader.text_is_outside(group, column, wanted.text()) || !may_hold(reader, group, column, wanted.text())? {
        return Ok(Vec::new());
    }
    let small = reader.columns(&[wanted.column(), "fetched_at", "status"])?.with_row_groups(vec![group]).build()?;
    let mut found = Vec::new();
    let mut first = 0;
    for batch in batches(reader.path(), small) {
        let batch = batch?;
        let texts: StringArray = columns::array(&batch, wanted.column())?;
        let times: TimestampMicrosecondArray = columns::array(&batch, "fetched_at")?;
        let statuses: Int64Array = columns::array(&batch, "status")?;
        for i in (0..batch.num_rows()).filter(|i| texts.value(*i) == wanted.text()) {
            found.push(Found {
                path: reader.path().to_owned(),
                group,
                row: first + i,
                fetched_at: times.value(i),
                status: statuses.is_valid(i).then(|| statuses.value(i)),
            });
        }
        first += batch.num_rows();
    }
    Ok(found)
}

/// False when the Bloom filter knows that the text is not there.
fn may_hold(reader: &SegmentReader, group: usize, column: usize, text: &str) -> Result<bool> {
    let filter: Option<Sbbf> = reader
        .columns(&[])?
        .get_row_group_column_bloom_filter(group, column)
        .with_context(|| format!("cannot read {}, which is damaged; {MENDS}", reader.path().display()))?;
    Ok(filter.is_none_or(|filter| filter.check(&text)))
}

/// The whole row.
pub fn row(found: &Found) -> Result<RecordBatch> {
    let reader = SegmentReader::open(&found.path)?;
    let mut selectors = vec![RowSelector::select(1)];
    if found.row > 0 {
        selectors.insert(0, RowSelector::skip(found.row));
    }
    let names: Vec<&str> = archive::schema::columns(DataSet::Artefacts).iter().map(|c| c.name).collect();
    let rows = reader.columns(&names)?.with_row_groups(vec![found.group]);
    let rows = rows.with_row_selection(RowSelection::from(selectors)).with_batch_size(1).build()?;
    let row = batches(&found.path, rows).next();
    row.unwrap_or_else(|| Err(anyhow::anyhow!("{} ends too early: it is damaged; {MENDS}", found.path.display())))
}
