//! The links of one row group, as far as they depend on it alone: which URLs its records name, and how.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use polars::prelude::{InitHashMaps, PlHashMap};
use serde::{Deserialize, Serialize};

use crate::source::Batch;

/// Names the work and its version.
pub const KIND: &str = "links-1";
/// Columns of `links` that it reads.
pub const COLUMNS: [&str; 4] = ["id", "dst", "dst_host", "kind"];

/// Kinds of links by number; the first six alphabetically.
pub const KINDS: [&str; 7] = ["a", "form", "iframe", "img", "link", "script", "redirect"];
pub const A: u8 = 0;
pub const FORM: u8 = 1;
pub const REDIRECT: u8 = 6;

/// A record by its id, with its distinct links: each a number of a URL and of a kind.
type Record = (Box<str>, Vec<(u32, u8)>);

/// Links of a row group.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Part {
    /// Distinct hosts of URLs.
    pub hosts: Vec<Box<str>>,
    /// Distinct URLs, each with the number of its host.
    pub urls: Vec<(Box<str>, u32)>,
    /// Records; one may stand in it twice.
    pub records: Vec<Record>,
}

/// What stands in a file, before its numbers are looked at.
#[derive(Deserialize)]
struct Unchecked {
    hosts: Vec<Box<str>>,
    urls: Vec<(Box<str>, u32)>,
    records: Vec<Record>,
}

impl TryFrom<Unchecked> for Part {
    type Error = &'static str;

    fn try_from(from: Unchecked) -> Result<Part, &'static str> {
        let hosts = from.urls.iter().all(|(_, host)| (*host as usize) < from.hosts.len());
        let mut links = from.records.iter().flat_map(|(_, links)| links);
        let fits = |&(url, kind): &(u32, u8)| (url as usize) < from.urls.len() && (kind as usize) < KINDS.len();
        if !hosts || !links.all(fits) {
            return Err("a number lies outside");
        }
        Ok(Part { hosts: from.hosts, urls: from.urls, records: from.records })
    }
}

/// The links of a batch.
pub fn of_batch(batch: &Batch) -> Result<Part> {
    let (ids, targets) = (batch.text("id")?, batch.text("dst")?);
    let (hosts, kinds) = (batch.text("dst_host")?, batch.text("kind")?);
    let mut part = Part::default();
    let (mut urls, mut by_host): (PlHashMap<&str, u32>, BTreeMap<&str, u32>) = (PlHashMap::new(), BTreeMap::new());
    let mut record: Option<(&str, Vec<(u32, u8)>)> = None;
    for row in 0..batch.rows() {
        let columns = (ids.get(row), targets.get(row), hosts.get(row), kinds.get(row));
        let (Some(id), Some(target), Some(host), Some(kind)) = columns else { continue };
        let Some(kind) = KINDS.iter().position(|k| *k == kind) else { continue };
        let next = part.urls.len() as u32;
        let url = *urls.entry(target).or_insert(next);
        if url == next {
            let new = part.hosts.len() as u32;
            let number = *by_host.entry(host).or_insert(new);
            if number == new {
                part.hosts.push(host.into());
            }
            part.urls.push((target.into(), number));
        }
        match &mut record {
            // The links of a record stand together.
            Some((same, links)) if *same == id => links.push((url, kind as u8)),
            _ => part.add(record.replace((id, vec![(url, kind as u8)]))),
        }
    }
    part.add(record);
    ensure!(u32::try_from(part.urls.len()).is_ok(), "too many URLs");
    Ok(part)
}

impl Part {
    fn add(&mut self, record: Option<(&str, Vec<(u32, u8)>)>) {
        if let Some((id, mut links)) = record {
            links.sort_unstable();
            links.dedup();
            self.records.push((id.into(), links));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_part_comes_back_and_one_with_numbers_that_lie_outside_does_not() {
        let part = Part {
            hosts: vec!["a.example".into()],
            urls: vec![("http://a.example/".into(), 0)],
            records: vec![("id".into(), vec![(0, A), (0, FORM)])],
        };
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<Part>(&json).unwrap(), part);
        for (from, to) in [("[0,0]", "[1,0]"), ("[0,0]", "[0,7]"), ("/\",0", "/\",1")] {
            assert!(json.contains(from));
            assert!(serde_json::from_str::<Part>(&json.replace(from, to)).is_err());
        }
    }
}
