//! The true similarity of candidates, as many of them at once as memory allows.
//!
//! Candidates are compared by the components that they form, so that most pages are looked at in one round only. Two sets of which
//! one is so much larger that they cannot be alike are not read at all.

use anyhow::Result;
use polars::prelude::{InitHashMaps, PlHashMap};
use rayon::prelude::*;

use super::groups::{Groups, Union};
use super::sets::{SHINGLE, Sets};
use super::shingles::jaccard;
use super::signature::Pages;
use crate::source::Source;
use crate::spill::{List, Sorter};

/// Bytes of shingles that are compared at once, unless an eighth of the limit of memory is less.
const AT_ONCE: u64 = 256 << 20;
/// Bytes of a page in a round, whatever its length, and of a pair.
const PAGE: u64 = 64;
const PAIR: u64 = 24;

/// Candidates that were compared.
#[derive(Debug, Default)]
pub struct Verified {
    /// Pairs at or above the threshold.
    pub alike: usize,
    /// Pairs compared.
    pub compared: usize,
}

/// Joins the pairs whose similarity reaches the threshold.
pub fn verify(
    source: &Source,
    pages: &Pages,
    pairs: &List<1>,
    sets: &mut Sets,
    threshold: f64,
    joined: &mut Union,
) -> Result<Verified> {
    let halves = |pair: u64| ((pair >> 32) as u32, pair as u32);
    let mut candidates = Union::new(pages.pages.len());
    let mut wanted = vec![false; pages.pages.len()];
    pairs.each(|[pair]| {
        let (a, b) = halves(pair);
        candidates.join(a, b);
        (wanted[a as usize], wanted[b as usize]) = (true, true);
        Ok(())
    })?;
    sets.add(source, pages, wanted)?;
    let mut ordered = Sorter::<2, 2>::new(&source.room());
    pairs.each(|[pair]| ordered.push([u64::from(candidates.root(halves(pair).0)), pair]))?;
    drop(candidates);
    let (mut alike, mut compared) = (0, 0);
    let mut compare = |round: &mut Round| {
        source.go_on()?;
        for (a, b, _) in round.compare(sets)?.into_iter().filter(|(.., likeness)| *likeness >= threshold) {
            joined.join(a, b);
            alike += 1;
        }
        Ok(())
    };
    let mut round = Round::new(source);
    ordered.drain(|[_, pair]| {
        let (a, b) = halves(pair);
        compared += 1;
        let (few, many) = (sets.count(a).min(sets.count(b)), sets.count(a).max(sets.count(b)));
        // What both share is the smaller one at most.
        if f64::from(few) / f64::from(many) < threshold {
            return Ok(());
        }
        round.push(a, b, sets);
        if round.is_full() { compare(&mut round) } else { Ok(()) }
    })?;
    compare(&mut round)?;
    Ok(Verified { alike, compared })
}

/// Similarity of each page of a group with the group's original, by page.
pub fn with_originals(source: &Source, pages: &Pages, groups: &Groups, sets: &mut Sets) -> Result<PlHashMap<u32, f64>> {
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
    // Most are there from the comparison of candidates.
    let mut wanted = vec![false; pages.pages.len()];
    open.iter().for_each(|&(page, original)| (wanted[page as usize], wanted[original as usize]) = (true, true));
    sets.add(source, pages, wanted)?;
    let mut round = Round::new(source);
    for (page, original) in open {
        round.push(page, original, sets);
        if round.is_full() {
            source.go_on()?;
            similar.extend(round.compare(sets)?.into_iter().map(|(page, _, likeness)| (page, likeness)));
        }
    }
    similar.extend(round.compare(sets)?.into_iter().map(|(page, _, likeness)| (page, likeness)));
    Ok(similar)
}

/// Pairs that are compared at once.
struct Round {
    /// By the places of their pages.
    pairs: Vec<(u32, u32)>,
    pages: Vec<u32>,
    places: PlHashMap<u32, u32>,
    bytes: u64,
    most: u64,
}

impl Round {
    fn new(source: &Source) -> Round {
        let most = source.memory().map_or(AT_ONCE, |limit| (limit / 8).min(AT_ONCE));
        Round { pairs: Vec::new(), pages: Vec::new(), places: PlHashMap::new(), bytes: 0, most }
    }

    fn push(&mut self, a: u32, b: u32, sets: &Sets) {
        let mut place = |page: u32| {
            *self.places.entry(page).or_insert_with(|| {
                self.bytes += PAGE + SHINGLE * u64::from(sets.count(page));
                self.pages.push(page);
                self.pages.len() as u32 - 1
            })
        };
        let pair = (place(a), place(b));
        self.pairs.push(pair);
        self.bytes += PAIR;
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.most
    }

    /// The similarity of each pair; the next round begins empty.
    fn compare(&mut self, sets: &Sets) -> Result<Vec<(u32, u32, f64)>> {
        let found = sets.of(&self.pages)?;
        let likeness = |&(a, b): &(u32, u32)| {
            let (a, b) = (a as usize, b as usize);
            (self.pages[a], self.pages[b], jaccard(&found[a], &found[b]))
        };
        let compared = self.pairs.par_iter().map(likeness).collect();
        self.pairs.clear();
        self.pages.clear();
        self.places.clear();
        self.bytes = 0;
        Ok(compared)
    }
}
