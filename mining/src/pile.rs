//! Pieces of bytes, one behind the other, to be read in any order: in memory while they are few, else in a file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::spill::Room;

/// The pieces. Many threads may read what is there.
#[derive(Debug)]
pub struct Pile {
    memory: Vec<u8>,
    /// The file, which lives as long as its room.
    file: Option<(PathBuf, File)>,
    length: u64,
    most: usize,
    room: Room,
}

impl Pile {
    /// Nothing yet; up to so many bytes stay in memory.
    pub fn new(room: &Room, most: usize) -> Pile {
        Pile { memory: Vec::new(), file: None, length: 0, most, room: room.clone() }
    }

    /// Adds a piece; gives where it begins.
    pub fn push(&mut self, bytes: &[u8]) -> Result<u64> {
        let from = self.length;
        if self.file.is_none() && self.memory.len() + bytes.len() > self.most {
            let (path, file) = self.room.random("pile")?;
            file.write_all_at(&self.memory, 0).with_context(|| format!("cannot write {}", path.display()))?;
            self.memory = Vec::new();
            self.file = Some((path, file));
        }
        match &self.file {
            Some((path, file)) => {
                file.write_all_at(bytes, from).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => self.memory.extend_from_slice(bytes),
        }
        self.length += bytes.len() as u64;
        Ok(from)
    }

    /// So many bytes from a place on; `buffer` takes what comes from the file.
    pub fn read<'a>(&'a self, from: u64, bytes: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let Some((path, file)) = &self.file else {
            let from = usize::try_from(from)?;
            return self.memory.get(from..from + bytes).context("bug: what is read was never written");
        };
        buffer.resize(bytes, 0);
        file.read_exact_at(buffer, from).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_come_back_in_any_order_from_memory_and_from_a_file_while_more_are_added(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..30), most in 0usize..200,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut pile = Pile::new(&Room::new(1, archive::DataDir::new(dir.path())), most);
            let mut places = Vec::new();
            for piece in &pieces {
                places.push(pile.push(piece).unwrap());
                for (piece, &from) in pieces.iter().zip(&places).rev() {
                    let mut buffer = Vec::new();
                    prop_assert_eq!(pile.read(from, piece.len(), &mut buffer).unwrap(), piece);
                }
            }
            prop_assert_eq!(pile.file.is_some(), pieces.iter().map(Vec::len).sum::<usize>() > most);
        }
    }
}
