//! `artefacts`: one fetch, successful or not, with the body as the value.

use bytes::Bytes;

use crate::{Headers, Record};

/// Type attribute of these records.
pub const TYPE: &str = "kafkaspider.artefact.v1";

/// One fetch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Artefact {
    /// Record id, UUIDv7 (UUIDv8 from content for imports).
    pub id: uuid::Uuid,
    /// Instance that fetched it, for example `spider/main-pi3`.
    pub source: String,
    /// Canonical URL.
    pub url: String,
    /// When the fetch began, microseconds since 1970 UTC.
    pub fetched_at: i64,
    /// Crawl.
    pub crawl: String,
    /// HTTP status; none when there was no response.
    pub status: Option<u16>,
    /// Class of failure: `dns`, `connect`, `tls`, `timeout`, `too_large`, `robots`, `blocked_address`, `redirects`, `protocol` …
    pub error: Option<String>,
    /// Media type that the server said, when it is a valid one; else `application/octet-stream` on the bus.
    pub content_type: Option<String>,
    /// The response's header block.
    pub http_headers: HttpHeaders,
    /// Decoded body (content-encoding undone); empty when there is none.
    pub body: Bytes,
    /// SHA-256 of the decoded body, hexadecimal.
    pub sha256: String,
    /// The body was cut at the size limit.
    pub truncated: bool,
    /// Page on which the URL was found.
    pub via: Option<String>,
    /// Links from a seed.
    pub depth: u32,
    /// Redirects that led here.
    pub hops: u32,
    /// Duration of the fetch, milliseconds.
    pub elapsed_ms: u64,
    /// Address of the server, `ip:port`.
    pub remote: Option<String>,
}

/// A response's header block: `name: value` lines, CRLF between, as received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpHeaders(pub Bytes);

impl HttpHeaders {
    /// Names and values in order; bytes that are not UTF-8 are replaced.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.0);
        text.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned()))
            .collect()
    }
}

impl Artefact {
    /// The record; its key is the URL.
    pub fn into_record(self) -> Record {
        let mut h = Headers(Vec::with_capacity(20));
        h.push("ce_specversion", "1.0");
        h.push("ce_id", self.id.to_string());
        h.push("ce_source", self.source);
        h.push("ce_type", TYPE);
        h.push("ce_subject", self.url.clone());
        h.push("ce_time", rfc3339(self.fetched_at));
        h.push("content-type", self.content_type.unwrap_or_else(|| "application/octet-stream".into()));
        h.push("ce_crawl", self.crawl);
        let mut optional = |name: &'static str, value: Option<String>| {
            if let Some(v) = value {
                h.push(name, v);
            }
        };
        optional("ce_status", self.status.map(|s| s.to_string()));
        optional("ce_error", self.error);
        optional("ce_via", self.via);
        optional("ce_remote", self.remote);
        optional("ce_truncated", self.truncated.then(|| "true".into()));
        h.push("ce_depth", self.depth.to_string());
        h.push("ce_hops", self.hops.to_string());
        h.push("ce_elapsedms", self.elapsed_ms.to_string());
        h.push("ce_sha256", self.sha256);
        h.push("http-headers", self.http_headers.0);
        Record { key: self.url.into(), value: Some(self.body), headers: h }
    }

    /// Back from a record; the reason when it is not an artefact.
    pub fn from_record(record: &Record) -> Result<Artefact, String> {
        let h = &record.headers;
        let need = |name: &str| h.text(name).ok_or_else(|| format!("header {name} is missing or not UTF-8"));
        let number = |name: &str| -> Result<u64, String> {
            match h.text(name) {
                None => Ok(0),
                Some(v) => v.parse().map_err(|_| format!("header {name} is not a number: {v:?}")),
            }
        };
        if need("ce_type")? != TYPE {
            return Err(format!("ce_type is {:?}, not {TYPE}", need("ce_type")?));
        }
        let time = need("ce_time")?;
        Ok(Artefact {
            id: need("ce_id")?.parse().map_err(|e| format!("header ce_id: {e}"))?,
            source: h.text("ce_source").unwrap_or_default().into(),
            url: need("ce_subject")?.into(),
            fetched_at: chrono::DateTime::parse_from_rfc3339(time)
                .map_err(|e| format!("header ce_time {time:?}: {e}"))?
                .timestamp_micros(),
            crawl: h.text("ce_crawl").unwrap_or("main").into(),
            status: match h.text("ce_status") {
                None => None,
                Some(v) => Some(v.parse().map_err(|_| format!("header ce_status is not a status: {v:?}"))?),
            },
            error: h.text("ce_error").map(Into::into),
            content_type: h.text("content-type").map(Into::into),
            http_headers: HttpHeaders(Bytes::copy_from_slice(h.get("http-headers").unwrap_or_default())),
            body: record.value.clone().unwrap_or_default(),
            sha256: need("ce_sha256")?.into(),
            truncated: h.text("ce_truncated") == Some("true"),
            via: h.text("ce_via").map(Into::into),
            depth: number("ce_depth")?.try_into().map_err(|_| "ce_depth is too large")?,
            hops: number("ce_hops")?.try_into().map_err(|_| "ce_hops is too large")?,
            elapsed_ms: number("ce_elapsedms")?,
            remote: h.text("ce_remote").map(Into::into),
        })
    }
}

/// RFC 3339 in UTC with microseconds.
pub(crate) fn rfc3339(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
