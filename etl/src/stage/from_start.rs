//! `--from-start`: what the bus still has below the group's committed offset and this archive lacks is staged too.
//!
//! It is read with no group, sealed under the same rule (the seal's publish covers the committed offset again, which only
//! fences), and found by looking at the archive: run again after a crash it goes on, run again when all is there it does
//! nothing.

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Loss, Source};
use bus::topic::ARTEFACTS;
use program::Shutdown;

use super::rows::Row;
use super::stager::Stager;
use crate::complete;

/// An interval of offsets, `[from, next)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// First.
    pub from: i64,
    /// After the last.
    pub next: i64,
}

/// What is staged again below the committed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that this archive lacks: `--from-start`.
    All,
    /// What was set aside as damaged or missing: `--accept-loss`.
    SetAside,
}

impl Which {
    /// As the flags say; none when staging only goes on.
    pub fn of(args: &super::Args) -> Option<Which> {
        match (args.from_start, args.accept_loss) {
            (true, _) => Some(Which::All),
            (false, true) => Some(Which::SetAside),
            (false, false) => None,
        }
    }
}

/// What of `[start, committed)` of a partition the archive neither holds nor has recorded as lost.
pub fn holes(data: &DataDir, partition: u32, start: i64, committed: i64) -> Result<Vec<Interval>> {
    let source = Source::Partition(partition);
    let catalogue = Catalogue::read(data)?;
    let segments = catalogue.segments(DataSet::Artefacts, None, None);
    let held =
        segments.iter().filter(|s| s.name.source == source).map(|s| Interval { from: s.name.from, next: s.name.next });
    let lost = Loss::list(data)?;
    let lost = lost.iter().filter(|l| l.source == source).map(|l| Interval { from: l.from, next: l.next });
    Ok(complement(held.chain(lost).collect(), start, committed))
}

/// What of `[start, committed)` of a partition was set aside, and is neither staged again nor recorded as lost.
fn set_aside(data: &DataDir, partition: u32, start: i64, committed: i64) -> Result<Vec<Interval>> {
    let aside = complete::set_aside(data, &Catalogue::read(data)?)?.into_iter();
    let ours = aside.filter(|hole| hole.source == Source::Partition(partition));
    let mut clipped: Vec<Interval> =
        ours.map(|hole| Interval { from: hole.from.max(start), next: hole.next.min(committed) }).collect();
    clipped.sort_by_key(|interval| interval.from);
    // two of them may share offsets
    let mut at = start;
    for interval in &mut clipped {
        interval.from = interval.from.max(at);
        at = at.max(interval.next);
    }
    clipped.retain(|interval| interval.from < interval.next);
    Ok(clipped)
}

fn complement(mut held: Vec<Interval>, start: i64, end: i64) -> Vec<Interval> {
    held.sort_by_key(|i| (i.from, i.next));
    let mut holes = Vec::new();
    let mut at = start;
    for interval in held {
        if interval.from.min(end) > at {
            holes.push(Interval { from: at, next: interval.from.min(end) });
        }
        at = at.max(interval.next);
    }
    if at < end {
        holes.push(Interval { from: at, next: end });
    }
    holes
}

impl Stager {
    /// Stages the holes of a partition that was just assigned; false when shutdown came in between.
    pub fn fill_holes(&mut self, partition: u32, which: Which, shutdown: &Shutdown) -> Result<bool> {
        let Some(part) = self.parts.get(&partition) else { return Ok(true) };
        let (next, max_time, end, committed) = (part.next, part.max_time, part.end, part.assignment.committed);
        let Some(committed) = committed else { return Ok(true) };
        let start = self.bus.offsets(ARTEFACTS, partition)?.start;
        let mut complete = true;
        let holes = match which {
            Which::All => holes(&self.data, partition, start, committed)?,
            Which::SetAside => set_aside(&self.data, partition, start, committed)?,
        };
        for hole in holes {
            tracing::info!(partition, from = hole.from, next = hole.next, "staging what this archive lacks");
            complete = self.fill(partition, hole, committed, shutdown)?;
            if !complete {
                break;
            }
        }
        if let Some(part) = self.parts.get_mut(&partition) {
            (part.next, part.max_time, part.end, part.cover) = (next, max_time, end, None);
        }
        Ok(complete)
    }

    fn fill(&mut self, p: u32, hole: Interval, committed: i64, shutdown: &Shutdown) -> Result<bool> {
        let Some(part) = self.parts.get_mut(&p) else { return Ok(true) };
        let epoch = part.assignment.epoch;
        (part.next, part.end, part.cover) = (hole.from, Some(hole.next), Some(committed));
        part.max_time = before(&self.data, p, hole.from)?;
        let mut scan = self.bus.scan(ARTEFACTS, p, hole.from)?;
        while !shutdown.requested() {
            let batch = scan.next_batch()?;
            let over = batch.is_empty() || batch.last().is_some_and(|d| d.offset + 1 >= hole.next);
            for mut delivered in batch {
                delivered.epoch = epoch;
                self.handle(&delivered, Row::decode(&delivered))?;
            }
            if over {
                self.end_at(p, hole.next);
                self.seal(&[p])?;
                return Ok(true);
            }
        }
        self.seal(&[p])?;
        Ok(false)
    }

    /// What lies between the last record and the end of a hole held no record: the segment reaches over it.
    fn end_at(&mut self, p: u32, next: i64) {
        if let Some(part) = self.parts.get_mut(&p).filter(|part| part.open.is_some()) {
            part.next = part.next.max(next);
        }
    }
}

/// Running maximum of append times below an offset, as the archive's segments tell it.
fn before(data: &DataDir, partition: u32, offset: i64) -> Result<i64> {
    let catalogue = Catalogue::read(data)?;
    let segments = catalogue.segments(DataSet::Artefacts, None, None);
    let earlier = segments.iter().filter(|s| s.name.source == Source::Partition(partition) && s.name.next <= offset);
    match earlier.max_by_key(|s| s.name.next) {
        Some(segment) => Ok(crate::segment_reader::footer(&segment.path)?.max_time.max(segment.day.start_millis())),
        None => Ok(i64::MIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(list: &[(i64, i64)]) -> Vec<Interval> {
        list.iter().map(|(from, next)| Interval { from: *from, next: *next }).collect()
    }

    #[test]
    fn holes_are_what_no_interval_holds() {
        assert_eq!(complement(vec![], 0, 5), intervals(&[(0, 5)]));
        assert_eq!(complement(vec![], 5, 5), vec![]);
        assert_eq!(complement(intervals(&[(0, 5)]), 0, 5), vec![]);
        assert_eq!(complement(intervals(&[(2, 3), (4, 9)]), 0, 7), intervals(&[(0, 2), (3, 4)]));
        assert_eq!(complement(intervals(&[(7, 9), (0, 3), (1, 2)]), 2, 12), intervals(&[(3, 7), (9, 12)]));
        assert_eq!(complement(intervals(&[(20, 30)]), 2, 12), intervals(&[(2, 12)]));
    }
}
