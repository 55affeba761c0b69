//! The Kafka half of the bus, on librdkafka.
//!
//! Who talks to the brokers: one *probe* without a group, for offsets, topics and the causes of errors; scanners, which
//! read partitions without a group, kept for the next scan; one plain producer for what needs no group; and for each
//! member a consumer on a thread of its own and a transactional producer. How they keep the promises of the bus stands in
//! ARCHITECTURE.md.

mod admin;
mod ask;
mod cause;
mod config;
mod consume;
mod context;
mod fetched;
mod identity;
mod member;
mod offsets;
mod producer;
mod reader;
mod records;
mod scan;
mod stash;
mod transact;
mod url;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;

use crate::bus::{Lag, Offsets, Options};
use crate::clock::Clock;
use crate::{Error, Output, Receipt, Result, TopicSpec};

use cause::Causes;
use config::Properties;
use context::Context;
pub use reader::Reader;
pub use scan::Scan;
use url::Address;
pub use writer::Writer;

/// How long the first answer of a broker may take when a bus is opened.
const OPENING: Duration = Duration::from_secs(10);
/// How long a program may take to start: a question of that time that is not answered shows what is set up wrong.
const STARTING: Duration = Duration::from_secs(30);
/// How long is waited for brokers that have gone, when the program has been asked to end.
const ENDING: Duration = Duration::from_secs(5);

/// An open bus. Clones share its connections.
#[derive(Clone)]
pub struct Kafka(Arc<Inner>);

struct Inner {
    address: Address,
    properties: Properties,
    clock: Clock,
    cluster: String,
    causes: Arc<Causes>,
    /// Reads committed records and offsets only.
    probe: BaseConsumer<Context>,
    /// The same for uncommitted ones.
    raw: BaseConsumer<Context>,
    /// Consumers that tell what a group has committed, by the group's full name.
    groups: Mutex<HashMap<String, Arc<BaseConsumer<Context>>>>,
    scanners: Mutex<Vec<scan::Scanner>>,
    plain: Mutex<Option<producer::Producer>>,
    /// Number of partitions of topics that were looked at, by full name.
    partitions: Mutex<HashMap<String, u32>>,
    /// Ids of topics that were asked for: they are watched.
    ids: Mutex<HashMap<String, String>>,
    /// When they were written again.
    renewed: Mutex<Option<Instant>>,
    opened: Instant,
    /// A member has had partitions, so brokers, topics and rights are as they must be: whatever fails now is waited for.
    settled: AtomicBool,
    /// When the program was asked to end.
    ending: Arc<OnceLock<Instant>>,
    /// Stretches that are known to hold no committed record, by full name and partition.
    empty: Mutex<HashMap<(String, u32), (i64, i64)>>,
    /// The newest append time that is known, and when it was learnt.
    time: Mutex<Option<(i64, Instant)>>,
    members: Mutex<Vec<Weak<member::Member>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (groups, scanners) = (lock(&self.groups), lock(&self.scanners));
        context::close(groups.values().map(Arc::as_ref).chain(scanners.iter().map(scan::Scanner::consumer)));
    }
}

impl Kafka {
    pub(crate) fn open(url: &str, options: &Options) -> Result<Kafka> {
        records::install();
        let address = Address::parse(url)?;
        let properties = Properties::load(options.config.as_deref())?;
        let causes = Arc::new(Causes::default());
        let bare = |isolation: &str| {
            let mut config = properties.client(&address);
            config.set("isolation.level", isolation);
            context::consumer(&config, Context::new(causes.clone()))
        };
        let (probe, raw) = (bare("read_committed")?, bare("read_uncommitted")?);
        let cluster = ask::cluster(&probe, &address, &causes, OPENING)?;
        Ok(Kafka(Arc::new(Inner {
            address,
            properties,
            clock: options.clock.clone(),
            cluster,
            causes,
            probe,
            raw,
            groups: Mutex::default(),
            scanners: Mutex::default(),
            plain: Mutex::default(),
            partitions: Mutex::default(),
            ids: Mutex::default(),
            renewed: Mutex::default(),
            opened: Instant::now(),
            settled: AtomicBool::new(false),
            ending: Arc::default(),
            empty: Mutex::default(),
            time: Mutex::default(),
            members: Mutex::default(),
        })))
    }

    /// See [`crate::Bus::ender`].
    pub(crate) fn ender(&self) -> impl FnOnce() + Send + 'static {
        let ending = self.0.ending.clone();
        move || {
            ending.get_or_init(Instant::now);
        }
    }

    pub(crate) fn is_away(&self) -> bool {
        self.0.causes.are_away()
    }

    /// Whether what was begun then, and what brokers do not answer, is to be given up: soon while a program starts, later never,
    /// unless it is to end.
    fn is_over(&self, begun: Instant) -> bool {
        let starting = !self.0.settled.load(Ordering::Relaxed) && begun.duration_since(self.0.opened) < STARTING;
        self.is_ended() || (starting && begun.elapsed() > OPENING)
    }

    /// Notes that a member has partitions.
    fn settle(&self) {
        self.0.settled.store(true, Ordering::Relaxed);
    }

    /// Whether the program was asked to end, and what brokers do not answer is waited for no more.
    fn is_ended(&self) -> bool {
        self.0.ending.get().is_some_and(|asked| asked.elapsed() > ENDING)
    }

    /// Why something was given up.
    fn given_up(&self, why: impl FnOnce() -> Error) -> Error {
        if self.is_ended() { Error::Ended { bus: self.0.address.to_string() } } else { why() }
    }

    pub(crate) fn cluster(&self) -> &str {
        &self.0.cluster
    }

    pub(crate) fn look_up(&self, topic: &str) -> Result<Option<u32>> {
        admin::look_up(self, &self.full(topic))
    }

    pub(crate) fn ensure(&self, topics: &[TopicSpec]) -> Result<()> {
        producer::prepare(self)?;
        admin::ensure(self, topics)
    }

    pub(crate) fn topics(&self) -> Result<Vec<TopicSpec>> {
        admin::topics(self)
    }

    pub(crate) fn topic_id(&self, topic: &str) -> Result<String> {
        let id = identity::of(self, topic)?;
        lock(&self.0.ids).insert(topic.to_owned(), id.clone());
        Ok(id)
    }

    pub(crate) fn delete_topic(&self, topic: &str) -> Result<()> {
        admin::delete(self, topic)
    }

    pub(crate) fn offsets(&self, topic: &str, partition: u32) -> Result<Offsets> {
        offsets::offsets(self, topic, partition)
    }

    pub(crate) fn offset_at(&self, topic: &str, partition: u32, time: i64) -> Result<i64> {
        offsets::at(self, topic, partition, time)
    }

    pub(crate) fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
        offsets::committed(self, group, topic)
    }

    pub(crate) fn lag(&self, group: &str, topic: &str) -> Result<Vec<Lag>> {
        offsets::lag(self, group, topic)
    }

    pub(crate) fn unread(&self, group: &str, topic: &str) -> Result<bool> {
        offsets::unread(self, group, topic)
    }

    pub(crate) fn now(&self) -> Result<i64> {
        offsets::now(self)
    }

    pub(crate) fn scan(&self, topic: &str, partition: u32, from: i64) -> Result<Scan> {
        Scan::new(self.clone(), topic, partition, from)
    }

    pub(crate) fn join(&self, group: &str, instance: &str, topics: &[&str]) -> Result<(Reader, Writer)> {
        member::join(self, group, instance, topics)
    }

    pub(crate) fn holder(&self, group: &str) -> Result<Option<String>> {
        ask::holder(self, group)
    }

    pub(crate) fn append(&self, outputs: &[Output]) -> Result<Receipt> {
        producer::append(self, outputs)
    }

    /// Takes a partition from a member of this process as a rebalance does, and gives it back once it was released. For
    /// tests: a broker decides by itself which partition moves.
    #[doc(hidden)]
    pub fn revoke(&self, group: &str, topic: &str, partition: u32) {
        for member in lock(&self.0.members).iter().filter_map(Weak::upgrade) {
            member.revoke(group, topic, partition);
        }
    }

    /// The name that a topic or group has on the broker.
    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.0.address.prefix)
    }

    /// Notes an append time, for [`Kafka::now`].
    fn learn(&self, time: i64) {
        let mut known = lock(&self.0.time);
        let now = Instant::now();
        let newer = |(old, at): (i64, Instant)| {
            time >= old + i64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(0)
                || now.saturating_duration_since(at) > offsets::FRESH
        };
        if known.is_none_or(newer) {
            *known = Some((time, now));
        }
    }
}

/// Locks what stays sound when its holder panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
