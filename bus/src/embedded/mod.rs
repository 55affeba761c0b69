//! The embedded log: a bus in one SQLite file, for a person with no broker.
//!
//! Same partitions, offsets and guarantees as Kafka, on one machine: several processes may use the file at once, a
//! group has one member at a time. How it is laid out and why stands in the crate's README.

mod append;
mod catalog;
mod compaction;
mod fault;
mod group;
mod headers;
mod lock;
mod open;
mod reader;
mod rows;
mod scan;
mod schema;
mod signal;
mod upkeep;
mod wal;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::bus::{Lag, Offsets, Options};
use crate::clock::Clock;
use crate::{Output, Receipt, Result, TopicSpec};

pub use reader::Reader;
pub use scan::Scan;
pub use writer::Writer;

/// An open log. Clones share a few connections, each used by one thread at a time.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    /// The file, absolute and with links resolved.
    path: PathBuf,
    /// Folder of the groups' lock files.
    locks: PathBuf,
    cluster: String,
    access: open::Access,
    clock: Clock,
    idle: Mutex<Vec<Connection>>,
    /// Wakes readers of this process at once; those of other processes look at the file's version.
    signal: signal::Signal,
    upkeep: Mutex<upkeep::State>,
    /// Size of the write-ahead log when a commit last tried to cut it back.
    wal_tried: AtomicU64,
}

impl Log {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Log> {
        let opened = open::open(path)?;
        Ok(Log(Arc::new(Inner {
            path: opened.path,
            locks: opened.locks,
            cluster: opened.cluster,
            access: opened.access,
            clock: options.clock.clone(),
            idle: Mutex::new(vec![opened.connection]),
            signal: signal::Signal::default(),
            upkeep: Mutex::default(),
            wal_tried: AtomicU64::new(0),
        })))
    }

    pub(crate) fn cluster(&self) -> &str {
        &self.0.cluster
    }

    pub(crate) fn ensure(&self, topics: &[TopicSpec]) -> Result<()> {
        self.with(|c| catalog::ensure(c, topics))
    }

    pub(crate) fn topics(&self) -> Result<Vec<TopicSpec>> {
        self.with(|c| catalog::topics(c))
    }

    pub(crate) fn topic_id(&self, topic: &str) -> Result<String> {
        self.with(|c| catalog::topic_id(c, topic))
    }

    pub(crate) fn delete_topic(&self, topic: &str) -> Result<()> {
        self.with(|c| catalog::delete(c, topic))?;
        self.0.signal.raise();
        while self.with(catalog::sweep)? {}
        Ok(())
    }

    pub(crate) fn offsets(&self, topic: &str, partition: u32) -> Result<Offsets> {
        self.with(|c| catalog::offsets(c, topic, partition))
    }

    pub(crate) fn offset_at(&self, topic: &str, partition: u32, time: i64) -> Result<i64> {
        self.with(|c| catalog::offset_at(c, topic, partition, time))
    }

    pub(crate) fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
        self.with(|c| group::committed(c, group, topic))
    }

    pub(crate) fn lag(&self, group: &str, topic: &str) -> Result<Vec<Lag>> {
        self.with(|c| group::lag(c, group, topic))
    }

    pub(crate) fn now(&self) -> Result<i64> {
        self.with(|c| append::now(c, &self.0.clock))
    }

    pub(crate) fn scan(&self, topic: &str, partition: u32, from: i64) -> Result<Scan> {
        Scan::new(self.clone(), topic, partition, from)
    }

    pub(crate) fn join(&self, group: &str, instance: &str, topics: &[&str]) -> Result<(Reader, Writer)> {
        group::join(self, group, instance, topics)
    }

    pub(crate) fn holder(&self, group: &str) -> Result<Option<String>> {
        lock::holder(&self.0.locks, group)
    }

    pub(crate) fn append(&self, outputs: &[Output]) -> Result<Receipt> {
        crate::limits::check(outputs)?;
        let receipt = self.with(|c| {
            let receipt = append::append(c, outputs, &self.0.clock)?;
            wal::bound(c, &self.0.wal_tried);
            Ok(receipt)
        })?;
        self.0.signal.raise();
        Ok(receipt)
    }

    pub(crate) fn maintain(&self) -> Result<bool> {
        let mut state = relock(&self.0.upkeep);
        self.with(|c| upkeep::step(c, &self.0.clock, &mut state))
    }

    /// Asks the member of a group to give partitions up, as a broker does when it moves them: the member sees
    /// [`Event::Revoking`](crate::Event::Revoking), and once it has released them, gets them again under new epochs.
    #[doc(hidden)]
    pub fn revoke(&self, group: &str, topic: &str, partitions: &[u32]) -> Result<()> {
        self.with(|c| group::revoke(c, group, topic, partitions))?;
        self.0.signal.raise();
        Ok(())
    }

    /// Runs `f` on a connection of its own; nothing of it stays open afterwards.
    fn with<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let idle = relock(&self.0.idle).pop();
        let mut connection = match idle {
            Some(c) => c,
            None => self.connect()?,
        };
        let done = f(&mut connection);
        relock(&self.0.idle).push(connection);
        done
    }

    fn connect(&self) -> Result<Connection> {
        open::connect(&self.0.path, self.0.access)
    }
}

/// Locks what stays sound when its holder panics: a pool, a counter, a cursor that starts over.
fn relock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
