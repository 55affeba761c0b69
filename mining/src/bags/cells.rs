//! The cells of all pages, one page behind the other.
//!
//! Pages are read in the order of their URLs, and stand in that of the archive: a page is one short read wherever it is.

use anyhow::{Context, Result};

use super::build::varint as put;
use super::file::varint as take;
use crate::pile::Pile;
use crate::spill::Room;

/// Where the cells of a page stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    from: u64,
    bytes: u32,
}

/// Cells of pages, to be read in any order and by many threads.
#[derive(Debug)]
pub struct Cells(Pile);

impl Cells {
    /// None yet; up to so many bytes stay in memory.
    pub fn new(room: &Room, most: usize) -> Cells {
        Cells(Pile::new(room, most))
    }

    /// Adds what [`packed`] made of pages that stand one behind the other; gives where the first begins.
    pub fn push(&mut self, bytes: &[u8]) -> Result<u64> {
        self.0.push(bytes)
    }

    /// (number, occurrences) of a page, in the order in which they were packed.
    pub fn of(&self, at: At, mut each: impl FnMut(u32, u32)) -> Result<()> {
        let mut buffer = Vec::new();
        let mut bytes = self.0.read(at.from, at.bytes as usize, &mut buffer)?;
        while !bytes.is_empty() {
            let (number, count) = (take(&mut bytes), take(&mut bytes));
            let (number, count) = number.zip(count).context("cells of a page have changed")?;
            each(number, count);
        }
        Ok(())
    }
}

/// Appends the cells of a page; gives their place in `out`.
pub fn packed(out: &mut Vec<u8>, cells: impl Iterator<Item = (u32, u32)>) -> Result<At> {
    let from = out.len();
    for (number, count) in cells {
        put(out, number);
        put(out, count);
    }
    Ok(At { from: from as u64, bytes: u32::try_from(out.len() - from)? })
}

impl At {
    /// The same place in what was appended at `start`.
    pub fn behind(self, start: u64) -> At {
        At { from: start + self.from, ..self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cells_come_back_in_any_order_from_memory_and_from_a_file(
            pages in prop::collection::vec(prop::collection::vec((any::<u32>(), 1u32..), 0..9), 0..20), most in 0usize..200,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let room = Room::new(1, archive::DataDir::new(dir.path()));
            let mut cells = Cells::new(&room, most);
            let mut places = Vec::new();
            for chunk in pages.chunks(3) {
                let mut bytes = Vec::new();
                let ats: Vec<At> = chunk.iter().map(|cells| packed(&mut bytes, cells.iter().copied()).unwrap()).collect();
                let start = cells.push(&bytes).unwrap();
                places.extend(ats.into_iter().map(|at| at.behind(start)));
            }
            for (page, at) in pages.iter().zip(&places).rev() {
                let mut found = Vec::new();
                cells.of(*at, |number, count| found.push((number, count))).unwrap();
                prop_assert_eq!(&found, page);
            }
        }
    }
}
