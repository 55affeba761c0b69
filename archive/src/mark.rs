//! Marks: "this partition is staged to the end of this day", also for a partition with no record that day.

use serde::{Deserialize, Serialize};

use crate::{DataDir, Day, Result};

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
    /// Writes the mark of a day, durably; the same mark again changes nothing.
    pub fn write(&self, _data: &DataDir, _day: Day) -> Result<()> {
        todo!()
    }

    /// The marks of a day, by partition.
    pub fn read(_data: &DataDir, _day: Day) -> Result<Vec<Mark>> {
        todo!()
    }
}
