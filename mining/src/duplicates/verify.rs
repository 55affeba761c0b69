//! The true similarity of candidates: their texts are read again, as many at once as memory allows.

use std::collections::BTreeSet;

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{InitHashMaps, PlHashMap};
use rayon::prelude::*;

use super::groups::Groups;
use super::shingles::{jaccard, set};
use super::signature::Pages;
use crate::source::Source;
use crate::spill::List;

/// Bytes of shingles that are compared at once, unless an eighth of the limit of memory is less.
const AT_ONCE: u64 = 256 << 20;
/// Bytes of a page in a round, whatever its length, and of a pair.
const PAGE: u64 = 64;
const PAIR: u64 = 8;

/// Candidates that were compared.
#[derive(Debug, Default)]
pub struct Verified {
    /// Pairs at or above the threshold.
    pub pairs: Vec<(u32, u32)>,
    /// Pairs compared.
    pub compared: usize,
}

/// Keeps the pairs whose similarity reaches the threshold.
pub fn verify(source: &Source, pages: &Pages, pairs: &List<1>, width: usize, threshold: f64) -> Result<Verified> {
    let most = at_once(source);
    let mut verified = Verified::default();
    let mut reader = pairs.reader()?;
    let mut next = reader.next()?;
    while next.is_some() {
        source.go_on()?;
        let (mut needed, mut round, mut bytes) = (BTreeSet::new(), Vec::new(), 0);
        while let Some([pair]) = next
            && bytes < most
        {
            let pair = ((pair >> 32) as u32, pair as u32);
            bytes += PAIR;
            for page in [pair.0, pair.1] {
                if needed.insert(page) {
                    bytes += weight(pages, page);
                }
            }
            round.push(pair);
            next = reader.next()?;
        }
        verified.compared += round.len();
        let sets = sets(source, pages, &needed, width)?;
        let alike = |(a, b): &(u32, u32)| jaccard(&sets[a], &sets[b]) >= threshold;
        verified.pairs.par_extend(round.par_iter().copied().filter(alike));
    }
    Ok(verified)
}

/// Bytes of the shingles of a page, at most.
fn weight(pages: &Pages, page: u32) -> u64 {
    PAGE + 8 * u64::from(pages.pages[page as usize].words)
}

fn at_once(source: &Source) -> u64 {
    source.memory().map_or(AT_ONCE, |limit| (limit / 8).min(AT_ONCE))
}

/// Similarity of each page of a group with the group's original, by page.
pub fn with_originals(source: &Source, pages: &Pages, groups: &Groups, width: usize) -> Result<PlHashMap<u32, f64>> {
    let mut similar = PlHashMap::new();
    // Equal texts need no reading.
    let differ = |page: u32, original: u32| {
        let (page, original) = (&pages.pages[page as usize], &pages.pages[original as usize]);
        !(page.body == original.body && page.body != 0
            || page.text == original.text && page.eligible && original.eligible)
    };
    let mut open: Vec<(u32, u32)> = Vec::new();
    for group in &groups.groups {
        let original = group[0];
        for &page in group {
            if differ(page, original) {
                open.push((page, original));
            } else {
                similar.insert(page, 1.0);
            }
        }
    }
    let (most, mut open) = (at_once(source), &open[..]);
    while !open.is_empty() {
        source.go_on()?;
        let (mut needed, mut count, mut bytes) = (BTreeSet::new(), 0, 0);
        while count < open.len() && bytes < most {
            let (page, original) = open[count];
            for page in [page, original] {
                if needed.insert(page) {
                    bytes += weight(pages, page);
                }
            }
            count += 1;
        }
        let (round, rest) = open.split_at(count);
        open = rest;
        let sets = sets(source, pages, &needed, width)?;
        similar.extend(round.iter().map(|(page, original)| (*page, jaccard(&sets[page], &sets[original]))));
    }
    Ok(similar)
}

/// Shingles of some pages.
fn sets(source: &Source, pages: &Pages, needed: &BTreeSet<u32>, width: usize) -> Result<PlHashMap<u32, Vec<u64>>> {
    let mut rows: PlHashMap<u32, Vec<(u32, u32)>> = PlHashMap::new();
    for &page in needed {
        let (batch, row) = pages.pages[page as usize].place;
        rows.entry(batch).or_default().push((row, page));
    }
    let mut batches: Vec<usize> = rows.keys().map(|&batch| batch as usize).collect();
    batches.sort_unstable();
    let mut sets = PlHashMap::with_capacity(needed.len());
    source.scan_tasks(
        DataSet::Pages,
        &batches,
        &["text"],
        "comparing",
        |batch| {
            let texts = batch.text("text")?;
            let of = |&(row, page): &(u32, u32)| (page, set(texts.get(row as usize).unwrap_or(""), width));
            Ok(rows[&(batch.number as u32)].iter().map(of).collect::<Vec<_>>())
        },
        |part| {
            sets.extend(part);
            Ok(())
        },
    )?;
    Ok(sets)
}
