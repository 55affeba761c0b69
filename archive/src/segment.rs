//! Data sets and the names of their segments. Printing and parsing are inverses.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

impl fmt::Display for DataSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DataSet {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        DataSet::ALL.into_iter().find(|set| set.name() == name).ok_or_else(|| {
            Error::invalid(Path::new(name), "is not a data set; there are artefacts, pages, links and scripts")
        })
    }
}

/// Where a segment's records come from; prints as in a segment's name: `p003`, `x1a2b3c4d`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A partition of the topic.
    Partition(u32),
    /// An import, named by 8 hexadecimal digits of a hash of what was imported; ordinals stand as offsets.
    Import(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Partition(partition) => write!(f, "p{partition:03}"),
            Source::Import(hash) => write!(f, "x{hash}"),
        }
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(source: &str) -> Result<Self, Error> {
        let parsed = match source.split_at_checked(1) {
            Some(("p", number)) => number.parse().ok().map(Source::Partition),
            Some(("x", hash)) if hash.len() == 8 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
                Some(Source::Import(hash.to_owned()))
            }
            _ => None,
        };
        // one spelling only: not `p3`, not `p+03`
        parsed.filter(|parsed| parsed.to_string() == source).ok_or_else(|| {
            Error::invalid(Path::new(source), "is not a source; it is written as p003, or x and 8 hexadecimal digits")
        })
    }
}

impl TryFrom<String> for Source {
    type Error = Error;

    fn try_from(source: String) -> Result<Self, Error> {
        source.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}

/// Name of a segment: data set, source and the interval `[from, next)` of offsets.
///
/// ```
/// use archive::{DataSet, SegmentName, Source};
///
/// let name = SegmentName::new(DataSet::Artefacts, Source::Partition(3), 12_345, 23_456).unwrap();
/// let text = "artefacts-p003-00000000000000012345-00000000000000023456.parquet";
/// assert_eq!(name.to_string(), text);
/// assert_eq!(text.parse::<SegmentName>().unwrap(), name);
/// ```
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
    /// A name, when it is one: an interval that is not empty and begins at 0 or later, an import of 8 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] says what does not fit.
    pub fn new(data_set: DataSet, source: Source, from: i64, next: i64) -> Result<SegmentName, Error> {
        let source = source.to_string().parse()?;
        let name = SegmentName { data_set, source, from, next };
        if from < 0 || next <= from {
            let text = name.to_string();
            return Err(Error::invalid(Path::new(&text), "a segment holds at least one offset, and none below 0"));
        }
        Ok(name)
    }

    /// The same interval in another data set.
    pub fn in_set(&self, data_set: DataSet) -> SegmentName {
        SegmentName { data_set, ..self.clone() }
    }

    /// All of the other's offsets are this one's too, whatever the data sets.
    pub fn contains(&self, other: &SegmentName) -> bool {
        self.source == other.source && self.from <= other.from && other.next <= self.next
    }

    /// The two share an offset, whatever the data sets.
    pub fn overlaps(&self, other: &SegmentName) -> bool {
        self.source == other.source && self.from < other.next && other.from < self.next
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:020}-{:020}.parquet", self.data_set, self.source, self.from, self.next)
    }
}

impl FromStr for SegmentName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let parse = || {
            let mut parts = name.strip_suffix(".parquet")?.split('-');
            let data_set = parts.next()?.parse().ok()?;
            let source = parts.next()?.parse().ok()?;
            let from = parts.next()?.parse().ok()?;
            let next = parts.next()?.parse().ok()?;
            let parsed = SegmentName::new(data_set, source, from, next).ok()?;
            // one spelling only, and nothing after it
            (parsed.to_string() == name).then_some(parsed)
        };
        parse().ok_or_else(|| {
            let reason = "is not the name of a segment: <data set>-p<partition>-<from>-<next>.parquet";
            Error::invalid(Path::new(&name.chars().take(200).collect::<String>()), reason)
        })
    }
}
