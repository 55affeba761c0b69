//! The stager: what it keeps for each partition it owns, and what it does with each record.
//!
//! Invariants: a partition's `next` is the offset after the last record that was handled; everything from the open segment's
//! `from` up to `next` is in that segment or among its dead letters; nothing at or after the committed offset is in any
//! segment of the archive.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use archive::{DataDir, Day, Loss};
use bus::topic::{ARTEFACTS, STAGE_GROUP};
use bus::{Assignment, Bus, Delivered, Writer};

use super::open::{Limits, Open};
use super::rows::Row;
use super::tmp::Tmp;
use crate::footer::Footer;

/// What is kept for one partition.
pub struct Part {
    /// Its assignment.
    pub assignment: Assignment,
    /// Offset after the last record that was handled.
    pub next: i64,
    /// Running maximum of append times; the day of a record is that of this.
    pub max_time: i64,
    /// What a seal covers, where that is not the segment's end: while older records are staged again.
    pub cover: Option<i64>,
    /// Records at or after this offset are not for this run.
    pub end: Option<i64>,
    /// The open segment.
    pub open: Option<Open>,
}

impl Part {
    /// True when everything up to the end of this run was handled.
    pub fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// What was done.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Counts {
    /// Records staged.
    pub records: u64,
    /// Bytes of their bodies, keys and headers.
    pub bytes: u64,
    /// Segments sealed.
    pub segments: u64,
    /// Bytes of these segments.
    pub segment_bytes: u64,
    /// Records that became dead letters.
    pub dead_letters: u64,
    /// Offsets that expired before they were read.
    pub lost: u64,
    /// Renames that a predecessor had left undone.
    pub renamed: u64,
    /// Days marked as complete.
    pub days_completed: u64,
}

/// Stages the partitions that it owns.
pub struct Stager {
    /// The bus.
    pub bus: Bus,
    /// Publishes seals.
    pub writer: Writer,
    /// The archive.
    pub data: DataDir,
    /// What every footer of this run says.
    pub origin: Footer,
    /// When a segment ends.
    pub limits: Limits,
    /// Bytes that all open segments may hold in memory.
    pub memory: usize,
    /// Unfinished files.
    pub tmp: Tmp,
    /// Partitions, by number.
    pub parts: BTreeMap<u32, Part>,
    /// What was done.
    pub counts: Counts,
    /// The first day of those that segments were sealed for.
    pub first_day: Option<Day>,
}

impl Stager {
    /// Takes over a partition. `max_time` is the running maximum of its latest seal.
    pub fn assign(&mut self, assignment: Assignment, max_time: i64, once: bool) -> Result<()> {
        let p = assignment.partition;
        let offsets = self.bus.offsets(ARTEFACTS, p)?;
        let end = once.then_some(offsets.stable);
        let next = assignment.committed.unwrap_or(0);
        self.parts.insert(p, Part { assignment, next, max_time, cover: None, end, open: None });
        if offsets.start > next {
            self.gap(p, offsets.start)?;
        }
        Ok(())
    }

    /// Forgets partitions that are gone, with their unfinished files.
    pub fn forget(&mut self, partitions: impl IntoIterator<Item = u32>) {
        for p in partitions {
            if let Some(open) = self.parts.remove(&p).and_then(|part| part.open) {
                open.discard();
            }
        }
    }

    /// Handles one record, of which `row` was made.
    pub fn handle(&mut self, delivered: &Delivered, row: Result<Row, String>) -> Result<()> {
        let p = delivered.partition;
        let Some(part) = self.parts.get(&p) else { return Ok(()) };
        let over = part.end.is_some_and(|end| delivered.offset >= end);
        if over || delivered.offset < part.next || delivered.epoch != part.assignment.epoch {
            return Ok(());
        }
        if delivered.offset > part.next {
            self.gap(p, delivered.offset)?;
        }
        let Some(part) = self.parts.get(&p) else { return Ok(()) };
        let max_time = part.max_time.max(delivered.time);
        let day = Day::of_millis(max_time);
        let row = row.map_err(|reason| {
            tracing::warn!(partition = p, offset = delivered.offset, reason, "this record goes to dead-letters");
            bus::dead_letter(delivered, "etl stage", &reason, max_time)
        });
        let letter = row.as_ref().err().map(|letter| letter.record.size());
        let fits = |open: &Open| open.day() == day && letter.is_none_or(|size| open.has_room_for(size));
        if part.open.as_ref().is_some_and(|open| !fits(open)) {
            self.seal(&[p])?;
        }
        let Some(part) = self.parts.get_mut(&p) else { return Ok(()) };
        let open = match &mut part.open {
            Some(open) => open,
            none => none.insert(Open::begin(self.tmp.path()?, p, part.next, day)?),
        };
        match letter {
            Some(_) => self.counts.dead_letters += 1,
            None => self.counts.records += 1,
        }
        self.counts.bytes += delivered.record.size() as u64;
        open.add(delivered, row)?;
        part.next = delivered.offset + 1;
        part.max_time = max_time;
        if open.is_full(&self.limits) {
            self.seal(&[p])?;
        }
        self.keep_within_memory()
    }

    /// Offsets from a partition's `next` up to `to` do not come. What retention took before it was read is lost, and
    /// recorded; the rest never held a record (transaction markers).
    fn gap(&mut self, p: u32, to: i64) -> Result<()> {
        let start = self.bus.offsets(ARTEFACTS, p)?.start;
        let Some(part) = self.parts.get(&p) else { return Ok(()) };
        let (from, lost_to) = (part.next, start.min(to));
        if lost_to <= from {
            return Ok(());
        }
        self.seal(&[p])?;
        let reason = "expired on the bus before it was staged".to_owned();
        let loss = Loss::of_partition(ARTEFACTS, p, from, lost_to, reason);
        loss.record(&self.data).context("cannot record a loss")?;
        self.counts.lost += (lost_to - from) as u64;
        tracing::warn!(
            partition = p,
            from,
            next = lost_to,
            "{} offsets expired on the bus before they were staged; recorded as lost in {}",
            lost_to - from,
            self.data.ledger().display()
        );
        if let Some(part) = self.parts.get_mut(&p) {
            part.next = lost_to;
        }
        Ok(())
    }

    /// One budget for all open segments: the largest is flushed first.
    fn keep_within_memory(&mut self) -> Result<()> {
        loop {
            let open = self.parts.values_mut().filter_map(|part| part.open.as_mut());
            let mut sizes: Vec<(usize, &mut Open)> = open.map(|open| (open.memory(), open)).collect();
            let total: usize = sizes.iter().map(|(size, _)| size).sum();
            let largest = sizes.iter_mut().max_by_key(|(size, _)| *size);
            match largest {
                Some((_, open)) if total > self.memory => open.flush()?,
                _ => return Ok(()),
            }
            if self.parts.values().filter_map(|p| p.open.as_ref()).map(Open::memory).sum::<usize>() >= total {
                return Ok(());
            }
        }
    }

    /// Ends what is old, and what is of a day that is over and of which everything was read.
    pub fn tick(&mut self) -> Result<()> {
        let today = Day::of_millis(self.bus.now()?);
        let mut due = Vec::new();
        for (p, part) in &self.parts {
            let Some(open) = &part.open else { continue };
            let over = open.day() < today
                && part.next >= self.bus.offset_at(ARTEFACTS, *p, open.day().next().start_millis())?;
            if over || open.is_old(&self.limits) {
                due.push(*p);
            }
        }
        self.seal(&due)
    }

    /// Seals everything that is open.
    pub fn seal_all(&mut self) -> Result<()> {
        let all: Vec<u32> = self.parts.keys().copied().collect();
        self.seal(&all)
    }

    /// How far the group is behind, in records.
    pub fn lag(&self) -> Result<i64> {
        Ok(self.bus.lag(STAGE_GROUP, ARTEFACTS)?.iter().map(|lag| lag.records).sum())
    }
}
