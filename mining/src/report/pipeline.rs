//! Writing a table piece by piece: several pieces are made and encoded at once, and written in their order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use polars::prelude::DataFrame;

use super::parquet::{Encoded, Encoder, Pieces};
use crate::findings::Piece;
use crate::miner::TableSpec;

/// What may be under way.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Pieces at once.
    pub threads: usize,
    /// Their bytes, unless a single one takes more.
    pub room: usize,
    /// Rows that are given back.
    pub first: usize,
}

/// A piece, encoded, with its rows and bytes and the first of its rows.
struct Made {
    encoded: Encoded,
    rows: usize,
    bytes: usize,
    head: DataFrame,
}

/// What is under way.
struct Line {
    file: Pieces,
    /// Made before their turn.
    early: BTreeMap<usize, Made>,
    /// Number of the next to be written.
    next: usize,
    /// Pieces that are not written yet.
    pieces: usize,
    /// Bytes of the largest piece so far.
    largest: usize,
    rows: usize,
    head: DataFrame,
    failed: Option<anyhow::Error>,
}

impl Line {
    fn take(&mut self, number: usize, made: Result<Made>, first: usize) {
        self.pieces -= 1;
        let written = made.and_then(|made| {
            self.largest = self.largest.max(made.bytes);
            self.early.insert(number, made);
            while let Some(made) = self.early.remove(&self.next) {
                self.next += 1;
                self.rows += made.rows;
                if self.head.height() < first {
                    self.head.vstack_mut(&made.head.head(Some(first - self.head.height())))?;
                }
                self.file.add(made.encoded)?;
            }
            Ok(())
        });
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

fn make(spec: &TableSpec, encoder: &Encoder, piece: Piece, first: usize, alone: bool) -> Result<Made> {
    let frame = piece()?;
    spec.check(&frame)?;
    let (rows, bytes, head) = (frame.height(), frame.estimated_size(), frame.head(Some(first)));
    // What waits for others on a thread of the pool may take up another piece meanwhile, and come back to its own much later.
    let encoded = if alone { encoder.encode(&frame) } else { encoder.encode_alone(&frame) };
    Ok(Made { encoded: encoded?, rows, bytes, head })
}

/// Writes all pieces that `next` gives, and ends the file; gives the number of rows and the first of them.
pub fn write(
    file: Pieces,
    spec: &TableSpec,
    mut next: impl FnMut() -> Result<Option<Piece>>,
    limits: Limits,
) -> Result<(usize, DataFrame)> {
    let (encoder, first) = (file.encoder(), limits.first);
    let line = Mutex::new(Line {
        file,
        early: BTreeMap::new(),
        next: 0,
        pieces: 0,
        largest: 0,
        rows: 0,
        head: spec.empty(),
        failed: None,
    });
    let lock = || -> MutexGuard<'_, Line> { line.lock().unwrap_or_else(PoisonError::into_inner) };
    let moved = Condvar::new();
    let ended = rayon::in_place_scope(|scope| -> Result<()> {
        let mut number = 0;
        while lock().failed.is_none()
            && let Some(piece) = next()?
        {
            // The first piece tells how large they are.
            let alone = limits.threads == 1 || number == 0 || lock().largest.saturating_mul(2) > limits.room;
            let full = |line: &mut Line| {
                let bytes = line.largest.saturating_mul(line.pieces + 1);
                line.pieces > 0 && (alone || line.pieces >= limits.threads || bytes > limits.room)
            };
            moved.wait_while(lock(), full).unwrap_or_else(PoisonError::into_inner).pieces += 1;
            let (encoder, moved, lock) = (&encoder, &moved, &lock);
            let work = move || {
                // A panic would leave the piece under way for ever.
                let made = program::contained(|| make(spec, encoder, piece, first, alone));
                let made = made.unwrap_or_else(|panic| Err(anyhow!("bug: rows cannot be made: {panic}")));
                lock().take(number, made, first);
                moved.notify_all();
            };
            if alone {
                work()
            } else {
                scope.spawn(move |_| work())
            }
            number += 1;
        }
        Ok(())
    });
    let line = line.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended?;
    if let Some(error) = line.failed {
        return Err(error);
    }
    line.file.finish()?;
    Ok((line.rows, line.head))
}
