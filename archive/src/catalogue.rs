//! What the archive holds: day → data set → segments, with gaps, overlaps and supersession.
//!
//! The directory is read as it is at one moment; others may write meanwhile. What is not a segment of the folder's own
//! data set is a stranger and is listed, not refused.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::coverage;
use crate::listing::{entries, name};
use crate::{DataDir, DataSet, Day, Error, Result, SegmentName, Source};

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

/// Two segments of which neither contains the other, and that share offsets, or two of different days that share any: an
/// error that a person must look at.
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
    /// Segments that count, by source and offset. Those of an overlap are among them.
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
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a folder cannot be listed.
    pub fn read(data: &DataDir) -> Result<Catalogue> {
        let mut catalogue = Catalogue::default();
        for set in DataSet::ALL {
            for folder in entries(&data.root().join(set.name()))? {
                let day = name(&folder).strip_prefix("day=").and_then(|day| day.parse().ok());
                match day.filter(|_| folder.is_dir()) {
                    Some(day) => catalogue.read_day(set, day, &folder)?,
                    None => catalogue.strangers.push(folder),
                }
            }
        }
        Ok(catalogue)
    }

    fn read_day(&mut self, set: DataSet, day: Day, folder: &std::path::Path) -> Result<()> {
        let mut found = Vec::new();
        for path in entries(folder)? {
            let named = name(&path).parse::<SegmentName>().ok().filter(|name| name.data_set == set);
            match (named, std::fs::metadata(&path)) {
                (Some(name), Ok(file)) if file.is_file() => {
                    found.push(Segment { day, name, path, bytes: file.len() });
                }
                // compaction removed it since the folder was listed
                (_, Err(error)) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {}
                (Some(_), Err(error)) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io("cannot look at", &path)(error));
                }
                _ => self.strangers.push(path),
            }
        }
        if !found.is_empty() {
            self.days.entry(day).or_default().insert(set, coverage::holdings(found));
        }
        Ok(())
    }

    /// Segments of a data set that count, over a span of days (both included; `None` is open), in order.
    pub fn segments(&self, set: DataSet, from: Option<Day>, to: Option<Day>) -> Vec<&Segment> {
        let span = |day: &Day| from.is_none_or(|from| from <= *day) && to.is_none_or(|to| *day <= to);
        let days = self.days.iter().filter(|(day, _)| span(day));
        days.filter_map(|(_, sets)| sets.get(&set)).flat_map(|holdings| &holdings.segments).collect()
    }

    /// Segments of a data set inside a larger one of their day, over all days.
    pub fn superseded(&self, set: DataSet) -> Vec<&Segment> {
        self.days.values().filter_map(|sets| sets.get(&set)).flat_map(|holdings| &holdings.superseded).collect()
    }

    /// Gaps of a data set over all days, by source.
    pub fn gaps(&self, set: DataSet) -> Vec<Gap> {
        coverage::gaps(&self.segments(set, None, None))
    }

    /// Overlaps of a data set over all days (two days may hold the same offsets only by error).
    pub fn overlaps(&self, set: DataSet) -> Vec<Overlap> {
        coverage::overlaps(&self.segments(set, None, None))
    }

    /// Segments of one data set whose offsets another does not cover wholly on the same day: what is still to extract.
    ///
    /// Covered by name only: whether the right version of the extractor wrote it, [`Catalogue::covering`] finds the files
    /// to ask.
    pub fn uncovered(&self, set: DataSet, by: DataSet, from: Option<Day>, to: Option<Day>) -> Vec<&Segment> {
        let segments = self.segments(set, from, to).into_iter();
        segments.filter(|segment| !coverage::covers(&self.covering(segment, by), &segment.name)).collect()
    }

    /// Segments of another data set that share offsets with a segment, on its day, in order.
    pub fn covering(&self, segment: &Segment, by: DataSet) -> Vec<&Segment> {
        let holdings = self.days.get(&segment.day).and_then(|sets| sets.get(&by));
        let segments = holdings.map(|holdings| holdings.segments.as_slice()).unwrap_or_default();
        segments.iter().filter(|other| other.name.overlaps(&segment.name)).collect()
    }
}
