//! Candidates: pairs of pages whose signatures agree in one band at least (Leskovec, Rajaraman, Ullman: "Mining of Massive
//! Datasets", 3.4).

use anyhow::Result;
use rayon::prelude::*;

use super::shingles::{VALUES, mixed};
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

/// Pairs of pages (the smaller number in the upper half), ascending, each once. Of pages with equal texts only the first takes
/// part.
pub fn pairs(pages: &Pages, threshold: f64, room: &Room) -> Result<List<1>> {
    let mut texts: Vec<(u128, u32)> =
        (0u32..).zip(&pages.pages).filter(|(_, page)| page.eligible).map(|(n, page)| (page.text, n)).collect();
    texts.par_sort_unstable();
    texts.dedup_by_key(|(text, _)| *text);
    let rows = band(threshold);
    let mut pairs = Sorter::<1, 1>::repeating(room);
    for band in 0..VALUES / rows {
        let mut buckets: Vec<(u64, u32)> = texts
            .par_iter()
            .map(|&(_, page)| {
                let values = &pages.signature(page).0[band * rows..(band + 1) * rows];
                (values.iter().fold(0u64, |hash, &value| mixed(hash ^ u64::from(value as u32))), page)
            })
            .collect();
        buckets.par_sort_unstable();
        for bucket in buckets.chunk_by(|a, b| a.0 == b.0) {
            for (i, &(_, page)) in bucket.iter().enumerate() {
                let others = bucket[i + 1..].iter().take(NEIGHBOURS);
                others
                    .into_iter()
                    .try_for_each(|&(_, other)| pairs.push([u64::from(page) << 32 | u64::from(other)]))?;
            }
        }
    }
    pairs.list()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_as_wide_as_the_threshold_allows() {
        assert_eq!((band(0.5), band(0.75), band(0.8), band(0.9), band(1.0)), (2, 4, 5, 8, 8));
    }
}
