//! Whether the crawl is at its end; and small things that are done once in a while.

use std::time::{Duration, Instant};

use anyhow::Result;
use bus::payload::Tally;
use tracing::{debug, info, warn};

use super::engine::{CHORES, Engine, MAX_TARGETS};
use super::summary::Ended;
use crate::frontier::checkpoint::{self, Part};

/// A checkpoint takes at most one part in this many of the time.
const CHECKPOINT_SHARE: u32 = 30;
/// How often the bus is maintained, and for how long at a time.
const MAINTENANCE: Duration = Duration::from_secs(5);
const MAINTENANCE_BUDGET: Duration = Duration::from_millis(20);

impl Engine {
    /// Whether the crawl is at its end; goes one level deeper when a level is done.
    pub(super) fn ended(&mut self, idle: bool) -> Result<Option<Ended>> {
        if !idle
            || self.in_flight > 0
            || !self.outbox.is_empty()
            || !self.drained
            || self.frontier.partitions.is_empty()
        {
            return Ok(None);
        }
        if self.settings.pages.is_some_and(|max| self.counted() >= max) && !self.frontier.queues.requisites_ready() {
            return Ok(Some(Ended::Pages));
        }
        if let Some(depth) = self.frontier.queues.held_depth().filter(|depth| *depth > self.level) {
            debug!(depth, "one level deeper");
            self.level = depth;
            self.frontier.queues.release(Instant::now());
            return Ok(None);
        }
        let wall = self.clock.seconds();
        if self.frontier.queues.len() > 0 || self.frontier.visits_due(wall) {
            return Ok(None);
        }
        if !self.told_idle {
            self.told_idle = true;
            if !self.settings.until_idle {
                info!("nothing is left to fetch now; waiting for new URLs or due visits (--until-idle would end here)");
            }
        }
        if !self.settings.until_idle || !self.all_idle()? {
            return Ok(None);
        }
        Ok(Some(Ended::Idle))
    }

    /// Whether nobody in the group has anything to do: no candidate unread, nothing pending, and no publish in between.
    pub(super) fn all_idle(&mut self) -> Result<bool> {
        self.tallies.refresh()?;
        let ours = &self.frontier.partitions;
        if self.tallies.sum(|p| !ours.contains_key(&p)).pending > 0 {
            return Ok(false);
        }
        let group = bus::topic::spider_group(&self.settings.crawl);
        let topic = bus::topic::discovered(&self.settings.crawl).name;
        Ok(!self.bus.unread(&group, &topic)? && !self.tallies.refresh()?)
    }

    /// Small things once in a while: visits that fall due, others' tallies, checkpoint, progress.
    pub(super) fn do_chores(&mut self, last: bool) -> Result<()> {
        let now = Instant::now();
        if !last && now - self.chores < CHORES {
            return Ok(());
        }
        self.chores = now;
        let wall = self.clock.seconds();
        if !last && self.frontier.queues.len() < MAX_TARGETS / 2 && self.frontier.visits_due(wall) {
            let visits = self.frontier.queue_visits(&self.bus, wall)?;
            if visits > 0 {
                debug!(visits, "visits are due");
            }
        }
        if self.frontier.partitions.len() < bus::topic::PARTITIONS as usize {
            self.tallies.refresh()?;
        }
        let every = self.settings.checkpoint_every.max(self.checkpoint_took * CHECKPOINT_SHARE);
        if self.changed && (last || now - self.checkpointed >= every) {
            if let Err(e) = self.write_checkpoint() {
                warn!("{e:#}; a restart reads everything from the bus");
            }
            self.checkpointed = Instant::now();
            self.checkpoint_took = now.elapsed();
            self.changed = false;
        }
        if now - self.maintained >= MAINTENANCE {
            self.maintained = now;
            self.maintain();
        }
        let pending = self.frontier.queues.len() + self.in_flight;
        let lag = self.lag()?;
        self.progress.tick(pending as u64, self.in_flight, lag);
        Ok(())
    }

    /// Lets the bus expire and compact a little; another program may be at it too.
    fn maintain(&self) {
        let until = Instant::now() + MAINTENANCE_BUDGET;
        loop {
            match self.bus.maintain() {
                Ok(true) if Instant::now() < until => {}
                Ok(_) => return,
                Err(e) => {
                    warn!("the bus could not be maintained: {e}");
                    return;
                }
            }
        }
    }

    /// Candidates that nobody has decided about.
    fn lag(&self) -> Result<i64> {
        let group = bus::topic::spider_group(&self.settings.crawl);
        let topic = bus::topic::discovered(&self.settings.crawl).name;
        Ok(self.bus.lag(&group, &topic)?.iter().map(|lag| lag.records).sum())
    }

    pub(super) fn write_checkpoint(&mut self) -> Result<()> {
        self.tallies.refresh()?;
        let parts: Vec<_> = self
            .frontier
            .partitions
            .iter()
            .map(|(partition, p)| {
                let tally = self.frontier.tally(*partition).unwrap_or_default();
                (Part { partition: *partition, next: p.next, tally }, &p.index)
            })
            .collect();
        checkpoint::write(&self.folder, &self.identity, self.bus.now()?, self.frontier.key, self.tallies.next(), &parts)
    }

    /// How far the crawl is, over all partitions.
    pub(super) fn sum(&self) -> Tally {
        let mut sum = self.tallies.sum(|p| !self.frontier.partitions.contains_key(&p));
        for tally in self.frontier.partitions.keys().filter_map(|p| self.frontier.tally(*p)) {
            sum.fetched += tally.fetched;
            sum.fetches += tally.fetches;
            sum.pending += tally.pending;
            sum.known += tally.known;
            for (class, n) in tally.errors {
                *sum.errors.entry(class).or_default() += n;
            }
        }
        sum
    }
}
