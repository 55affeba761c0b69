//! The loop: candidates in, requests out, visits settled, batches published. One thread owns all state; fetching and
//! publishing happen elsewhere and report here.
//!
//! Back-pressure: no candidate is read while much waits to be published or to be fetched, and no request starts while
//! finished work fills its memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bus::payload::Tally;
use bus::{Assignment, Bus, Epoch, Event, PublishError, Reader};
use program::Shutdown;
use tokio::runtime::Runtime;
use tracing::{debug, info, warn};

use super::admit::Admission;
use super::outbox::{Committed, Item, Outbox};
use super::publisher::{Published, Publisher};
use super::remembered::Delays;
use super::settings::Settings;
use super::settle::Settling;
use super::summary::{Ended, Progress};
use super::tallies::Tallies;
use super::visit::{self, Visit};
use crate::clock::Clock;
use crate::fetch::Fetcher;
use crate::frontier::checkpoint::{self, Checkpoint, Identity, Part};
use crate::frontier::{Frontier, Gate, Job, Target};
use crate::robots::{self, Found};

/// A batch goes out when something has waited this long.
const FLUSH: Duration = Duration::from_millis(500);
/// Finished work that waits: no request starts beyond this.
const MAX_WAITING_BYTES: usize = 32 << 20;
const MAX_WAITING_ITEMS: usize = 4_000;
/// URLs that wait in memory; beyond it candidates wait on the bus.
const MAX_TARGETS: usize = 200_000;
/// How often the bus is asked for candidates of others while there is work.
const LOOK: Duration = Duration::from_millis(100);
/// How long an interrupted crawl waits for requests under way.
const GRACE: Duration = Duration::from_secs(5);
/// How often small chores are done.
const CHORES: Duration = Duration::from_secs(1);
/// A checkpoint takes at most one part in this many of the time.
const CHECKPOINT_SHARE: u32 = 30;

/// What the other threads tell.
pub enum Message {
    /// A visit ended.
    Visited { target: Box<Target>, partition: u32, epoch: Epoch, visit: Box<Visit> },
    /// robots.txt was asked for.
    Robots { host: u64, https: bool, found: Found, took: Duration },
    /// A batch is on the bus, or not.
    Published(Box<Published>),
    /// Shutdown was requested.
    Wake,
}

impl From<Published> for Message {
    fn from(published: Published) -> Message {
        Message::Published(Box::new(published))
    }
}

/// What the loop needs.
pub struct Parts {
    /// Settings.
    pub settings: Settings,
    /// Bus.
    pub bus: Bus,
    /// Reader of candidates.
    pub reader: Reader,
    /// Writer.
    pub writer: bus::Writer,
    /// Time.
    pub clock: Clock,
    /// The crawl's folder.
    pub folder: PathBuf,
    /// Shutdown.
    pub shutdown: Shutdown,
    /// Progress, metrics, life signs.
    pub progress: Progress,
}

/// The loop's state.
pub struct Engine {
    settings: Settings,
    bus: Bus,
    reader: Reader,
    clock: Clock,
    folder: PathBuf,
    shutdown: Shutdown,
    progress: Progress,
    publisher: Publisher,
    inbox: Receiver<Message>,
    sender: Sender<Message>,
    runtime: Runtime,
    context: visit::Context,
    frontier: Frontier,
    outbox: Outbox,
    admission: Admission,
    settling: Settling,
    tallies: Tallies,
    delays: Delays,
    identity: Identity,
    /// What a checkpoint says of partitions that were not assigned yet.
    checkpoint: BTreeMap<u32, (Part, crate::frontier::index::Index)>,
    /// The recrawl mark to set.
    mark: i64,
    in_flight: usize,
    /// Places of `--pages` that are taken and not counted yet.
    claims: u64,
    /// With `--depth`: greatest depth that is fetched now.
    level: u32,
    /// Something was held back because no place of `--pages` was free.
    paused: bool,
    revoking: Vec<Assignment>,
    /// Candidates wait on the bus.
    throttled: bool,
    /// The reader had nothing since the last commit.
    drained: bool,
    looked: Instant,
    chores: Instant,
    checkpointed: Instant,
    checkpoint_took: Duration,
    changed: bool,
    aborted: Option<Instant>,
    aborts: u32,
    told_idle: bool,
}

impl Engine {
    /// Sets everything up.
    pub fn new(parts: Parts) -> Result<Engine> {
        let Parts { settings, bus, reader, writer, clock, folder, shutdown, progress } = parts;
        let crawl = settings.crawl.clone();
        let (sender, inbox) = channel();
        let publisher = Publisher::start(writer, sender.clone())?;
        let wake = sender.clone();
        shutdown.on_request(move || {
            let _ = wake.send(Message::Wake);
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads)
            .max_blocking_threads(16)
            .thread_name("fetch")
            .enable_all()
            .build()
            .context("cannot start the fetching threads")?;
        let fetcher = Fetcher::new(&settings.fetch)?;
        let (delays, remembered) = Delays::open(&folder)?;
        let mut frontier = Frontier::new(&crawl, settings.scope.clone(), settings.depth, settings.manners, remembered);
        for seed in &settings.seeds {
            if frontier.scope.admits_seed(seed) {
                frontier.widen(seed);
            }
        }
        let identity = Identity {
            cluster: bus.cluster().to_owned(),
            frontier: bus.topic_id(&bus::topic::frontier(&crawl).name)?,
            tallies: bus.topic_id(&bus::topic::tallies(&crawl).name)?,
            crawl: crawl.clone(),
        };
        let loaded = checkpoint::read(&folder, &identity, bus.now()?).unwrap_or_else(|reason| {
            warn!("the checkpoint in {} is not used: {reason:#}; everything is read from the bus", folder.display());
            None
        });
        let (mut tallies_next, mut known, mut checkpoint) = (0, BTreeMap::new(), BTreeMap::new());
        if let Some(Checkpoint { key, tallies_next: next, partitions }) = loaded {
            frontier.key = key;
            tallies_next = next;
            for (part, index) in partitions {
                known.insert(part.partition, part.tally.clone());
                checkpoint.insert(part.partition, (part, index));
            }
        }
        let tallies = Tallies::new(&bus, &crawl, tallies_next, known)?;
        let source = format!("spider/{crawl}-{}", settings.instance);
        let context = visit::Context {
            fetcher,
            scope: frontier.scope.clone(),
            key: frontier.key,
            requisites: settings.requisites,
            depth: settings.depth,
            ignore_nofollow: settings.ignore_nofollow,
            clock: clock.clone(),
        };
        let now = Instant::now();
        Ok(Engine {
            admission: Admission::new(&crawl, &source, settings.depth, settings.host_pages),
            settling: Settling { crawl: crawl.clone(), source, depth: settings.depth, clock: clock.clone() },
            outbox: Outbox::new(&crawl),
            level: if settings.depth.is_some() { 0 } else { u32::MAX },
            bus,
            reader,
            clock,
            folder,
            shutdown,
            progress,
            publisher,
            inbox,
            sender,
            runtime,
            context,
            frontier,
            tallies,
            delays,
            identity,
            checkpoint,
            mark: 0,
            in_flight: 0,
            claims: 0,
            paused: false,
            revoking: Vec::new(),
            throttled: false,
            drained: false,
            looked: now,
            chores: now,
            checkpointed: now,
            checkpoint_took: Duration::ZERO,
            changed: false,
            aborted: None,
            aborts: 0,
            told_idle: false,
            settings,
        })
    }

    /// Runs until the crawl is at its end, or shutdown is requested.
    pub fn run(mut self) -> Result<(Ended, Progress, Tally)> {
        let ended = loop {
            if self.shutdown.requested() {
                break Ended::Interrupted;
            }
            self.receive()?;
            self.read()?;
            let idle = self.dispatch();
            self.flush(idle);
            self.do_chores(false)?;
            if let Some(ended) = self.ended(idle)? {
                break ended;
            }
            self.wait()?;
        };
        self.drain()?;
        self.do_chores(true)?;
        let mut sum = self.tallies.sum(|p| !self.frontier.partitions.contains_key(&p));
        for partition in self.frontier.partitions.keys() {
            if let Some(t) = self.frontier.tally(*partition) {
                sum.fetched += t.fetched;
                sum.fetches += t.fetches;
                sum.pending += t.pending;
                sum.known += t.known;
                for (class, n) in t.errors {
                    *sum.errors.entry(class).or_default() += n;
                }
            }
        }
        self.runtime.shutdown_background();
        Ok((ended, self.progress, sum))
    }

    /// Takes in what the other threads have told.
    fn receive(&mut self) -> Result<()> {
        while let Ok(message) = self.inbox.try_recv() {
            self.handle(message)?;
        }
        Ok(())
    }

    fn handle(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Wake => {}
            Message::Visited { target, partition, epoch, visit } => {
                self.in_flight -= 1;
                self.visited(*target, partition, epoch, *visit);
            }
            Message::Robots { host, https, found, took } => {
                self.in_flight -= 1;
                let now = Instant::now();
                if let Some((name, delay)) = self.frontier.queues.robots(host, https, found, took, now) {
                    self.delays.note(&name, delay);
                }
            }
            Message::Published(published) => self.published(*published)?,
        }
        Ok(())
    }

    fn visited(&mut self, target: Target, partition: u32, epoch: Epoch, visit: Visit) {
        let now = Instant::now();
        let (host, claimed) = (target.print.host, self.claims_place(&target, partition));
        let (reached, took) = (visit.reached, visit.elapsed);
        let ours = self.frontier.partitions.get(&partition).is_some_and(|p| p.epoch == epoch);
        self.frontier.queues.with(host, now, |h, manners| h.ended(manners, now, reached, took));
        if !ours {
            self.claims -= u64::from(claimed);
            return;
        }
        let settled = self.settling.settle(target, partition, epoch, visit, &self.frontier, &self.outbox);
        self.frontier.queues.with(host, now, |h, manners| {
            if let Some(yes) = settled.connected {
                h.connected(yes);
            }
            if let Some(wait) = settled.pause {
                h.pause(manners, now, wait);
            }
        });
        let keeps = settled.items.iter().any(|item| item.claim);
        self.claims -= u64::from(claimed && !keeps);
        self.progress.visited(&settled, took);
        for item in settled.items {
            self.outbox.push(item);
        }
    }

    /// Whether fetching it may add to what `--pages` counts.
    fn claims_place(&self, target: &Target, partition: u32) -> bool {
        let mark = self.frontier.partitions.get(&partition).map_or(0, |p| p.tally.since);
        !target.requisite && !target.counted(mark)
    }

    fn published(&mut self, published: Published) -> Result<()> {
        let Published { batch, result } = published;
        match result {
            Ok(receipt) => {
                let done = self.outbox.commit(&receipt, &mut self.frontier, self.clock.seconds());
                self.progress.committed(batch.outputs.len());
                self.settle_claims(&done);
                self.aborts = 0;
                self.drained = false;
                self.changed = true;
            }
            Err(PublishError::Lost(partitions)) => {
                self.outbox.take_back(batch);
                warn!(?partitions, "partitions are not ours any more; their work is dropped");
                for (_, partition) in partitions {
                    self.drop_partition(partition);
                }
            }
            Err(PublishError::Aborted(reason)) => {
                self.outbox.take_back(batch);
                if self.aborts.is_multiple_of(100) {
                    warn!(reason, "publishing is tried again");
                }
                self.aborts += 1;
                self.aborted = Some(Instant::now() + Duration::from_millis(100));
            }
            Err(e) => return Err(e.into()),
        }
        self.release()
    }

    fn settle_claims(&mut self, done: &Committed) {
        self.claims = self.claims.saturating_sub(done.claims as u64);
    }

    /// Reads events of the group, unless enough waits here already.
    fn read(&mut self) -> Result<()> {
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
    fn throttle(&mut self) -> Result<()> {
        let waiting = self.frontier.queues.len() + self.frontier.parked();
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

    fn event(&mut self, event: Event) -> Result<()> {
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
                self.release()?;
            }
            Event::Lost(assignments) => {
                for a in &assignments {
                    self.drop_partition(a.partition);
                }
            }
        }
        Ok(())
    }

    fn widen(&mut self) {
        self.frontier.unpark(self.clock.seconds());
        self.context.scope = self.frontier.scope.clone();
    }

    fn assign(&mut self, assignments: &[Assignment]) -> Result<()> {
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

    fn drop_partition(&mut self, partition: u32) {
        self.frontier.drop_partition(partition);
        self.revoking.retain(|a| a.partition != partition);
    }

    /// Gives up what is to be given up, once nothing is being published.
    fn release(&mut self) -> Result<()> {
        if self.revoking.is_empty() || !self.outbox.is_free() {
            return Ok(());
        }
        let revoking = std::mem::take(&mut self.revoking);
        for a in &revoking {
            self.frontier.drop_partition(a.partition);
        }
        self.reader.release(&revoking)?;
        Ok(())
    }

    fn gate(&mut self) -> Gate {
        let pages = self.settings.pages.is_none_or(|max| self.counted() + self.claims < max);
        if pages && self.paused {
            self.paused = false;
            self.frontier.queues.release(Instant::now());
        }
        self.paused = !pages;
        Gate { pages, depth: self.level }
    }

    /// URLs that count for `--pages`, over all partitions.
    fn counted(&self) -> u64 {
        let ours = &self.frontier.partitions;
        let others = if ours.len() < bus::topic::PARTITIONS as usize {
            self.tallies.sum(|p| !ours.contains_key(&p)).fetched
        } else {
            0
        };
        self.frontier.counted() + others
    }

    /// Starts what may start; true when there was nothing left to start.
    fn dispatch(&mut self) -> bool {
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
                Job::Page { target, partition, robots } => {
                    let Some(epoch) = self.frontier.partitions.get(&partition).map(|p| p.epoch) else { continue };
                    self.claims += u64::from(self.claims_place(&target, partition));
                    self.in_flight += 1;
                    let (context, sender) = (self.context.clone(), self.sender.clone());
                    self.runtime.spawn(async move {
                        let visit = Box::new(visit::visit(&context, &target, &robots).await);
                        let _ = sender.send(Message::Visited { target: Box::new(target), partition, epoch, visit });
                    });
                }
                Job::Refused { target, partition, mut failure } => {
                    let Some(epoch) = self.frontier.partitions.get(&partition).map(|p| p.epoch) else { continue };
                    failure.transient = false;
                    let visit = Visit {
                        fetched_at: self.clock.micros(),
                        elapsed: Duration::ZERO,
                        reached: false,
                        result: Err(failure),
                    };
                    let settled = self.settling.settle(target, partition, epoch, visit, &self.frontier, &self.outbox);
                    self.progress.visited(&settled, Duration::ZERO);
                    for item in settled.items {
                        self.outbox.push(item);
                    }
                }
                Job::Robots { host, address, delay } => {
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
            }
        }
    }

    /// Publishes what waits, when a batch is full, old enough, or needed to go on.
    fn flush(&mut self, idle: bool) {
        if !self.outbox.is_free()
            || !self.outbox.is_waiting()
            || self.aborted.is_some_and(|until| Instant::now() < until)
        {
            return;
        }
        let old = self.outbox.since().is_some_and(|since| since.elapsed() >= FLUSH);
        let starved = idle
            && (self.frontier.queues.len() == 0
                || (self.in_flight == 0 && self.frontier.queues.held_depth().is_some()));
        if !(old || starved || self.outbox.is_full() || self.shutdown.requested()) {
            return;
        }
        self.aborted = None;
        let (batch, dropped) = self.outbox.seal(&self.frontier);
        self.settle_claims(&dropped);
        if let Some(batch) = batch {
            self.publisher.publish(batch);
        }
    }

    /// Whether the crawl is at its end; goes one level deeper when a level is done.
    fn ended(&mut self, idle: bool) -> Result<Option<Ended>> {
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
    fn all_idle(&mut self) -> Result<bool> {
        self.tallies.refresh()?;
        let ours = &self.frontier.partitions;
        if self.tallies.sum(|p| !ours.contains_key(&p)).pending > 0 {
            return Ok(false);
        }
        let group = bus::topic::spider_group(&self.settings.crawl);
        let topic = bus::topic::discovered(&self.settings.crawl).name;
        let lag: i64 = self.bus.lag(&group, &topic)?.iter().map(|lag| lag.records).sum();
        Ok(lag == 0 && !self.tallies.refresh()?)
    }

    /// Small things once in a while: visits that fall due, others' tallies, checkpoint, progress.
    fn do_chores(&mut self, last: bool) -> Result<()> {
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
        let pending = self.frontier.queues.len() + self.in_flight;
        let counted = self.counted();
        self.progress.tick(counted, pending as u64, self.in_flight);
        Ok(())
    }

    fn write_checkpoint(&mut self) -> Result<()> {
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

    /// Waits for whatever comes first.
    fn wait(&mut self) -> Result<()> {
        let now = Instant::now();
        let mut until = now + CHORES;
        let wakes = [
            self.frontier.queues.wake_at().filter(|_| self.in_flight < self.settings.fetch.concurrency),
            self.outbox.since().filter(|_| self.outbox.is_free()).map(|since| since + FLUSH),
            self.aborted,
        ];
        for wake in wakes.into_iter().flatten() {
            until = until.min(wake);
        }
        let busy = self.in_flight > 0 || !self.outbox.is_free();
        if busy || !self.drained {
            until = until.min(now + LOOK);
        }
        let timeout = until.saturating_duration_since(now);
        let more = !self.drained && self.outbox.size().0 < MAX_WAITING_ITEMS;
        if timeout.is_zero() || more {
            return Ok(());
        }
        if !busy {
            let event = self.reader.poll(timeout.min(FLUSH))?;
            return self.event(event);
        }
        match self.inbox.recv_timeout(timeout) {
            Ok(message) => self.handle(message),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            // we hold a sender ourselves
            Err(RecvTimeoutError::Disconnected) => bail!("the fetching threads are gone"),
        }
    }

    /// Ends in order: requests under way come to an end (for a while), and what was fetched is published.
    fn drain(&mut self) -> Result<()> {
        self.progress.draining();
        let until = Instant::now() + GRACE;
        while self.in_flight > 0 && Instant::now() < until {
            if let Ok(message) = self.inbox.recv_timeout(LOOK) {
                self.handle(message)?;
            }
            self.flush(true);
        }
        while !self.outbox.is_empty() {
            if self.outbox.is_free() {
                let (batch, _) = self.outbox.seal(&self.frontier);
                match batch {
                    Some(batch) => self.publisher.publish(batch),
                    None => continue,
                }
            }
            if let Ok(message) = self.inbox.recv_timeout(LOOK) {
                self.handle(message)?;
            }
            if let Some(until) = self.aborted.take() {
                ensure!(
                    self.aborts < 50,
                    "what was fetched last could not be published; it is fetched again next time"
                );
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
        }
        Ok(())
    }
}
