//! Data sets and the names of their segments. Printing and parsing are inverses.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The data sets that are kept as segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataSet {
    /// Fetches with bodies; staged from the bus.
    Artefacts,
    /// One row per HTML artefact; extracted.
    Pages,
    /// Links of pages and redirects; extracted.
    Links,
    /// Scripts of pages; extracted.
    Scripts,
}

impl DataSet {
    /// All of them.
    pub const ALL: [DataSet; 4] = [DataSet::Artefacts, DataSet::Pages, DataSet::Links, DataSet::Scripts];

    /// Folder and first part of the file names.
    pub fn name(self) -> &'static str {
        match self {
            DataSet::Artefacts => "artefacts",
            DataSet::Pages => "pages",
            DataSet::Links => "links",
            DataSet::Scripts => "scripts",
        }
    }
}

/// Where a segment's records come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A partition of the topic.
    Partition(u32),
    /// An import, named by 8 hexadecimal digits of a hash of what was imported; ordinals stand as offsets.
    Import(String),
}

/// Name of a segment: data set, source and the interval `[from, next)` of offsets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// Data set.
    pub data_set: DataSet,
    /// Partition or import.
    pub source: Source,
    /// First offset.
    pub from: i64,
    /// Offset after the last; more than `from`.
    pub next: i64,
}

impl SegmentName {
    /// The same interval in another data set.
    pub fn in_set(&self, data_set: DataSet) -> SegmentName {
        SegmentName { data_set, ..self.clone() }
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.data_set.name())?;
        match &self.source {
            Source::Partition(p) => write!(f, "p{p:03}")?,
            Source::Import(x) => write!(f, "x{x}")?,
        }
        write!(f, "-{:020}-{:020}.parquet", self.from, self.next)
    }
}

impl FromStr for SegmentName {
    type Err = Error;

    fn from_str(_name: &str) -> Result<Self, Error> {
        todo!()
    }
}
