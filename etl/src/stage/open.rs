//! The segment of one partition that is open: rows that wait, the file that grows, and the dead letters of its interval.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use archive::{DataSet, Day, SegmentName, Source};
use bus::topic::MAX_BATCH_BYTES;
use bus::{Delivered, Output};

use super::rows::{Row, Rows};
use crate::footer::Footer;
use crate::segment_writer::{Finished, SegmentWriter};

/// When a segment ends; whichever comes first. It also ends with its day.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Since its first record was staged.
    pub age: Duration,
    /// Since its last record was staged.
    pub idle: Duration,
}

/// Rows wait for the encoder until they have this size.
const WAITING_BYTES: usize = 512 << 10;
/// Rows wait for the encoder until there are so many.
const WAITING_ROWS: usize = 1024;
/// Dead letters are published with their segment's seal: so many of them, or so many bytes, end the segment.
const DEAD_LETTERS: usize = 500;
const DEAD_BYTES: usize = 1 << 20;

/// An open segment.
pub struct Open {
    name: SegmentName,
    day: Day,
    writer: SegmentWriter,
    waiting: Rows,
    rows: u64,
    dead: Vec<Output>,
    dead_bytes: usize,
    min_time: i64,
    max_time: i64,
    since: Instant,
    touched: Instant,
}

impl Open {
    /// Begins a segment at an offset; its file is made in `tmp`.
    pub fn begin(tmp: &Path, partition: u32, from: i64, day: Day) -> Result<Open> {
        let name = SegmentName { data_set: DataSet::Artefacts, source: Source::Partition(partition), from, next: from };
        let path = tmp.join(format!("artefacts-p{partition:03}-{from:020}.unfinished"));
        let now = Instant::now();
        Ok(Open {
            name,
            day,
            writer: SegmentWriter::create(&path, DataSet::Artefacts)?,
            waiting: Rows::default(),
            rows: 0,
            dead: Vec::new(),
            dead_bytes: 0,
            min_time: i64::MAX,
            max_time: i64::MIN,
            since: now,
            touched: now,
        })
    }

    /// Its day.
    pub fn day(&self) -> Day {
        self.day
    }

    /// Adds a record, or the dead letter that became of it.
    pub fn add(&mut self, delivered: &Delivered, row: Result<Row, Output>) -> Result<()> {
        self.touched = Instant::now();
        self.min_time = self.min_time.min(delivered.time);
        self.max_time = self.max_time.max(delivered.time);
        match row {
            Ok(row) => {
                self.waiting.push(&row);
                self.rows += 1;
            }
            Err(letter) => {
                self.dead_bytes += letter.record.size();
                self.dead.push(letter);
            }
        }
        if self.waiting.bytes() >= WAITING_BYTES || self.waiting.len() >= WAITING_ROWS { self.encode() } else { Ok(()) }
    }

    /// True when a dead letter of this size can be published together with those that wait here.
    pub fn has_room_for(&self, letter: usize) -> bool {
        self.dead.is_empty() || self.dead_bytes + letter <= MAX_BATCH_BYTES / 2
    }

    /// True when it must end now, whatever the time.
    pub fn is_full(&self, limits: &Limits) -> bool {
        self.rows >= limits.rows
            || self.writer.size() + self.waiting.bytes() as u64 >= limits.bytes
            || self.dead.len() >= DEAD_LETTERS
            || self.dead_bytes >= DEAD_BYTES
    }

    /// True when it must end because of its age, or because nothing came.
    pub fn is_old(&self, limits: &Limits) -> bool {
        self.since.elapsed() >= limits.age || self.touched.elapsed() >= limits.idle
    }

    /// Bytes that it holds in memory, about.
    pub fn memory(&self) -> usize {
        self.writer.memory() + self.waiting.bytes() + self.dead_bytes
    }

    /// Frees its memory: what waits becomes a row group in the file.
    pub fn flush(&mut self) -> Result<()> {
        self.encode()?;
        self.writer.flush()
    }

    fn encode(&mut self) -> Result<()> {
        if self.waiting.len() == 0 {
            return Ok(());
        }
        let (batch, digests, bytes) = self.waiting.take()?;
        self.writer.write(&batch, bytes, Some(&digests))
    }

    /// Drops it with its file; its records will be read again.
    pub fn discard(self) {
        remove(self.writer.path());
    }

    /// Ends it at `next`: the file is complete and synced, and the dead letters wait to be published.
    pub fn finish(mut self, next: i64, origin: &Footer) -> Result<Ended> {
        self.encode()?;
        let name = SegmentName { next, ..self.name };
        let footer =
            Footer { from: name.from, next, min_time: self.min_time, max_time: self.max_time, ..origin.clone() };
        Ok(Ended { file: self.writer.finish(footer)?, name, day: self.day, dead: self.dead })
    }
}

/// Removes an unfinished file that nobody needs; one that stays is removed with its folder.
pub fn remove(path: &Path) {
    if let Err(e) = std::fs::remove_file(path) {
        tracing::debug!(path = %path.display(), error = %e, "cannot remove an unfinished file");
    }
}

/// A segment that is complete, but not sealed yet.
pub struct Ended {
    /// Its unfinished file.
    pub file: Finished,
    /// Its name.
    pub name: SegmentName,
    /// Its day.
    pub day: Day,
    /// Dead letters of its interval.
    pub dead: Vec<Output>,
}
