//! Links between hosts.

use anyhow::Result;
use polars::prelude::{InitHashMaps, PlHashMap};

use super::gather::Gathered;
use super::graph::Csr;
use crate::findings::Matrix;

/// Hosts of the archive, and how many links go from host to host.
#[derive(Debug, Default)]
pub struct HostTable {
    /// Hosts with pages: the most pages first, then by name.
    pub rows: Vec<HostRow>,
    /// Distinct `a` links (page, URL) from host to host, as they stand on the pages; hosts without pages among the targets.
    links: PlHashMap<(String, String), u64>,
}

/// A host with pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRow {
    /// Its name.
    pub host: String,
    /// Archived pages.
    pub pages: u64,
    /// Edges of the page graph that end here.
    pub in_links: u64,
    /// Edges of the page graph that start here.
    pub out_links: u64,
    /// Distinct `a` links (page, URL) to other hosts, archived or not.
    pub external: u64,
}

/// Counts by host.
pub fn hosts(gathered: &Gathered, outgoing: &Csr, incoming: &Csr) -> Result<HostTable> {
    let pages = &gathered.pages.pages;
    let mut rows: PlHashMap<&str, HostRow> = PlHashMap::new();
    for (v, page) in pages.iter().enumerate() {
        let row = rows.entry(&page.host).or_default();
        row.pages += 1;
        row.in_links += incoming.degree(v) as u64;
        row.out_links += outgoing.degree(v) as u64;
    }
    // Numbers of hosts stand for their names while links are counted.
    let mut numbers: PlHashMap<&str, u32> = PlHashMap::new();
    let names = pages.iter().map(|page| &*page.host).chain(gathered.others.hosts().iter().map(|host| &**host));
    let by_url: Vec<u32> = names
        .map(|name| {
            let next = numbers.len() as u32;
            *numbers.entry(name).or_insert(next)
        })
        .collect();
    let mut counts: PlHashMap<u64, u64> = PlHashMap::new();
    gathered.links.each(|from, to| {
        let pair = u64::from(by_url[from as usize]) << 32 | u64::from(by_url[to as usize]);
        *counts.entry(pair).or_default() += 1;
        Ok(())
    })?;
    let mut names = vec![""; numbers.len()];
    numbers.iter().for_each(|(name, &number)| names[number as usize] = name);
    let links: PlHashMap<(&str, &str), u64> = counts
        .into_iter()
        .map(|(pair, count)| ((names[(pair >> 32) as usize], names[pair as u32 as usize]), count))
        .collect();
    for (&(from, to), count) in &links {
        if from != to
            && let Some(row) = rows.get_mut(from)
        {
            row.external += count;
        }
    }
    let mut rows: Vec<HostRow> = rows.into_iter().map(|(host, row)| HostRow { host: host.to_owned(), ..row }).collect();
    rows.sort_unstable_by(|a, b| (b.pages, &a.host).cmp(&(a.pages, &b.host)));
    let links = links.into_iter().map(|((from, to), count)| ((from.to_owned(), to.to_owned()), count)).collect();
    Ok(HostTable { rows, links })
}

impl HostTable {
    /// Links between the `rows` hosts with most pages and the `columns` hosts that they link to most.
    pub fn matrix(&self, rows: usize, columns: usize) -> Matrix {
        let rows: Vec<String> = self.rows.iter().take(rows).map(|row| row.host.clone()).collect();
        let mut targets: PlHashMap<&str, u64> = PlHashMap::new();
        for ((from, to), count) in &self.links {
            if rows.contains(from) {
                *targets.entry(to).or_default() += count;
            }
        }
        let mut targets: Vec<(&str, u64)> = targets.into_iter().collect();
        targets.sort_unstable_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        let columns: Vec<String> = targets.iter().take(columns).map(|(host, _)| (*host).to_owned()).collect();
        let count = |from: &String, to: &String| self.links.get(&(from.clone(), to.clone())).copied().unwrap_or(0);
        let counts = rows.iter().map(|from| columns.iter().map(|to| count(from, to)).collect()).collect();
        Matrix { rows, columns, counts }
    }
}
