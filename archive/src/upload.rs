//! The ledger of uploads: what of a day was brought to which server, with counts and hashes.
//!
//! One small file per day and server, `ledger/uploads/day=2026-11-21/<8 digits of a hash of the server>.json`, replaced whole
//! and durably after each segment. It says what was acknowledged; that a server still has it is what verification finds out.

use serde::{Deserialize, Serialize};

use crate::listing::{self, read_json};
use crate::{DataDir, Day, Error, Result, durable};

/// What of a day was uploaded to one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upload {
    /// Day, `2026-11-21`.
    pub day: String,
    /// Server and database, without user and password.
    pub server: String,
    /// Id of the archive.
    pub archive: String,
    /// `started`, `uploaded`, `verified`, or `partly` when documents were rejected or do not agree.
    pub state: String,
    /// The day was not complete when it was uploaded; a later run adds the rest.
    pub partial: bool,
    /// Collections that were asked for.
    pub collections: Vec<String>,
    /// Start of the first run that sent something, RFC 3339 UTC.
    pub started: String,
    /// End of the last run that sent something.
    pub finished: Option<String>,
    /// When the server's documents were last found to be the archive's, after something was sent.
    pub verified: Option<String>,
    /// Documents that the server holds of this day, by the last verification.
    pub documents: u64,
    /// Documents that were rejected.
    pub rejected: u64,
    /// Segments, by collection and name.
    pub segments: Vec<UploadedSegment>,
}

/// What of a segment was uploaded to one collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UploadedSegment {
    /// Collection.
    pub collection: String,
    /// Name of the segment.
    pub segment: String,
    /// `started`, `done`, `partly` (some were rejected), or `damaged` (its rows are not those that were sealed).
    pub state: String,
    /// Documents that the segment makes.
    pub documents: u64,
    /// Of these, new on the server.
    pub inserted: u64,
    /// There already, the same.
    pub present: u64,
    /// In place of an older or another one.
    pub replaced: u64,
    /// Refused.
    pub rejected: u64,
    /// Content hash of the segment's rows, as in its footer, 32 hexadecimal digits.
    pub hash: String,
    /// Sum modulo 2^128 of the hashes of `_id` and `rev` of its documents, rejected ones left out; 32 hexadecimal digits.
    pub sum: String,
    /// Version of the extractor, of what was extracted.
    pub extractor: Option<String>,
    /// Start, RFC 3339 UTC.
    pub started: String,
    /// End.
    pub finished: Option<String>,
}

impl Upload {
    /// Entry of a segment.
    pub fn segment(&self, collection: &str, segment: &str) -> Option<&UploadedSegment> {
        self.segments.iter().find(|one| one.collection == collection && one.segment == segment)
    }

    /// Puts in an entry, in place of one of the same collection and segment.
    pub fn put(&mut self, entry: UploadedSegment) {
        let key = |one: &UploadedSegment| (one.collection.clone(), one.segment.clone());
        match self.segments.binary_search_by_key(&key(&entry), key) {
            Ok(at) => self.segments[at] = entry,
            Err(at) => self.segments.insert(at, entry),
        }
    }

    /// Writes it, durably, in place of what was there. `key` names the server: 8 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] for a key that is none or a day that is none.
    pub fn write(&self, data: &DataDir, key: &str) -> Result<()> {
        let day: Day = self.day.parse()?;
        let path = folder(data, day).join(format!("{key}.json"));
        if key.len() != 8 || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::invalid(&path, "is not named by 8 hexadecimal digits"));
        }
        durable::create_dir(&folder(data, day))?;
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::invalid(&path, error.to_string()))?;
        durable::write_replace(&path, &json)
    }

    /// What is known of a day on one server; none when nothing was uploaded.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when the file is damaged.
    pub fn read(data: &DataDir, day: Day, key: &str) -> Result<Option<Upload>> {
        let path = folder(data, day).join(format!("{key}.json"));
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    /// What is known of a day on all servers.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when a file is damaged.
    pub fn of_day(data: &DataDir, day: Day) -> Result<Vec<Upload>> {
        let files = listing::files(&folder(data, day))?;
        files.iter().filter(|path| path.extension().is_some_and(|e| e == "json")).map(|path| read_json(path)).collect()
    }
}

fn folder(data: &DataDir, day: Day) -> std::path::PathBuf {
    data.ledger().join("uploads").join(format!("day={day}"))
}
