//! Marks: "this partition is staged to the end of this day", also for a partition with no record that day.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::listing::{self, read_json, topic_name};
use crate::{DataDir, Day, Error, Result, durable, time};

/// One mark: `marks/day=2026-11-21/artefacts-p003.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset up to which the day was staged.
    pub next: i64,
    /// When the mark was written, RFC 3339 UTC.
    pub at: String,
}

impl Mark {
    /// A mark that is made now.
    pub fn new(topic: &str, partition: u32, next: i64) -> Mark {
        Mark { topic: topic.to_owned(), partition, next, at: time::now() }
    }

    /// Writes the mark of a day, durably; the same mark again changes nothing, also when its time differs. A mark with
    /// another offset takes the place of the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] for a topic that is no file name.
    pub fn write(&self, data: &DataDir, day: Day) -> Result<()> {
        let folder = folder(data, day);
        let path = folder.join(format!("{}-p{:03}.json", topic_name(&self.topic)?, self.partition));
        let same = |mark: &Mark| (&mark.topic, mark.partition, mark.next) == (&self.topic, self.partition, self.next);
        // one that is missing or damaged is written anew
        if read_json(&path).is_ok_and(|mark| same(&mark)) {
            return Ok(());
        }
        durable::create_dir(&folder)?;
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::invalid(&path, error.to_string()))?;
        durable::write_replace(&path, &json)
    }

    /// The marks of a day, by topic and partition; none when the day has no folder.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when a mark is damaged.
    pub fn read(data: &DataDir, day: Day) -> Result<Vec<Mark>> {
        let mut marks: Vec<Mark> = Vec::new();
        for path in listing::files(&folder(data, day))?.iter().filter(|path| is_json(path)) {
            marks.push(read_json(path)?);
        }
        marks.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(marks)
    }
}

fn folder(data: &DataDir, day: Day) -> std::path::PathBuf {
    data.marks().join(format!("day={day}"))
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}
