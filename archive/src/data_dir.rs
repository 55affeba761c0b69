//! The data directory: which file belongs where.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable::{self, read_small};
use crate::{DataSet, Day, Error, Result, SegmentName, time};

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
    ///
    /// Seals on the bus name archives by this id, so it is never made anew where one may have been: a damaged file is an
    /// error. Of several processes that find none, one makes it and all give the same.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when the file is damaged.
    pub fn archive_id(&self) -> Result<String> {
        let path = self.root.join("archive.json");
        if !path.exists() {
            durable::create_dir(&self.root)?;
            let identity = Identity { id: Uuid::now_v7().to_string(), created: time::now() };
            let json =
                serde_json::to_vec_pretty(&identity).map_err(|error| Error::invalid(&path, error.to_string()))?;
            match durable::write_new(&path, &json) {
                // another process was faster; its id holds
                Ok(()) | Err(Error::Exists(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let damaged = |why: String| {
            Error::invalid(
                &path,
                format!("is damaged ({why}); put back the archive's id, which the seals on the bus name"),
            )
        };
        let bytes = read_small(&path, 64 * 1024)?;
        let identity: Identity = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(Uuid::parse_str(&identity.id).map_err(|error| damaged(error.to_string()))?.to_string())
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

    /// Folder of all reports.
    pub fn all_reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// Folder of a miner's reports.
    pub fn reports(&self, miner: &str) -> PathBuf {
        self.all_reports().join(miner)
    }

    /// Folder of what was uploaded and of recorded losses.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// Folder of recorded losses.
    pub fn losses(&self) -> PathBuf {
        self.ledger().join("losses")
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

/// Content of `archive.json`.
#[derive(Serialize, Deserialize)]
struct Identity {
    id: String,
    /// RFC 3339, UTC; for people.
    created: String,
}
