//! Requests out, visits in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::engine::{Engine, MAX_WAITING_BYTES, MAX_WAITING_ITEMS, Message, Ticket};
use super::settle::Settled;
use super::visit::{self, Visit};
use crate::fetch::error::Failure;
use crate::frontier::{Gate, Job, Target};
use crate::robots::{self, Robots};

impl Engine {
    pub(super) fn gate(&mut self) -> Gate {
        let pages = self.settings.pages.is_none_or(|max| self.counted() + self.claims < max);
        if pages && self.paused {
            self.paused = false;
            self.frontier.queues.release(Instant::now());
        }
        self.paused = !pages;
        Gate { pages, depth: self.level }
    }

    /// URLs that count for `--pages`, over all partitions.
    pub(super) fn counted(&self) -> u64 {
        let ours = &self.frontier.partitions;
        let others = if ours.len() < bus::topic::PARTITIONS as usize {
            self.tallies.sum(|p| !ours.contains_key(&p)).fetched
        } else {
            0
        };
        self.frontier.counted() + others
    }

    /// Starts what may start; true when there was nothing left to start.
    pub(super) fn dispatch(&mut self) -> bool {
        // nothing new while partitions are to be given up
        if !self.revoking.is_empty() {
            return false;
        }
        let now = Instant::now();
        let wall = self.clock.seconds();
        loop {
            let (items, bytes) = self.outbox.size();
            if self.in_flight >= self.settings.fetch.concurrency
                || items >= MAX_WAITING_ITEMS
                || bytes >= MAX_WAITING_BYTES
            {
                return false;
            }
            let gate = self.gate();
            let Some(job) = self.frontier.next(gate, now, wall) else { return true };
            match job {
                Job::Page { target, partition, robots } => self.fetch(target, partition, robots),
                Job::Refused { target, partition, failure } => self.refuse(target, partition, failure),
                Job::Robots { host, address, delay } => self.ask(host, address, delay),
            }
        }
    }

    fn fetch(&mut self, target: Target, partition: u32, robots: Arc<Robots>) {
        let Some(p) = self.frontier.partitions.get(&partition) else { return };
        let claim = !target.requisite && !target.counted(p.tally.since);
        let ticket = Ticket { partition, epoch: p.epoch, claim };
        self.claims += u64::from(claim);
        self.in_flight += 1;
        let (context, sender) = (self.context.clone(), self.sender.clone());
        self.runtime.spawn(async move {
            let visit = Box::new(visit::visit(&context, &target, &robots).await);
            // the loop may have ended
            let _ = sender.send(Message::Visited { target: Box::new(target), ticket, visit });
        });
    }

    /// Ends a visit that is not made, since robots.txt of its host cannot be read.
    fn refuse(&mut self, mut target: Target, partition: u32, failure: Failure) {
        let Some(p) = self.frontier.partitions.get(&partition) else { return };
        let ticket = Ticket { partition, epoch: p.epoch, claim: false };
        // robots.txt was tried as often as the URL would be
        target.attempts = self.settings.manners.retries;
        let result = Err(failure);
        let visit = Visit { fetched_at: self.clock.micros(), elapsed: Duration::ZERO, reached: false, result };
        self.settle(target, ticket, visit);
    }

    fn ask(&mut self, host: u64, address: Url, delay: Duration) {
        self.in_flight += 1;
        let (fetcher, sender) = (self.context.fetcher.clone(), self.sender.clone());
        let token = self.settings.token.clone();
        self.runtime.spawn(async move {
            let started = Instant::now();
            let https = address.scheme() == "https";
            let found = robots::fetch(&fetcher, address, &token, delay).await;
            let _ = sender.send(Message::Robots { host, https, found, took: started.elapsed() });
        });
    }

    /// Takes a visit in that was made.
    pub(super) fn visited(&mut self, target: Target, ticket: Ticket, visit: Visit) {
        let now = Instant::now();
        let (host, claim, partition) = (target.print.host, ticket.claim, ticket.partition);
        let (reached, took) = (visit.reached, visit.elapsed);
        if self.frontier.partitions.get(&partition).is_none_or(|p| p.epoch != ticket.epoch) {
            self.claims = self.claims.saturating_sub(u64::from(claim));
            return;
        }
        let settled = self.settle(target, ticket, visit);
        self.frontier.queues.with(host, now, |h, manners| {
            h.ended(manners, now, reached, took);
            if let Some(yes) = settled.connected {
                h.connected(yes);
            }
            if let Some(wait) = settled.pause {
                h.pause(manners, now, wait);
            }
        });
        self.claims = self.claims.saturating_sub(u64::from(claim && !settled.claims));
    }

    fn settle(&mut self, target: Target, ticket: Ticket, visit: Visit) -> Settled {
        let took = visit.elapsed;
        let Ticket { partition, epoch, .. } = ticket;
        let mut settled = self.settling.settle(target, partition, epoch, visit, &self.frontier, &self.outbox);
        settled.claims = settled.items.iter().any(|item| item.claim);
        self.progress.visited(&settled, took);
        for item in settled.items.drain(..) {
            self.outbox.push(item);
        }
        settled
    }
}
