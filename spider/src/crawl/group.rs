//! What the group tells: partitions that come and go, and candidates.

use std::time::{Duration, Instant};

use anyhow::Result;
use bus::{Assignment, Event};
use tracing::info;

use super::engine::{Engine, LOOK, MAX_TARGETS, MAX_WAITING_ITEMS};
use super::outbox::Item;
use super::publish::GRACE;
use crate::fetch::Fetcher;

impl Engine {
    /// Reads events of the group, unless enough waits here already.
    pub(super) fn read(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.drained && now - self.looked < LOOK {
            return Ok(());
        }
        self.looked = now;
        self.throttle()?;
        while self.outbox.size().0 < MAX_WAITING_ITEMS {
            match self.reader.poll(Duration::ZERO)? {
                Event::Idle => {
                    self.drained = true;
                    return Ok(());
                }
                event => self.event(event)?,
            }
            self.throttle()?;
        }
        Ok(())
    }

    /// Lets candidates wait on the bus while very many URLs wait here.
    pub(super) fn throttle(&mut self) -> Result<()> {
        let waiting = self.frontier.queues.len();
        let full = waiting >= if self.throttled { MAX_TARGETS / 2 } else { MAX_TARGETS };
        if full == self.throttled {
            return Ok(());
        }
        self.throttled = full;
        let topic = bus::topic::discovered(&self.settings.crawl).name;
        for partition in self.frontier.partitions.keys() {
            match full {
                true => self.reader.pause(&topic, *partition)?,
                false => self.reader.resume(&topic, *partition)?,
            }
        }
        Ok(())
    }

    pub(super) fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Idle => {}
            Event::Records(records) => {
                self.drained = false;
                self.told_idle = false;
                let now = self.clock.millis();
                let mut wider = false;
                for record in &records {
                    wider |= self.admission.handle(record, &mut self.frontier, &mut self.outbox, now);
                }
                if wider {
                    self.widen();
                }
            }
            Event::Assigned(assignments) => self.assign(&assignments)?,
            Event::Revoking(assignments) => {
                self.revoking.extend(assignments);
                self.asked_back = Instant::now();
                self.release()?;
            }
            Event::Lost(assignments) => {
                for a in &assignments {
                    self.drop_partition(a.partition);
                }
                self.hang_up()?;
            }
        }
        Ok(())
    }

    pub(super) fn widen(&mut self) {
        self.frontier.unpark(self.clock.seconds());
        self.context.scope = self.frontier.scope.clone();
    }

    pub(super) fn assign(&mut self, assignments: &[Assignment]) -> Result<()> {
        let group = bus::topic::spider_group(&self.settings.crawl);
        let topic = bus::topic::discovered(&self.settings.crawl).name;
        // waits until no predecessor's transaction is open
        self.bus.committed(&group, &topic)?;
        self.tallies.refresh()?;
        if self.settings.recrawl && self.mark == 0 {
            let now = self.clock.seconds();
            self.mark = now.max(self.tallies.mark() + 1);
        }
        let mark = self.mark.max(self.tallies.mark());
        for a in assignments {
            let tally = self.tallies.get(a.partition);
            let from = self.checkpoint.remove(&a.partition).map(|(part, mut index)| {
                if part.tally.since != tally.since {
                    index.renew();
                }
                (index, part.next)
            });
            self.changed |= from.is_none();
            self.frontier.assign(&self.bus, a, tally, from, self.clock.seconds())?;
            if self.frontier.partitions.get(&a.partition).is_some_and(|p| p.tally.since < mark) {
                self.frontier.set_mark(a.partition, mark);
                self.outbox.push(Item { partition: a.partition, epoch: a.epoch, touch: true, ..Item::default() });
            }
        }
        self.widen();
        self.drained = false;
        let (known, pending) =
            (self.frontier.partitions.values().map(|p| p.index.known()).sum::<u64>(), self.frontier.pending());
        info!(partitions = assignments.len(), known, pending, parked = self.frontier.parked(), "partitions assigned");
        Ok(())
    }

    pub(super) fn drop_partition(&mut self, partition: u32) {
        self.frontier.drop_partition(partition);
        self.revoking.retain(|a| a.partition != partition);
    }

    /// Gives up what is to be given up, once nothing is being published and no request is under way; long requests are not waited
    /// for. The next owner finds no connection of ours at its hosts.
    pub(super) fn release(&mut self) -> Result<()> {
        if self.revoking.is_empty()
            || !self.outbox.is_free()
            || (self.in_flight > 0 && self.asked_back.elapsed() < GRACE)
        {
            return Ok(());
        }
        let revoking = std::mem::take(&mut self.revoking);
        for a in &revoking {
            self.frontier.drop_partition(a.partition);
        }
        self.hang_up()?;
        self.reader.release(&revoking)?;
        Ok(())
    }

    /// Closes connections that wait for another request; those of requests under way close when these are done.
    fn hang_up(&mut self) -> Result<()> {
        self.context.fetcher = Fetcher::new(&self.settings.fetch)?;
        Ok(())
    }
}
