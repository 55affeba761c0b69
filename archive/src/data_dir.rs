//! The data directory: which file belongs where.

use std::path::{Path, PathBuf};

use crate::{DataSet, Day, Result, SegmentName};

/// A data directory (`--data`).
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Names the directory; nothing is touched.
    pub fn new(root: impl Into<PathBuf>) -> DataDir {
        DataDir { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The archive's own id (UUID) from `archive.json`, which is made, with the directory, when it is missing.
    pub fn archive_id(&self) -> Result<String> {
        todo!()
    }

    /// Folder of one data set and day: `pages/day=2026-11-21`.
    pub fn day_dir(&self, set: DataSet, day: Day) -> PathBuf {
        self.root.join(set.name()).join(format!("day={day}"))
    }

    /// Path of a segment.
    pub fn segment(&self, day: Day, name: &SegmentName) -> PathBuf {
        self.day_dir(name.data_set, day).join(name.to_string())
    }

    /// Folder of the marks.
    pub fn marks(&self) -> PathBuf {
        self.root.join("marks")
    }

    /// Folder of a miner's reports.
    pub fn reports(&self, miner: &str) -> PathBuf {
        self.root.join("reports").join(miner)
    }

    /// Folder of what was uploaded and of recorded losses.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// Folder of lock files.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Folder of folders of unfinished files.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}
