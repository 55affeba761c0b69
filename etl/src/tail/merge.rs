//! Records of several partitions in order of time.
//!
//! Each partition is in order of offset; the next record is the oldest of those at the heads. Only what is shown of a record is
//! kept, which is small, so memory stays bounded however large records are.

use std::collections::VecDeque;

use anyhow::Result;
use bus::{Bus, Scan};
use regex::Regex;

use super::shown::Shown;

/// Reads partitions and merges them.
pub struct Merge {
    lanes: Vec<Lane>,
    matching: Option<Regex>,
}

struct Lane {
    scan: Scan,
    waiting: VecDeque<Shown>,
}

impl Merge {
    /// Begins at these offsets.
    pub fn new(bus: &Bus, topic: &str, starts: &[(u32, i64)], matching: Option<Regex>) -> Result<Merge> {
        let lane = |(p, from): &(u32, i64)| Ok(Lane { scan: bus.scan(topic, *p, *from)?, waiting: VecDeque::new() });
        Ok(Merge { lanes: starts.iter().map(lane).collect::<Result<_>>()?, matching })
    }

    /// The next record that matches; none when there is none at the moment.
    pub fn next(&mut self) -> Result<Option<Shown>> {
        for lane in &mut self.lanes {
            lane.fill(self.matching.as_ref())?;
        }
        let heads = self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty());
        let oldest =
            heads.min_by_key(|lane| lane.waiting.front().map(|shown| (shown.time, shown.partition, shown.offset)));
        Ok(oldest.and_then(|lane| lane.waiting.pop_front()))
    }
}

impl Lane {
    /// Until a record waits or there are no more.
    fn fill(&mut self, matching: Option<&Regex>) -> Result<()> {
        while self.waiting.is_empty() {
            let batch = self.scan.next_batch()?;
            if batch.is_empty() {
                return Ok(());
            }
            let matches = |delivered: &&bus::Delivered| matching.is_none_or(|re| Shown::matches(delivered, re));
            self.waiting.extend(batch.iter().filter(matches).map(Shown::of));
        }
        Ok(())
    }
}
