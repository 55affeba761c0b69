//! `discovered`: a URL that somebody found, for the owner of its host to decide about.

use serde::{Deserialize, Serialize};

use crate::{Headers, Output, Record, topic};

/// Type attribute of these records.
pub const TYPE: &str = "kafkaspider.discovered.v1";

/// A candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    /// Canonical URL.
    pub url: String,
    /// Page on which it stands; none for a seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Links from a seed.
    #[serde(default)]
    pub depth: u32,
    /// Redirects that led here.
    #[serde(default)]
    pub hops: u32,
    /// Fetched whatever the scope, and not followed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requisite: bool,
}

impl Discovered {
    /// The record for a crawl's topic, on the partition of `host`.
    pub fn into_output(self, crawl: &str, host: &str, source: &str) -> Output {
        let mut headers = Headers::default();
        headers.push("ce_specversion", "1.0");
        headers.push("ce_id", uuid::Uuid::now_v7().to_string());
        headers.push("ce_source", source.to_owned());
        headers.push("ce_type", TYPE);
        headers.push("ce_subject", self.url.clone());
        headers.push("ce_time", super::artefact::rfc3339(chrono::Utc::now().timestamp_micros()));
        headers.push("content-type", "application/json");
        let value = serde_json::to_vec(&self).expect("a struct of texts and numbers is always JSON");
        Output {
            topic: format!("discovered.{crawl}"),
            partition: topic::partition_of(host.as_bytes(), topic::PARTITIONS),
            record: Record { key: host.to_owned().into(), value: Some(value.into()), headers },
        }
    }

    /// Back from a record; the reason when it does not fit. Only the value counts, so any producer can write one.
    pub fn from_record(record: &Record) -> Result<Discovered, String> {
        let value = record.value.as_deref().ok_or("the value is empty")?;
        serde_json::from_slice(value).map_err(|e| e.to_string())
    }
}
