//! `beats`: a life sign of a long-running program, every few seconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Headers, Output, Record, topic};

/// Type attribute of these records.
pub const TYPE: &str = "kafkaspider.beat.v1";

/// A life sign.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Program and instance, for example `spider/main-pi3`.
    pub instance: String,
    /// `starting`, `running`, `waiting`, `draining`, `stopped`.
    pub state: String,
    /// Process id.
    pub pid: u32,
    /// Host name of the machine.
    pub machine: String,
    /// Start of the process, seconds since 1970 UTC.
    pub started: i64,
    /// Rates per second, by name (`pages`, `bytes`, `records`).
    #[serde(default)]
    pub rates: BTreeMap<String, f64>,
    /// Records behind, where the program reads.
    #[serde(default)]
    pub lag: Option<i64>,
    /// Free bytes where the program writes.
    #[serde(default)]
    pub disk_free: Option<u64>,
}

impl Beat {
    /// The record, keyed by instance.
    pub fn to_output(&self) -> Output {
        let mut headers = Headers::default();
        headers.push("ce_specversion", "1.0");
        headers.push("ce_id", uuid::Uuid::now_v7().to_string());
        headers.push("ce_source", self.instance.clone());
        headers.push("ce_type", TYPE);
        headers.push("ce_time", super::artefact::rfc3339(chrono::Utc::now().timestamp_micros()));
        headers.push("content-type", "application/json");
        let value = serde_json::to_vec(self).expect("a struct of texts and numbers is always JSON");
        Output {
            topic: topic::BEATS.into(),
            partition: 0,
            record: Record { key: self.instance.clone().into(), value: Some(value.into()), headers },
        }
    }

    /// Back from a record; the reason when it does not fit.
    pub fn from_record(record: &Record) -> Result<Beat, String> {
        let value = record.value.as_deref().ok_or("the value is empty")?;
        serde_json::from_slice(value).map_err(|e| e.to_string())
    }
}
