//! Marks: a day is complete when midnight has passed on the broker and, for every partition, what the bus held of the day
//! is stable and covered by the group. Then the archive marks the day, every partition of it, also the empty ones.

use std::collections::BTreeSet;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Mark};
use bus::Bus;
use bus::topic::{ARTEFACTS, PARTITIONS, STAGE_GROUP};

/// Which days are still to be marked.
pub struct Marks {
    next: Day,
}

impl Marks {
    /// Begins at the first day that this archive knows of, or, when it is new, today.
    pub fn new(data: &DataDir, today: Day) -> Result<Marks> {
        let catalogue = Catalogue::read(data)?;
        let first_segment = catalogue.segments(DataSet::Artefacts, None, None).iter().map(|s| s.day).min();
        let first = [first_segment, archive::days_in(&data.marks())?.first().copied()].into_iter().flatten().min();
        Ok(Marks { next: first.unwrap_or(today).min(today) })
    }

    /// Marks the days that have become complete; gives their number. `first` is the first day that this run has staged records
    /// of, which a new archive did not know at its start. Call it when nothing is sealed but not renamed.
    pub fn write(&mut self, bus: &Bus, data: &DataDir, first: Option<Day>) -> Result<u64> {
        self.next = first.map_or(self.next, |first| first.min(self.next));
        let now = bus.now()?;
        let today = Day::of_millis(now);
        let mut completed = 0;
        while self.next < today {
            let Some(targets) = targets(bus, self.next)? else { break };
            if !is_marked(data, self.next)? {
                let at = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default();
                let at = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                for (partition, next) in (0..).zip(targets) {
                    Mark { topic: ARTEFACTS.into(), partition, next, at: at.clone() }.write(data, self.next)?;
                }
                tracing::info!(day = %self.next, "this day is complete");
                completed += 1;
            }
            self.next = self.next.next();
        }
        Ok(completed)
    }
}

/// Where the day ends in each partition; none while some of it is not staged.
fn targets(bus: &Bus, day: Day) -> Result<Option<Vec<i64>>> {
    let committed = bus.committed(STAGE_GROUP, ARTEFACTS)?;
    let midnight = day.next().start_millis();
    let mut targets = Vec::with_capacity(committed.len());
    for (p, committed) in (0..).zip(committed) {
        let target = bus.offset_at(ARTEFACTS, p, midnight)?;
        let offsets = bus.offsets(ARTEFACTS, p)?;
        // A partition that nobody has committed on has nothing of the day when it ends where it begins.
        if target > offsets.stable {
            return Ok(None);
        }
        let committed = committed.unwrap_or(offsets.start);
        // the last offsets of a day may hold no record at all, but the ends of transactions
        if committed < target
            && bus.scan(ARTEFACTS, p, committed)?.next_batch()?.first().is_some_and(|d| d.offset < target)
        {
            return Ok(None);
        }
        targets.push(target);
    }
    Ok(Some(targets))
}

fn is_marked(data: &DataDir, day: Day) -> Result<bool> {
    let marked: BTreeSet<u32> = Mark::read(data, day)?.into_iter().map(|mark| mark.partition).collect();
    Ok((0..PARTITIONS).all(|p| marked.contains(&p)))
}
