//! Counts by host; partial counts merge in any order.

use std::collections::BTreeMap;

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{InitHashMaps, PlHashMap};
use serde::{Deserialize, Serialize};

use super::headers::Headers;
use crate::source::{Batch, Newest, Source, pairs};

/// Status and class of failure.
pub type Answer = (Option<i64>, Option<Box<str>>);

/// What is known of a host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Host {
    /// URLs whose newest fetch is a page.
    pub pages: u64,
    /// Decoded bytes.
    pub bytes: u64,
    /// Fetches over https.
    pub https: u64,
    /// Bodies that were cut.
    pub truncated: u64,
    /// Headers of 2xx responses.
    pub headers: Headers,
    #[serde(with = "pairs")]
    answers: PlHashMap<Answer, u64>,
    #[serde(with = "pairs")]
    servers: PlHashMap<Box<str>, u64>,
    /// Milliseconds of fetches with a response; ascending once all are counted.
    times: Vec<i64>,
}

impl Host {
    /// Fetches with a status of `class` hundred; 0 for those without a response.
    pub fn class(&self, class: i64) -> u64 {
        let of = |status: Option<i64>| status.map_or(0, |status| (status / 100).min(5));
        self.answers.iter().filter(|((status, _), _)| of(*status) == class).map(|(_, count)| count).sum()
    }

    /// All fetches.
    pub fn fetches(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Fetches that failed.
    pub fn errors(&self) -> u64 {
        self.class(0) + self.class(4) + self.class(5)
    }

    /// Response time that `percent` % of the fetches do not exceed.
    pub fn percentile(&self, percent: usize) -> Option<i64> {
        let rank = (self.times.len() * percent).div_ceil(100).max(1);
        self.times.get(rank - 1).copied()
    }

    /// The most frequent server header, the first by name of equal ones.
    pub fn server(&self) -> Option<&str> {
        self.servers.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0))).map(|(name, _)| &**name)
    }

    /// Kinds of answers, most frequent first, equal ones by status and failure.
    pub fn answers_sorted(&self) -> Vec<(&Answer, u64)> {
        let mut answers: Vec<(&Answer, u64)> = self.answers.iter().map(|(answer, &count)| (answer, count)).collect();
        answers.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        answers
    }

    fn merge(&mut self, other: Host) {
        self.pages += other.pages;
        self.bytes += other.bytes;
        self.https += other.https;
        self.truncated += other.truncated;
        self.headers.merge(&other.headers);
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        for (server, count) in other.servers {
            *self.servers.entry(server).or_default() += count;
        }
        self.times.extend(other.times);
    }
}

/// Hosts by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    hosts: BTreeMap<Box<str>, Host>,
}

impl Counts {
    /// Hosts with most fetches first, equal ones by name.
    pub fn sorted(&mut self) -> Vec<(&str, &Host)> {
        self.hosts.values_mut().for_each(|host| host.times.sort_unstable());
        let mut hosts: Vec<(&str, &Host)> = self.hosts.iter().map(|(name, host)| (&**name, host)).collect();
        hosts.sort_by(|a, b| b.1.fetches().cmp(&a.1.fetches()).then(a.0.cmp(b.0)));
        hosts
    }

    fn merge(&mut self, other: Counts) {
        for (name, host) in other.hosts {
            self.hosts.entry(name).or_default().merge(host);
        }
    }
}

/// Counts all fetches.
pub fn count(source: &Source) -> Result<Counts> {
    let columns = ["url", "host", "status", "error", "body_bytes", "truncated", "elapsed_ms", "headers"];
    let mut counts = Counts::default();
    let parts = source.shared(DataSet::Artefacts, "hosts-1", &columns, "fetches", of_batch)?;
    parts.each(
        |_, part: Counts| Ok(part),
        |part| {
            counts.merge(part);
            Ok(())
        },
    )?;
    Ok(counts)
}

fn of_batch(batch: &Batch) -> Result<Counts> {
    let mut counts = Counts::default();
    let (urls, hosts, errors) = (batch.text("url")?, batch.text("host")?, batch.text("error")?);
    let (status, bytes, elapsed) = (batch.int("status")?, batch.int("body_bytes")?, batch.int("elapsed_ms")?);
    let (truncated, headers) = (batch.bool("truncated")?, batch.pairs("headers")?);
    for row in 0..batch.rows() {
        let name = hosts.get(row).unwrap_or("");
        let host = match counts.hosts.get_mut(name) {
            Some(host) => host,
            None => counts.hosts.entry(name.into()).or_default(),
        };
        let https = urls.get(row).is_some_and(|url| url.starts_with("https:"));
        let answer = status.get(row);
        host.bytes += bytes.get(row).and_then(|b| u64::try_from(b).ok()).unwrap_or(0);
        host.https += u64::from(https);
        host.truncated += u64::from(truncated.get(row) == Some(true));
        *host.answers.entry((answer, errors.get(row).map(Into::into))).or_default() += 1;
        if answer.is_some() {
            host.times.extend(elapsed.get(row));
        }
        if answer.is_some_and(|status| (200..300).contains(&status))
            && let Some(server) = host.headers.add(headers.of(row), https)
        {
            *host.servers.entry(server.into()).or_default() += 1;
        }
    }
    Ok(counts)
}

/// Counts the pages of each host.
pub fn pages(source: &Source, newest: &Newest, counts: &mut Counts) -> Result<()> {
    source.scan(
        DataSet::Pages,
        &["host"],
        "pages",
        |batch| {
            let hosts = batch.text("host")?;
            let mut pages: PlHashMap<Box<str>, u64> = PlHashMap::new();
            for &row in newest.rows(batch) {
                *pages.entry(hosts.get(row as usize).unwrap_or("").into()).or_default() += 1;
            }
            Ok(pages)
        },
        |part| {
            for (host, pages) in part {
                counts.hosts.entry(host).or_default().pages += pages;
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let host = Host { times: vec![10, 20, 30, 40], ..Host::default() };
        assert_eq!([1, 25, 50, 51, 95, 100].map(|p| host.percentile(p)), [10, 10, 20, 30, 40, 40].map(Some));
        assert_eq!(Host::default().percentile(50), None);
    }
}
