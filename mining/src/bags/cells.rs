//! The cells of all pages, one page behind the other: in memory while they are few, else in a file.
//!
//! Pages are read in the order of their URLs, and stand in that of the archive: a page is one short read wherever it is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::build::varint as put;
use super::file::varint as take;
use crate::spill::Room;

/// Where the cells of a page stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    from: u64,
    bytes: u32,
}

/// Takes cells.
#[derive(Debug)]
pub struct Writer {
    memory: Vec<u8>,
    file: Option<(PathBuf, BufWriter<File>)>,
    length: u64,
    most: usize,
    room: Room,
}

impl Writer {
    /// Nothing yet; up to so many bytes stay in memory.
    pub fn new(room: &Room, most: usize) -> Writer {
        Writer { memory: Vec::new(), file: None, length: 0, most, room: room.clone() }
    }

    /// Adds what [`packed`] made of pages that stand one behind the other; gives where the first begins.
    pub fn push(&mut self, bytes: &[u8]) -> Result<u64> {
        let from = self.length;
        self.length += bytes.len() as u64;
        if self.file.is_none() && self.memory.len() + bytes.len() > self.most {
            let mut file = self.room.file("cells")?;
            file.1.write_all(&self.memory).with_context(|| format!("cannot write {}", file.0.display()))?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some((path, file)) => {
                file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => self.memory.extend_from_slice(bytes),
        }
        Ok(from)
    }

    /// All of them, to be read.
    pub fn finish(self) -> Result<Cells> {
        let Some((path, mut file)) = self.file else {
            return Ok(Cells { memory: self.memory, file: None });
        };
        file.flush().with_context(|| format!("cannot write {}", path.display()))?;
        drop(file);
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Cells { memory: Vec::new(), file: Some((path, file, self.room)) })
    }
}

/// Cells of pages, to be read in any order and by many threads.
#[derive(Debug)]
pub struct Cells {
    memory: Vec<u8>,
    /// The file, which lives as long as its room.
    file: Option<(PathBuf, File, Room)>,
}

impl Cells {
    /// (number, occurrences) of a page, in the order in which they were packed.
    pub fn of(&self, at: At, mut each: impl FnMut(u32, u32)) -> Result<()> {
        let mut read = Vec::new();
        let mut bytes = match &self.file {
            Some((path, file, _)) => {
                read.resize(at.bytes as usize, 0);
                file.read_exact_at(&mut read, at.from).with_context(|| format!("cannot read {}", path.display()))?;
                &read[..]
            }
            None => {
                let from = usize::try_from(at.from)?;
                self.memory.get(from..from + at.bytes as usize).context("bug: a page's cells lie outside")?
            }
        };
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
            let mut writer = Writer::new(&room, most);
            let mut places = Vec::new();
            for chunk in pages.chunks(3) {
                let mut bytes = Vec::new();
                let ats: Vec<At> = chunk.iter().map(|cells| packed(&mut bytes, cells.iter().copied()).unwrap()).collect();
                let start = writer.push(&bytes).unwrap();
                places.extend(ats.into_iter().map(|at| at.behind(start)));
            }
            let cells = writer.finish().unwrap();
            for (page, at) in pages.iter().zip(&places).rev() {
                let mut found = Vec::new();
                cells.of(*at, |number, count| found.push((number, count))).unwrap();
                prop_assert_eq!(&found, page);
            }
        }
    }
}
