//! The loop: candidates in, requests out, visits settled, batches published. One thread owns all state; fetching and
//! publishing happen elsewhere and report here.
//!
//! Back-pressure: no candidate is read while much waits to be published or to be fetched, and no request starts while
//! finished work fills its memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bus::payload::Tally;
use bus::{Assignment, Bus, Epoch, Reader};
use program::Shutdown;
use tokio::runtime::Runtime;
use tracing::warn;

use super::admit::Admission;
use super::outbox::Outbox;
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
use crate::frontier::index::Index;
use crate::frontier::{Frontier, Target};
use crate::robots::Found;

/// A batch goes out when something has waited this long.
pub(super) const FLUSH: Duration = Duration::from_millis(500);
/// Finished work that waits: no request starts beyond this.
pub(super) const MAX_WAITING_BYTES: usize = 32 << 20;
pub(super) const MAX_WAITING_ITEMS: usize = 4_000;
/// URLs that wait in memory; beyond it candidates wait on the bus.
pub(super) const MAX_TARGETS: usize = 200_000;
/// How often the bus is asked for candidates of others while there is work.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// How often small chores are done.
pub(super) const CHORES: Duration = Duration::from_secs(1);

/// What the other threads tell.
pub enum Message {
    /// A visit ended.
    Visited { target: Box<Target>, ticket: Ticket, visit: Box<Visit> },
    /// robots.txt was asked for.
    Robots { host: u64, https: bool, found: Found, took: Duration },
    /// A batch is on the bus, or not.
    Published(Box<Published>),
    /// Shutdown was requested.
    Wake,
}

/// For whose sake a visit is made.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// Partition.
    pub partition: u32,
    /// Epoch under which it began.
    pub epoch: Epoch,
    /// It holds a place of `--pages`.
    pub claim: bool,
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
    pub(super) settings: Settings,
    pub(super) bus: Bus,
    pub(super) reader: Reader,
    pub(super) clock: Clock,
    pub(super) folder: PathBuf,
    pub(super) shutdown: Shutdown,
    pub(super) progress: Progress,
    pub(super) publisher: Publisher,
    pub(super) inbox: Receiver<Message>,
    pub(super) sender: Sender<Message>,
    pub(super) runtime: Runtime,
    pub(super) context: visit::Context,
    pub(super) frontier: Frontier,
    pub(super) outbox: Outbox,
    pub(super) admission: Admission,
    pub(super) settling: Settling,
    pub(super) tallies: Tallies,
    pub(super) delays: Delays,
    pub(super) identity: Identity,
    /// What a checkpoint says of partitions that were not assigned yet.
    pub(super) checkpoint: BTreeMap<u32, (Part, Index)>,
    /// The recrawl mark to set.
    pub(super) mark: i64,
    pub(super) in_flight: usize,
    /// Places of `--pages` that are taken and not counted yet.
    pub(super) claims: u64,
    /// With `--depth`: greatest depth that is fetched now.
    pub(super) level: u32,
    /// Something was held back because no place of `--pages` was free.
    pub(super) paused: bool,
    pub(super) revoking: Vec<Assignment>,
    /// When partitions were asked back last.
    pub(super) asked_back: Instant,
    /// Candidates wait on the bus.
    pub(super) throttled: bool,
    /// The reader had nothing since the last commit.
    pub(super) drained: bool,
    pub(super) looked: Instant,
    pub(super) chores: Instant,
    pub(super) maintained: Instant,
    pub(super) checkpointed: Instant,
    pub(super) checkpoint_took: Duration,
    pub(super) changed: bool,
    pub(super) aborted: Option<Instant>,
    pub(super) aborts: u32,
    pub(super) told_idle: bool,
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
            follows: settings.follows(),
            ignore_nofollow: settings.ignore_nofollow,
            clock: clock.clone(),
        };
        let now = Instant::now();
        Ok(Engine {
            admission: Admission::new(&crawl, &source, settings.depth, settings.host_pages),
            settling: Settling {
                crawl: crawl.clone(),
                source,
                depth: settings.depth,
                follows: context.follows.clone(),
                clock: clock.clone(),
            },
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
            asked_back: now,
            throttled: false,
            drained: false,
            looked: now,
            chores: now,
            maintained: now,
            checkpointed: now,
            checkpoint_took: Duration::ZERO,
            changed: false,
            aborted: None,
            aborts: 0,
            told_idle: false,
            settings,
        })
    }

    /// Runs until the crawl is at its end, or shutdown is requested. Gives also the number of URLs, of our partitions, that
    /// failed for a reason that may pass.
    pub fn run(mut self) -> Result<(Ended, Progress, Tally, u64)> {
        let ended = loop {
            if self.shutdown.requested() {
                break Ended::Interrupted;
            }
            self.receive()?;
            self.release()?;
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
        let sum = self.sum();
        self.runtime.shutdown_background();
        Ok((ended, self.progress, sum, self.frontier.failed()))
    }

    /// Takes in what the other threads have told.
    fn receive(&mut self) -> Result<()> {
        while let Ok(message) = self.inbox.try_recv() {
            self.handle(message)?;
        }
        Ok(())
    }

    pub(super) fn handle(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Wake => {}
            Message::Visited { target, ticket, visit } => {
                self.in_flight -= 1;
                self.visited(*target, ticket, *visit);
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
}
