//! `tallies`: what one partition of a crawl has done since the last `--recrawl` mark; rewritten with every publish.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Headers, Output, Record};

/// Type attribute of these records.
pub const TYPE: &str = "kafkaspider.tally.v1";

/// Counts of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Distinct URLs fetched with status 200, requisites aside.
    pub fetched: u64,
    /// Fetches, whatever became of them.
    #[serde(default)]
    pub fetches: u64,
    /// URLs pending.
    pub pending: u64,
    /// URLs known.
    #[serde(default)]
    pub known: u64,
    /// Failures by class; HTTP statuses from 400 as `http_404` and so on.
    #[serde(default)]
    pub errors: BTreeMap<String, u64>,
    /// The `--recrawl` mark: only what was fetched at or after it counts. Seconds since 1970 UTC, 0 when there was none.
    #[serde(default)]
    pub since: i64,
}

impl Tally {
    /// The record of one partition of a crawl.
    pub fn to_output(&self, crawl: &str, partition: u32) -> Output {
        let mut headers = Headers::default();
        headers.push("ce_id", uuid::Uuid::now_v7().to_string());
        headers.push("ce_type", TYPE);
        let value = serde_json::to_vec(self).expect("a struct of texts and numbers is always JSON");
        Output {
            topic: format!("tallies.{crawl}"),
            partition: 0,
            record: Record { key: partition.to_string().into(), value: Some(value.into()), headers },
        }
    }

    /// Partition and counts from a record; the reason when it does not fit.
    pub fn from_record(record: &Record) -> Result<(u32, Tally), String> {
        let key = std::str::from_utf8(&record.key).map_err(|e| format!("key: {e}"))?;
        let partition = key.parse().map_err(|_| format!("key {key:?} is not a partition"))?;
        let value = record.value.as_deref().ok_or("the value is empty")?;
        Ok((partition, serde_json::from_slice(value).map_err(|e| e.to_string())?))
    }
}
