//! The sets of shingles of the pages that are compared: made in one pass over the texts, whatever the number of pairs, and kept in
//! memory while they are few, else in a file.

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{InitHashMaps, PlHashMap};
use rayon::prelude::*;

use super::shingles::set;
use super::signature::Pages;
use crate::pile::Pile;
use crate::source::Source;

/// Bytes of a shingle.
pub const SHINGLE: u64 = 8;

/// Pages whose sets are made at once, by the threads that are idle.
const ROWS: usize = 256;

/// Where the set of a page stands, and its shingles.
#[derive(Debug, Clone, Copy)]
struct At {
    from: u64,
    count: u32,
}

/// Sets of shingles by page.
#[derive(Debug)]
pub struct Sets {
    pile: Pile,
    at: Vec<Option<At>>,
    width: usize,
}

impl Sets {
    /// None yet, of shingles of so many words.
    pub fn new(source: &Source, pages: &Pages, width: usize) -> Sets {
        let room = source.room();
        Sets { pile: Pile::new(&room, room.bytes()), at: vec![None; pages.pages.len()], width }
    }

    /// Makes the sets of the pages marked, those that are not there yet: reads each of their row groups once.
    pub fn add(&mut self, source: &Source, pages: &Pages, marked: Vec<bool>) -> Result<()> {
        let mut rows: PlHashMap<u32, Vec<(u32, u32)>> = PlHashMap::new();
        let missing = (0u32..).zip(&marked).zip(&self.at).filter(|((_, marked), at)| **marked && at.is_none());
        for ((page, _), _) in missing {
            let (batch, row) = pages.pages[page as usize].place;
            rows.entry(batch).or_default().push((row, page));
        }
        let mut batches: Vec<usize> = rows.keys().map(|&batch| batch as usize).collect();
        batches.sort_unstable();
        let width = self.width;
        source.scan_tasks(
            DataSet::Pages,
            &batches,
            &["text"],
            "shingles to compare",
            |batch| {
                let texts = batch.text("text")?;
                let rows = &rows[&(batch.number as u32)];
                let set = |&(row, _): &(u32, u32)| set(texts.get(row as usize).unwrap_or(""), width);
                let (mut bytes, mut counts) = (Vec::new(), Vec::new());
                for some in rows.chunks(ROWS) {
                    for ((_, page), set) in some.iter().zip(some.par_iter().map(set).collect::<Vec<_>>()) {
                        set.iter().for_each(|shingle| bytes.extend_from_slice(&shingle.to_le_bytes()));
                        counts.push((*page, u32::try_from(set.len())?));
                    }
                }
                Ok((bytes, counts))
            },
            |(bytes, counts)| {
                let mut from = self.pile.push(&bytes)?;
                for (page, count) in counts {
                    self.at[page as usize] = Some(At { from, count });
                    from += SHINGLE * u64::from(count);
                }
                Ok(())
            },
        )
    }

    /// Number of shingles of a page.
    pub fn count(&self, page: u32) -> u32 {
        self.at[page as usize].map_or(0, |at| at.count)
    }

    /// The sets of some pages, in their order, each ascending.
    pub fn of(&self, pages: &[u32]) -> Result<Vec<Vec<u64>>> {
        let one = |&page: &u32| {
            let Some(At { from, count }) = self.at[page as usize] else { anyhow::bail!("bug: a page has no set") };
            let mut buffer = Vec::new();
            let bytes = self.pile.read(from, SHINGLE as usize * count as usize, &mut buffer)?;
            let eight = |b: &[u8]| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            Ok(bytes.chunks_exact(SHINGLE as usize).map(eight).collect())
        };
        pages.par_iter().map(one).collect()
    }
}
