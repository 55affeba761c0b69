//! What the archive holds: day → data set → segments, with gaps, overlaps and supersession.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{DataDir, DataSet, Day, Result, SegmentName, Source};

/// A segment that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Day of its folder.
    pub day: Day,
    /// What its name says.
    pub name: SegmentName,
    /// Where it is.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
}

/// Offsets between two segments of a source that no segment covers. Normal on Kafka (transaction markers) when small;
/// a recorded loss or a damaged segment otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Partition or import.
    pub source: Source,
    /// First offset that is missing.
    pub from: i64,
    /// Offset after the last that is missing.
    pub next: i64,
}

/// Two segments of which neither contains the other, and that share offsets: an error that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// One.
    pub a: PathBuf,
    /// The other.
    pub b: PathBuf,
}

/// Segments of one day and data set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Segments that count, by source and offset.
    pub segments: Vec<Segment>,
    /// Segments inside a larger one, which counts in their place.
    pub superseded: Vec<Segment>,
    /// Errors.
    pub overlaps: Vec<Overlap>,
}

/// The whole archive, as its directory is at one moment.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Day → data set → segments.
    pub days: BTreeMap<Day, BTreeMap<DataSet, Holdings>>,
    /// Files in a day's folder whose names are not segments.
    pub strangers: Vec<PathBuf>,
}

impl Catalogue {
    /// Reads the directory; an absent one is an empty archive.
    pub fn read(_data: &DataDir) -> Result<Catalogue> {
        todo!()
    }

    /// Segments of a data set that count, over a span of days (both included; `None` is open), in order.
    pub fn segments(&self, _set: DataSet, _from: Option<Day>, _to: Option<Day>) -> Vec<&Segment> {
        todo!()
    }

    /// Gaps of a data set over all days, by source.
    pub fn gaps(&self, _set: DataSet) -> Vec<Gap> {
        todo!()
    }

    /// Overlaps of a data set over all days (two days may hold the same offsets only by error).
    pub fn overlaps(&self, _set: DataSet) -> Vec<Overlap> {
        todo!()
    }
}
