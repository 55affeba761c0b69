//! `seals`: which interval of a partition an archive has sealed last, and in which file.

use serde::{Deserialize, Serialize};

use crate::{Headers, Output, Record, topic};

/// Type attribute of these records.
pub const TYPE: &str = "kafkaspider.seal.v1";

/// Key of a seal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SealKey {
    /// Id of the archive.
    pub archive: String,
    /// Topic that was staged.
    pub topic: String,
    /// Partition that was staged.
    pub partition: u32,
}

/// One sealed segment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Path of the segment, relative to the data directory; none when the interval held no record to store.
    pub file: Option<String>,
    /// Path of the unfinished file that the rename starts from, relative to the data directory.
    pub tmp: Option<String>,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: Option<String>,
    /// First offset.
    pub from: i64,
    /// Offset after the last.
    pub next: i64,
    /// Running maximum of the partition's append times up to here, milliseconds since 1970 UTC.
    pub max_time: i64,
    /// What the same publish covered, where that is not `next`: older records were staged again, below what the group
    /// had committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered: Option<i64>,
}

impl Seal {
    /// The record.
    pub fn to_output(&self, key: &SealKey) -> Output {
        let mut headers = Headers::default();
        headers.push("ce_id", uuid::Uuid::now_v7().to_string());
        headers.push("ce_type", TYPE);
        let value = serde_json::to_vec(self).expect("a struct of texts and numbers is always JSON");
        let key = serde_json::to_vec(key).expect("a struct of texts and numbers is always JSON");
        Output {
            topic: topic::SEALS.into(),
            partition: 0,
            record: Record { key: key.into(), value: Some(value.into()), headers },
        }
    }

    /// Key and seal from a record; the reason when it does not fit.
    pub fn from_record(record: &Record) -> Result<(SealKey, Seal), String> {
        let key = serde_json::from_slice(&record.key).map_err(|e| format!("key: {e}"))?;
        let value = record.value.as_deref().ok_or("the value is empty")?;
        Ok((key, serde_json::from_slice(value).map_err(|e| e.to_string())?))
    }
}
