//! `frontier`: the state of one URL of a crawl; the newest record of a key counts.

use serde::{Deserialize, Serialize};

use crate::{Headers, Output, Record};

/// Type attribute of these records.
pub const TYPE: &str = "kafkaspider.frontier.v1";

/// Where a URL stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// To be fetched when due.
    #[default]
    #[serde(rename = "p")]
    Pending,
    /// Fetched; due again at `next`.
    #[serde(rename = "f")]
    Fetched,
    /// Not to be fetched any more.
    #[serde(rename = "g")]
    Gone,
}

/// State of one URL. Field names on the bus are short: a frontier has many of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlState {
    /// Where it stands.
    #[serde(rename = "s")]
    pub state: State,
    /// Links from a seed.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// Redirects that led here.
    #[serde(rename = "h", default, skip_serializing_if = "is_zero")]
    pub hops: u32,
    /// Page on which it was found.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Page requisite: fetched whatever the scope, not followed.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    pub requisite: bool,
    /// Failed attempts in a row.
    #[serde(rename = "a", default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Not before this time, seconds since 1970 UTC; 0 is at once.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero_i64")]
    pub next_fetch: i64,
    /// Last status, when there was a response.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Last entity tag.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Last Last-Modified.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// First 8 bytes of the body's SHA-256, hexadecimal.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Seconds between changes, estimated; 0 when unknown.
    #[serde(rename = "i", default, skip_serializing_if = "is_zero_i64")]
    pub interval: i64,
    /// The `--recrawl` mark under which it was fetched last ([`Tally::since`](super::Tally::since)). One that is older than
    /// its partition's mark is due, whatever `next_fetch` says.
    #[serde(rename = "k", default, skip_serializing_if = "is_zero_i64")]
    pub mark: i64,
    /// Fetched with status 200 at least once under that mark: it counts for `--pages`, whatever later visits find.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub ok: bool,
    /// The last fetch failed for a reason that may pass: another visit is due soon.
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    pub passing: bool,
    /// Class of failure, when the last fetch failed.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What of its links the spider was told to follow, when the page was read last, as a hash; none for the defaults.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn is_zero_i64(n: &i64) -> bool {
    *n == 0
}

impl UrlState {
    /// The record for `url` on the partition of its host.
    pub fn to_output(&self, crawl: &str, url: &str, partition: u32) -> Output {
        let mut headers = Headers::default();
        headers.push("ce_id", uuid::Uuid::now_v7().to_string());
        headers.push("ce_type", TYPE);
        let value = serde_json::to_vec(self).expect("a struct of texts and numbers is always JSON");
        Output {
            topic: format!("frontier.{crawl}"),
            partition,
            record: Record { key: url.to_owned().into(), value: Some(value.into()), headers },
        }
    }

    /// URL and state from a record; the reason when it does not fit.
    pub fn from_record(record: &Record) -> Result<(String, UrlState), String> {
        let url = std::str::from_utf8(&record.key).map_err(|e| format!("key: {e}"))?;
        let value = record.value.as_deref().ok_or("the value is empty")?;
        Ok((url.to_owned(), serde_json::from_slice(value).map_err(|e| e.to_string())?))
    }
}
