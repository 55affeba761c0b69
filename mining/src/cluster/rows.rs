//! Pages as sparse rows of TF-IDF weights of length 1, in the order of their URLs; blocks of them, in memory while they are few,
//! else in a file that is read again in each round.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::bags::{Corpus, Page};
use crate::keywords::{Scheme, Weights};
use crate::source::Source;
use crate::spill::Room;

const NONE: u32 = u32::MAX;
/// Rows of a block.
pub const BLOCK: usize = 256;

/// Neighbouring rows, compressed.
#[derive(Debug, Default, PartialEq)]
pub struct Block {
    offsets: Vec<u32>,
    terms: Vec<u32>,
    weights: Vec<f32>,
}

impl Block {
    fn bytes(&self) -> usize {
        4 * (self.offsets.len() + 2 * self.terms.len())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Terms and weights of a row, by its place in the block.
    pub fn of(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        (&self.terms[range.clone()], &self.weights[range])
    }

    fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        let numbers = self.offsets.iter().chain(&self.terms);
        numbers
            .map(|n| n.to_le_bytes())
            .chain(self.weights.iter().map(|w| w.to_le_bytes()))
            .try_for_each(|b| to.write_all(&b))
    }

    fn read(bytes: &[u8], rows: usize) -> Block {
        let four = |b: &[u8]| [b[0], b[1], b[2], b[3]];
        let numbers = |bytes: &[u8]| bytes.chunks_exact(4).map(|b| u32::from_le_bytes(four(b))).collect();
        let (offsets, cells) = bytes.split_at(4 * (rows + 1));
        let (terms, weights) = cells.split_at(cells.len() / 2);
        let weights = weights.chunks_exact(4).map(|b| f32::from_le_bytes(four(b))).collect();
        Block { offsets: numbers(offsets), terms: numbers(terms), weights }
    }
}

/// Where a block is.
#[derive(Debug)]
enum Place {
    Memory(Arc<Block>),
    /// Where it begins in the file, its bytes and its rows.
    Disk(u64, usize, usize),
}

/// Rows.
#[derive(Debug)]
pub struct Rows {
    blocks: Vec<Place>,
    /// The block that is being filled, until [`Rows::finish`].
    open: Block,
    /// Bytes of the blocks, and how many may be in memory.
    bytes: usize,
    room: Option<Room>,
    writing: Option<(PathBuf, BufWriter<File>)>,
    reading: Option<(PathBuf, File)>,
    /// By row: the sum of squares of the weights of terms that no other page has. Such a term has no column: it adds to no
    /// product with another row.
    own: Vec<f64>,
    /// By row: its squared length.
    squares: Vec<f64>,
    empty: Vec<bool>,
    /// Columns: terms of two pages or more.
    pub columns: usize,
}

impl Rows {
    /// The rows of a corpus; those beyond the room in a file.
    pub fn new(corpus: &Corpus, source: &Source) -> Result<Rows> {
        let weights = Weights::new(Scheme::TfIdf, corpus, 0.0, 0.0);
        let mut column = vec![NONE; corpus.terms.len()];
        let mut columns = 0;
        for (column, _) in column.iter_mut().zip(&corpus.df).filter(|(_, df)| **df > 1) {
            *column = columns;
            columns += 1;
        }
        let mut rows = Rows::with_columns(columns as usize, Some(source.room()));
        for pages in corpus.pages.chunks(1024) {
            source.go_on()?;
            let of_page = |page: &Page| {
                let cells = weights.page(&corpus.cells(page)?, page.length);
                let alone = cells.iter().filter(|cell| column[cell.term as usize] == NONE);
                let own: f64 = alone.map(|cell| cell.weight * cell.weight).sum();
                let shared = cells.iter().map(|cell| (column[cell.term as usize], cell.weight as f32));
                Ok((shared.filter(|(column, _)| *column != NONE).collect::<Vec<_>>(), own))
            };
            for (cells, own) in pages.par_iter().map(of_page).collect::<Result<Vec<_>>>()? {
                rows.push(cells.into_iter(), own)?;
            }
        }
        rows.finish()
    }

    /// No row yet; without a room all stay in memory.
    pub fn with_columns(columns: usize, room: Option<Room>) -> Rows {
        Rows {
            blocks: Vec::new(),
            open: Block::default(),
            bytes: 0,
            room,
            writing: None,
            reading: None,
            own: Vec::new(),
            squares: Vec::new(),
            empty: Vec::new(),
            columns,
        }
    }

    /// Adds a row.
    pub fn push(&mut self, cells: impl Iterator<Item = (u32, f32)>, own: f64) -> Result<()> {
        if self.open.len() == BLOCK {
            self.close()?;
        }
        if self.open.offsets.is_empty() {
            self.open.offsets.push(0);
        }
        let (mut square, before) = (own, self.open.terms.len());
        for (term, weight) in cells {
            self.open.terms.push(term);
            self.open.weights.push(weight);
            square += f64::from(weight) * f64::from(weight);
        }
        self.open.offsets.push(u32::try_from(self.open.terms.len())?);
        self.own.push(own);
        self.squares.push(square);
        self.empty.push(before == self.open.terms.len());
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let block = std::mem::take(&mut self.open);
        let from = self.bytes;
        self.bytes += block.bytes();
        let most = self.room.as_ref().map_or(usize::MAX, Room::bytes);
        if let (None, Some(room), true) = (&self.writing, &self.room, self.bytes > most) {
            let mut file = room.file("rows")?;
            let mut at = 0;
            for place in &mut self.blocks {
                if let Place::Memory(block) = place {
                    block.write(&mut file.1).with_context(|| format!("cannot write {}", file.0.display()))?;
                    let (bytes, rows) = (block.bytes(), block.len());
                    *place = Place::Disk(at, bytes, rows);
                    at += bytes as u64;
                }
            }
            self.writing = Some(file);
        }
        self.blocks.push(match &mut self.writing {
            Some((path, file)) => {
                block.write(file).with_context(|| format!("cannot write {}", path.display()))?;
                Place::Disk(from as u64, block.bytes(), block.len())
            }
            None => Place::Memory(Arc::new(block)),
        });
        Ok(())
    }

    /// All rows are there.
    pub fn finish(mut self) -> Result<Rows> {
        if self.open.len() > 0 {
            self.close()?;
        }
        if let Some((path, mut file)) = self.writing.take() {
            file.flush().with_context(|| format!("cannot write {}", path.display()))?;
            drop(file);
            let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            self.reading = Some((path, file));
        }
        Ok(self)
    }

    /// Number of blocks; each but the last has [`BLOCK`] rows.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Blocks that are looked at together: all of them, or as many as fit.
    pub fn at_once(&self) -> usize {
        if self.reading.is_some() { 8 * rayon::current_num_threads() } else { self.blocks.len().max(1) }
    }

    /// A block.
    pub fn block(&self, number: usize) -> Result<Arc<Block>> {
        match (&self.blocks[number], &self.reading) {
            (Place::Memory(block), _) => Ok(Arc::clone(block)),
            (&Place::Disk(at, bytes, rows), Some((path, file))) => {
                let mut read = vec![0; bytes];
                file.read_exact_at(&mut read, at).with_context(|| format!("cannot read {}", path.display()))?;
                Ok(Arc::new(Block::read(&read, rows)))
            }
            (Place::Disk(..), None) => anyhow::bail!("bug: rows are read before all are there"),
        }
    }

    /// The block of a row, and its place there.
    pub fn block_of(&self, row: usize) -> Result<(Arc<Block>, usize)> {
        Ok((self.block(row / BLOCK)?, row % BLOCK))
    }

    /// Some of the rows, ascending, in memory.
    pub fn some(&self, chosen: impl Iterator<Item = usize>) -> Result<Rows> {
        let mut rows = Rows::with_columns(self.columns, None);
        let mut last: Option<(usize, Arc<Block>)> = None;
        for row in chosen {
            let block = match &last {
                Some((number, block)) if *number == row / BLOCK => Arc::clone(block),
                _ => self.block(row / BLOCK)?,
            };
            let (terms, weights) = block.of(row % BLOCK);
            rows.push(terms.iter().copied().zip(weights.iter().copied()), self.own[row])?;
            last = Some((row / BLOCK, block));
        }
        rows.finish()
    }

    /// So many of the rows at most, spread evenly over their order.
    pub fn sample(&self, most: usize) -> Result<Rows> {
        let count = self.len().min(most);
        self.some((0..count).map(|i| i * self.len() / count))
    }

    /// Sum of squares of the weights of terms that only this row has.
    pub fn own(&self, row: usize) -> f64 {
        self.own[row]
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether a row has no terms that another has.
    pub fn is_empty(&self, row: usize) -> bool {
        self.empty[row]
    }

    /// Squared length of a row: 1 but for rounding, 0 when it has no terms.
    pub fn square(&self, row: usize) -> f64 {
        self.squares[row]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn rows_are_the_same_in_memory_and_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let fill = |room: Option<Room>| {
            let mut rows = Rows::with_columns(50, room);
            for i in 0..1000u32 {
                rows.push((0..i % 7).map(|term| (term * 3 + i % 4, 1.0 / f32::from(i as u16 + 1))), f64::from(i))
                    .unwrap();
            }
            rows.finish().unwrap()
        };
        let (memory, disk) = (fill(None), fill(Some(Room::new(9000, archive::DataDir::new(dir.path())))));
        assert!(disk.reading.is_some() && memory.reading.is_none());
        assert_eq!((memory.blocks(), disk.blocks(), disk.len()), (4, 4, 1000));
        assert!((0..4).all(|block| memory.block(block).unwrap() == disk.block(block).unwrap()));
        assert!((0..1000).all(|row| (memory.square(row), memory.own(row)) == (disk.square(row), disk.own(row))));
        let (few, same) = (memory.sample(300).unwrap(), disk.sample(300).unwrap());
        assert_eq!((few.len(), few.block(1).unwrap()), (300, same.block(1).unwrap()));
        let (block, place) = disk.block_of(999).unwrap();
        assert_eq!(block.of(place).0.len(), 999 % 7);
    }
}
