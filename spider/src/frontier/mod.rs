//! The frontier: what is known of every URL of our partitions, and which of them is fetched next.
//!
//! The truth is on the bus, in `frontier.<crawl>`. Here is what can be made from it at any time: an [`index`] of each
//! partition, and [`queues`] of what is to be fetched. Nothing here changes but by what the bus has committed.

pub mod checkpoint;
pub mod host;
pub mod index;
pub mod load;
mod queues;
mod target;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bus::payload::{Tally, UrlState};
use bus::{Assignment, Bus, Epoch};
use web::Canonical;

use crate::fingerprint::{Fingerprint, Key};
use crate::scope::Scope;
use host::{Host, Manners};
use index::{Entry, Index};
use load::{Loaded, Place};
pub use queues::{Gate, Job, Queues};
pub use target::{Past, Target};

/// Visits loaded from the bus at a time.
const VISITS: usize = 5_000;

/// URLs outside this run's scope or depth that are held in memory, in case the scope becomes wider meanwhile. Those
/// beyond wait on the bus for the next start.
const MAX_PARKED: usize = 100_000;

/// A partition that is ours.
#[derive(Debug)]
pub struct Partition {
    /// Epoch of the assignment.
    pub epoch: Epoch,
    /// What is known.
    pub index: Index,
    /// Errors and fetches; the other counts come from the index.
    pub tally: Tally,
    /// Offset after the last frontier record that the index knows.
    pub next: i64,
    /// Offset after the last candidate that was handled, as committed.
    pub handled: i64,
    /// First moment at which a host of it may be asked, since a predecessor may have asked just before.
    pub not_before: Instant,
}

/// What is remembered of hosts from an earlier run, in this folder.
pub type Remembered = HashMap<String, Duration>;

/// The frontier.
#[derive(Debug)]
pub struct Frontier {
    /// Key of fingerprints.
    pub key: Key,
    /// Partitions that are ours.
    pub partitions: BTreeMap<u32, Partition>,
    /// What is to be fetched.
    pub queues: Queues,
    /// What belongs to the crawl.
    pub scope: Arc<Scope>,
    /// Pending, but outside scope or depth as they are in this run.
    parked: Vec<Target>,
    crawl: String,
    depth: Option<u32>,
    remembered: Remembered,
}

impl Frontier {
    /// Empty.
    pub fn new(crawl: &str, scope: Scope, depth: Option<u32>, manners: Manners, remembered: Remembered) -> Frontier {
        Frontier {
            key: Key::random(),
            partitions: BTreeMap::new(),
            queues: Queues::new(manners),
            scope: Arc::new(scope),
            parked: Vec::new(),
            crawl: crawl.to_owned(),
            depth,
            remembered,
        }
    }

    /// Takes a partition over: reads what is known of it, from a checkpoint's index where there is one that fits.
    pub fn assign(
        &mut self,
        bus: &Bus,
        a: &Assignment,
        tally: Tally,
        from: Option<(Index, i64)>,
        wall: i64,
    ) -> Result<()> {
        let topic = bus::topic::frontier(&self.crawl).name;
        let place = Place { bus, topic: &topic, partition: a.partition, key: self.key, mark: tally.since };
        let loaded = match from {
            Some((index, next)) => Loaded::from_checkpoint(place, index, next).or_else(|reason| {
                tracing::warn!("reading the whole frontier partition {}: {reason:#}", a.partition);
                Loaded::from_bus(place)
            })?,
            None => Loaded::from_bus(place)?,
        };
        let now = Instant::now();
        let handled = match a.committed {
            Some(offset) => offset,
            None => bus.offsets(&a.topic, a.partition)?.start,
        };
        let history = a.committed.is_some() || loaded.index.known() > 0;
        let wait = if history { self.queues.manners().delay } else { Duration::ZERO };
        let Loaded { mut index, pending, seeds, next } = loaded;
        // whoever starts a spider wants to know whether what failed works by now
        index.hurry();
        let partition = Partition { epoch: a.epoch, index, tally, next, handled, not_before: now + wait };
        self.partitions.insert(a.partition, partition);
        for seed in &seeds {
            self.widen(seed);
        }
        for target in pending.into_values() {
            self.enqueue(target, wall);
        }
        Ok(())
    }

    /// Gives a partition up, with all that was to be done for it.
    pub fn drop_partition(&mut self, partition: u32) {
        self.partitions.remove(&partition);
        self.queues.drop_partition(partition);
        self.parked.retain(|t| partition_of_url(&t.url).is_none_or(|(p, _)| p != partition));
    }

    /// What is known of a URL; none also when its partition is not ours.
    pub fn entry(&self, partition: u32, print: &Fingerprint) -> Option<Entry> {
        self.partitions.get(&partition)?.index.get(print)
    }

    /// Makes a seed part of the scope, and what was parked outside it part of the queues.
    pub fn widen(&mut self, seed: &Canonical) {
        if !self.scope.knows(seed) {
            Arc::make_mut(&mut self.scope).add(seed);
        }
    }

    /// Looks at parked URLs again, after the scope has become wider.
    pub fn unpark(&mut self, wall: i64) {
        for target in std::mem::take(&mut self.parked) {
            self.enqueue(target, wall);
        }
    }

    /// Pending, but not to be fetched in this run.
    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Notes a state that was committed at `offset`; a URL that is to be fetched is queued.
    pub fn commit(
        &mut self,
        partition: u32,
        print: Fingerprint,
        state: &UrlState,
        offset: i64,
        queue: Option<Target>,
        wall: i64,
    ) {
        let Some(p) = self.partitions.get_mut(&partition) else { return };
        p.index.put(print, Entry::new(state, offset, p.tally.since));
        p.next = p.next.max(offset + 1);
        if let Some(target) = queue {
            self.enqueue(target, wall);
        }
    }

    /// The next job. Targets that a newer record has overtaken are left out.
    pub fn next(&mut self, gate: Gate, now: Instant, wall: i64) -> Option<Job> {
        loop {
            let job = self.queues.next(gate, now, wall)?;
            let (target, partition) = match &job {
                Job::Page { target, partition, .. } | Job::Refused { target, partition, .. } => (target, *partition),
                Job::Robots { .. } => return Some(job),
            };
            let known = self.entry(partition, &target.print);
            // a visit was taken when it was queued, what is pending is taken here
            let current = known.is_some_and(|e| e.taken() != e.pending());
            let same = known.is_some_and(|e| e.depth == clamp(target.depth) && e.requisite() == target.requisite);
            if current && same {
                if let Some(p) = self.partitions.get_mut(&partition) {
                    p.index.take(&target.print, true);
                }
                return Some(job);
            }
            let host = target.print.host;
            if matches!(job, Job::Page { .. }) {
                self.queues.with(host, now, |h, _| h.in_flight = h.in_flight.saturating_sub(1));
            }
        }
    }

    /// Queues visits that are due; gives how many.
    pub fn queue_visits(&mut self, bus: &Bus, wall: i64) -> Result<usize> {
        let topic = bus::topic::frontier(&self.crawl).name;
        let mut queued = 0;
        let partitions: Vec<u32> = self.partitions.keys().copied().collect();
        for partition in partitions {
            let Some(p) = self.partitions.get_mut(&partition) else { continue };
            if !p.index.may_be_due(wall) || queued >= VISITS {
                continue;
            }
            let due = p.index.due(wall, VISITS - queued);
            for (_, print) in &due {
                p.index.take(print, true);
            }
            let place = Place { bus, topic: &topic, partition, key: self.key, mark: p.tally.since };
            let offsets: Vec<i64> = due.iter().map(|(offset, _)| *offset).collect();
            for record in load::read_at(place, &offsets)? {
                let Ok((url, mut state)) = UrlState::from_record(&record.record) else { continue };
                let Ok(url) = web::canonicalise(&url) else { continue };
                let via = state.via.take();
                state.next_fetch = 0;
                let target = Target::new(self.key.of(&url), url.into_string().into(), via.map(Into::into), state);
                queued += 1;
                self.enqueue(target, wall);
            }
        }
        Ok(queued)
    }

    /// Whether a visit may be due now.
    pub fn visits_due(&self, wall: i64) -> bool {
        self.partitions.values().any(|p| p.index.may_be_due(wall))
    }

    /// URLs that count for `--pages`, of our partitions.
    pub fn counted(&self) -> u64 {
        self.partitions.values().map(|p| p.index.counted()).sum()
    }

    /// URLs that failed for a reason that may pass, of our partitions.
    pub fn failed(&self) -> u64 {
        self.partitions.values().map(|p| p.index.failed()).sum()
    }

    /// URLs to be fetched, of our partitions.
    pub fn pending(&self) -> u64 {
        self.partitions.values().map(|p| p.index.pending()).sum()
    }

    /// Sets the recrawl mark of a partition.
    pub fn set_mark(&mut self, partition: u32, mark: i64) {
        if let Some(p) = self.partitions.get_mut(&partition).filter(|p| p.tally.since < mark) {
            p.tally = Tally { since: mark, ..Tally::default() };
            p.index.renew();
        }
    }

    /// The tally of a partition, as committed.
    pub fn tally(&self, partition: u32) -> Option<Tally> {
        let p = self.partitions.get(&partition)?;
        let (fetched, pending, known) = (p.index.counted(), p.index.pending(), p.index.known());
        Some(Tally { fetched, pending, known, ..p.tally.clone() })
    }

    fn enqueue(&mut self, target: Target, wall: i64) {
        let Some((partition, url)) = partition_of_url(&target.url) else { return };
        let Some(p) = self.partitions.get(&partition) else { return };
        if !self.wanted(&target, &url) {
            match self.parked.len() {
                MAX_PARKED => tracing::debug!(url = &*target.url, "pending, but outside this run; left on the bus"),
                _ => self.parked.push(target),
            }
            return;
        }
        let now = Instant::now();
        let id = target.print.host;
        if !self.queues.has(id) {
            let mut host = Host::new(url.host().into(), partition, p.not_before);
            if let Some(delay) = self.remembered.get(url.host()) {
                host.crawl_delay = *delay;
                host.not_before = p.not_before + delay.saturating_sub(self.queues.manners().delay);
            }
            self.queues.add_host(id, host, now);
        }
        self.queues.push(target, now, wall);
    }

    fn wanted(&self, target: &Target, url: &Canonical) -> bool {
        let depth = self.depth.is_none_or(|max| target.depth <= max);
        depth
            && (target.requisite
                || if target.depth == 0 { self.scope.admits_seed(url) } else { self.scope.contains(url) })
    }
}

/// Partition of a canonical URL, and the URL.
pub fn partition_of_url(url: &str) -> Option<(u32, Canonical)> {
    let url = web::canonicalise(url).ok()?;
    Some((partition_of(url.host()), url))
}

/// Partition of a host.
pub fn partition_of(host: &str) -> u32 {
    bus::topic::partition_of(host.as_bytes(), bus::topic::PARTITIONS)
}

/// Depth as an index entry holds it.
pub fn clamp(depth: u32) -> u16 {
    u16::try_from(depth).unwrap_or(u16::MAX)
}
