//! The bus itself: opened by URL, with what needs no group: topics, offsets, looking, adding.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::{Delivered, Error, Output, Reader, Receipt, Result, TopicSpec, Writer, embedded, kafka};

/// What opening a bus needs besides its URL.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// File of librdkafka properties (`--bus-config`); Kafka only.
    pub config: Option<PathBuf>,
    /// Clock of append times. Kafka's brokers have their own: there it only decides what [`Bus::now`] says.
    pub clock: Clock,
}

/// Offsets of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    /// Oldest record that is still there.
    pub start: i64,
    /// Last stable offset: below it no transaction is open.
    pub stable: i64,
    /// Offset that the next record gets, for readers of uncommitted records.
    pub end: i64,
}

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Committed offset, where there is one.
    pub committed: Option<i64>,
    /// Records between the committed offset (else the oldest record) and the last stable offset.
    pub records: i64,
}

/// A bus. Cheap to clone; each clone may be used from a thread of its own.
#[derive(Clone)]
pub enum Bus {
    /// One SQLite file on this machine.
    Embedded(embedded::Log),
    /// Kafka brokers.
    Kafka(kafka::Kafka),
}

impl Bus {
    /// Opens `kafka://host:port,…[/prefix]` or the path of an embedded log (made if missing, folders too). A path has
    /// no prefix: another file is another bus.
    pub fn open(url: &str, options: &Options) -> Result<Bus> {
        let reason = match url.split_once("://") {
            Some(("kafka", _)) => return Ok(Bus::Kafka(kafka::Kafka::open(url, options)?)),
            Some(_) => "a bus is kafka://host:port or a path",
            None if url.is_empty() => "it is empty; a bus is kafka://host:port or a path",
            None => "",
        };
        if !reason.is_empty() {
            return Err(Error::Url { url: url.into(), reason: reason.into() });
        }
        Ok(Bus::Embedded(embedded::Log::open(url.as_ref(), options)?))
    }

    /// To be called when the program is to end: from then on brokers that are away are waited for only a few seconds.
    pub fn ender(&self) -> Box<dyn FnOnce() + Send> {
        match self {
            Bus::Embedded(_) => Box::new(|| {}),
            Bus::Kafka(k) => Box::new(k.ender()),
        }
    }

    /// Whether brokers are away, and that was said.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Bus::Embedded(_) => false,
            Bus::Kafka(k) => k.is_away(),
        }
    }

    /// Id of the cluster; a checkpoint that names another one is worthless.
    pub fn cluster(&self) -> &str {
        match self {
            Bus::Embedded(l) => l.cluster(),
            Bus::Kafka(k) => k.cluster(),
        }
    }

    /// Number of partitions of a topic; none when there is no such topic. A topic that a user may not see is an error here, and is
    /// missing in [`Bus::topics`].
    pub fn look_up(&self, topic: &str) -> Result<Option<u32>> {
        match self {
            Bus::Embedded(l) => Ok(l.topics()?.iter().find(|spec| spec.name == topic).map(|spec| spec.partitions)),
            Bus::Kafka(k) => k.look_up(topic),
        }
    }

    /// Makes sure that topics exist with their settings.
    pub fn ensure(&self, topics: &[TopicSpec]) -> Result<()> {
        match self {
            Bus::Embedded(l) => l.ensure(topics),
            Bus::Kafka(k) => k.ensure(topics),
        }
    }

    /// Topics that exist, with their settings.
    pub fn topics(&self) -> Result<Vec<TopicSpec>> {
        match self {
            Bus::Embedded(l) => l.topics(),
            Bus::Kafka(k) => k.topics(),
        }
    }

    /// Id of a topic, which a topic made anew does not share.
    pub fn topic_id(&self, topic: &str) -> Result<String> {
        match self {
            Bus::Embedded(l) => l.topic_id(topic),
            Bus::Kafka(k) => k.topic_id(topic),
        }
    }

    /// Deletes a topic with its records, and what groups have committed on it.
    pub fn delete_topic(&self, topic: &str) -> Result<()> {
        match self {
            Bus::Embedded(l) => l.delete_topic(topic),
            Bus::Kafka(k) => k.delete_topic(topic),
        }
    }

    /// Offsets of one partition.
    pub fn offsets(&self, topic: &str, partition: u32) -> Result<Offsets> {
        match self {
            Bus::Embedded(l) => l.offsets(topic, partition),
            Bus::Kafka(k) => k.offsets(topic, partition),
        }
    }

    /// Offset of the first record with an append time at or after `time` (milliseconds since 1970 UTC), else the end.
    pub fn offset_at(&self, topic: &str, partition: u32, time: i64) -> Result<i64> {
        match self {
            Bus::Embedded(l) => l.offset_at(topic, partition, time),
            Bus::Kafka(k) => k.offset_at(topic, partition, time),
        }
    }

    /// What a group has committed, partition by partition; waits while a transaction on them is open.
    pub fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
        match self {
            Bus::Embedded(l) => l.committed(group, topic),
            Bus::Kafka(k) => k.committed(group, topic),
        }
    }

    /// How far a group is behind on a topic. On Kafka these are offsets: while much is unread, transaction markers and
    /// aborted records count too.
    pub fn lag(&self, group: &str, topic: &str) -> Result<Vec<Lag>> {
        match self {
            Bus::Embedded(l) => l.lag(group, topic),
            Bus::Kafka(k) => k.lag(group, topic),
        }
    }

    /// Whether there is a committed record on a topic that a group has not covered; exact, where [`Bus::lag`] may count too
    /// much.
    pub fn unread(&self, group: &str, topic: &str) -> Result<bool> {
        match self {
            Bus::Embedded(l) => Ok(l.lag(group, topic)?.iter().any(|lag| lag.records > 0)),
            Bus::Kafka(k) => k.unread(group, topic),
        }
    }

    /// The broker's time, milliseconds since 1970 UTC: the append time that a record would get now.
    pub fn now(&self) -> Result<i64> {
        match self {
            Bus::Embedded(l) => l.now(),
            Bus::Kafka(k) => k.now(),
        }
    }

    /// Reads one partition from an offset, with no group and committed records only.
    pub fn scan(&self, topic: &str, partition: u32, from: i64) -> Result<Scan> {
        match self {
            Bus::Embedded(l) => Ok(Scan::Embedded(l.scan(topic, partition, from)?)),
            Bus::Kafka(k) => Ok(Scan::Kafka(Box::new(k.scan(topic, partition, from)?))),
        }
    }

    /// Joins a group: reads `topics` and publishes for what is assigned. `instance` names this member for ever (its
    /// restart takes its place). [`Error::Busy`] when the group is taken (embedded log).
    pub fn join(&self, group: &str, instance: &str, topics: &[&str]) -> Result<(Reader, Writer)> {
        match self {
            Bus::Embedded(l) => {
                let (r, w) = l.join(group, instance, topics)?;
                Ok((Reader::Embedded(r), Writer::Embedded(w)))
            }
            Bus::Kafka(k) => {
                let (r, w) = k.join(group, instance, topics)?;
                Ok((Reader::Kafka(r), Writer::Kafka(w)))
            }
        }
    }

    /// Who holds a group now, as a text for people; `None` when nobody does.
    pub fn holder(&self, group: &str) -> Result<Option<String>> {
        match self {
            Bus::Embedded(l) => l.holder(group),
            Bus::Kafka(k) => k.holder(group),
        }
    }

    /// Appends records with no group and no cover: seeds, beats, dead letters of a tool. Within the limits of a
    /// [`Batch`](crate::Batch), and checked before anything is written. The embedded log appends all or nothing; on Kafka
    /// there is no transaction, so after an error some may have been written.
    pub fn append(&self, outputs: &[Output]) -> Result<Receipt> {
        match self {
            Bus::Embedded(l) => l.append(outputs),
            Bus::Kafka(k) => k.append(outputs),
        }
    }

    /// One small step of retention and compaction (embedded log; Kafka does this itself). True while more is to do.
    pub fn maintain(&self) -> Result<bool> {
        match self {
            Bus::Embedded(l) => l.maintain(),
            Bus::Kafka(_) => Ok(false),
        }
    }
}

/// A group-less reader of one partition.
pub enum Scan {
    /// Of the embedded log.
    Embedded(embedded::Scan),
    /// Of Kafka.
    Kafka(Box<kafka::Scan>),
}

impl Scan {
    /// The next records in order of offset, at most 1,000 or 16 MiB; empty when there are none at the moment.
    pub fn next_batch(&mut self) -> Result<Vec<Delivered>> {
        match self {
            Scan::Embedded(s) => s.next_batch(),
            Scan::Kafka(s) => s.next_batch(),
        }
    }

    /// Offset at which the next batch starts looking: everything committed below it has been given.
    pub fn position(&self) -> i64 {
        match self {
            Scan::Embedded(s) => s.position(),
            Scan::Kafka(s) => s.position(),
        }
    }
}
