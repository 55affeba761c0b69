//! Damaged segments that were set aside: the file goes to `quarantine/`, a record of it stays in the ledger.
//!
//! The record is written first and the file moved after it. So wherever the power fails, either the segment is still in its
//! place and will be found damaged again, or the record says where it went and which offsets have to come back. A segment
//! whose file is gone has a record only.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::listing::{self, read_json};
use crate::{DataDir, DataSet, Day, Error, Result, Segment, SegmentName, Source, durable, time};

/// One segment that was set aside: `ledger/quarantine/<segment>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Name of the segment.
    pub segment: String,
    /// Its day.
    pub day: Day,
    /// Partition or import.
    pub source: Source,
    /// First offset.
    pub from: i64,
    /// Offset after the last.
    pub next: i64,
    /// Why, for a person.
    pub reason: String,
    /// When, RFC 3339 UTC.
    pub at: String,
}

impl Quarantined {
    /// Sets a segment aside; gives where it went.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn set_aside(data: &DataDir, segment: &Segment, reason: &str) -> Result<PathBuf> {
        Quarantined::record(data, segment.day, &segment.name, reason)?;
        let aside = data.root().join("quarantine").join(format!("day={}", segment.day));
        durable::create_dir(&aside)?;
        let mut number = 1;
        loop {
            // the same segment may be damaged again
            let to = match number {
                1 => aside.join(segment.name.to_string()),
                n => aside.join(format!("{}.{n}", segment.name)),
            };
            match durable::rename_new(&segment.path, &to) {
                Ok(()) => {
                    durable::sync_dir(&data.day_dir(segment.name.data_set, segment.day))?;
                    return Ok(to);
                }
                Err(Error::Exists(_)) => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Records a segment whose offsets have to come back, durably, and touches no file: one that is gone.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn record(data: &DataDir, day: Day, name: &SegmentName, reason: &str) -> Result<()> {
        let record = Quarantined {
            segment: name.to_string(),
            day,
            source: name.source.clone(),
            from: name.from,
            next: name.next,
            reason: reason.to_owned(),
            at: time::now(),
        };
        let ledger = folder(data);
        durable::create_dir(&ledger)?;
        let path = ledger.join(format!("{name}.json"));
        let json = serde_json::to_vec_pretty(&record).map_err(|error| Error::invalid(&path, error.to_string()))?;
        durable::write_replace(&path, &json)
    }

    /// All that were set aside, by name.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when a record is damaged.
    pub fn list(data: &DataDir) -> Result<Vec<Quarantined>> {
        let files = listing::files(&folder(data))?;
        files.iter().filter(|path| path.extension().is_some_and(|e| e == "json")).map(|path| read_json(path)).collect()
    }

    /// True for artefacts, which must come back from the bus; the rest is extracted again.
    pub fn is_of_artefacts(&self) -> bool {
        self.segment.starts_with(DataSet::Artefacts.name())
    }
}

fn folder(data: &DataDir) -> PathBuf {
    data.ledger().join("quarantine")
}
