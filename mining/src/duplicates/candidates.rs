//! Candidates: pairs of pages whose signatures agree in one band at least (Leskovec, Rajaraman, Ullman: "Mining of Massive
//! Datasets", 3.4).

use anyhow::Result;
use rayon::prelude::*;

use super::shingles::{Signature, VALUES, mixed};
use super::signature::Pages;
use crate::spill::{List, Room, Sorter};

/// A pair at the threshold is a candidate with at least this probability.
const FOUND: f64 = 0.999;
/// Pages of one bucket that each page is paired with. In a larger bucket (one template over many pages) the pairs left out
/// meet in other bands, or through their neighbours.
const NEIGHBOURS: usize = 256;

/// Values of a band: the most with which a pair at the threshold is still found.
pub fn band(threshold: f64) -> usize {
    let found = |rows: usize| 1.0 - (1.0 - threshold.powi(rows as i32)).powi((VALUES / rows) as i32);
    (1..=8).rev().find(|&rows| found(rows) >= FOUND).unwrap_or(1)
}

/// Collects the bands of signatures.
#[derive(Debug)]
pub struct Bands {
    rows: usize,
    /// Hash of a band with its number, and a page in the order of arrival.
    found: Sorter<2, 2>,
}

impl Bands {
    /// None yet.
    pub fn new(threshold: f64, room: &Room) -> Bands {
        Bands { rows: band(threshold), found: Sorter::new(room) }
    }

    /// Adds the bands of a page.
    pub fn push(&mut self, page: u32, signature: &Signature) -> Result<()> {
        for (number, values) in (0u64..).zip(signature.0.chunks_exact(self.rows)) {
            let hash = values.iter().fold(mixed(number), |hash, &value| mixed(hash ^ u64::from(value as u32)));
            self.found.push([hash, u64::from(page)])?;
        }
        Ok(())
    }

    /// Pairs of pages (the smaller number in the upper half), ascending, each once. Of pages with equal texts only the first
    /// takes part.
    pub fn pairs(self, pages: &Pages, room: &Room) -> Result<List<1>> {
        let mut texts: Vec<(u128, u32)> =
            (0u32..).zip(&pages.pages).filter(|(_, page)| page.eligible).map(|(n, page)| (page.text, n)).collect();
        texts.par_sort_unstable();
        texts.dedup_by_key(|(text, _)| *text);
        // By arrival: the number of a page that takes part.
        let mut part = vec![u32::MAX; pages.pages.len()];
        for (_, page) in texts {
            part[pages.pages[page as usize].arrival as usize] = page;
        }
        let mut pairs = Sorter::<1, 1>::repeating(room);
        let (mut last, mut bucket) = (None, Vec::new());
        self.found.drain(|[hash, arrival]| {
            if last.replace(hash) != Some(hash) {
                pair(&mut bucket, &mut pairs)?;
            }
            bucket.extend(Some(part[arrival as usize]).filter(|&page| page != u32::MAX));
            Ok(())
        })?;
        pair(&mut bucket, &mut pairs)?;
        pairs.list()
    }
}

/// Pairs the pages of a bucket, and empties it.
fn pair(bucket: &mut Vec<u32>, pairs: &mut Sorter<1, 1>) -> Result<()> {
    // Pages arrive in any order: by their numbers, the same neighbours are paired in each run.
    bucket.sort_unstable();
    for (i, &page) in bucket.iter().enumerate() {
        let mut others = bucket[i + 1..].iter().take(NEIGHBOURS);
        others.try_for_each(|&other| pairs.push([u64::from(page) << 32 | u64::from(other)]))?;
    }
    bucket.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_as_wide_as_the_threshold_allows() {
        assert_eq!((band(0.5), band(0.75), band(0.8), band(0.9), band(1.0)), (2, 4, 5, 8, 8));
    }
}
