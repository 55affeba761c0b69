//! The reading half of a group member: assignments with epochs, revocation that waits, batches of records.

use std::time::Duration;

use crate::{Delivered, Result, embedded, kafka};

/// Numbers assignments; a partition that comes back has a new one. 0 is never an assignment's.
pub type Epoch = u64;

/// A partition of which this member is the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Topic, without the prefix of the bus URL.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Epoch that work for this partition carries.
    pub epoch: Epoch,
    /// The group's committed offset, where there is one. Reading goes on there, else at the oldest record.
    pub committed: Option<i64>,
}

/// What [`Reader::poll`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// These partitions are ours from now on; no transaction of a predecessor is open.
    Assigned(Vec<Assignment>),
    /// These are to be given up: finish or drop the work in flight, then call [`Reader::release`].
    Revoking(Vec<Assignment>),
    /// These are gone already: drop their work.
    Lost(Vec<Assignment>),
    /// Records in order of offset within each partition; committed ones only.
    Records(Vec<Delivered>),
    /// Nothing came within the timeout.
    Idle,
}

/// Reads for one member of a group. Made by [`Bus::join`](crate::Bus::join) together with its writer.
#[allow(clippy::large_enum_variant, reason = "a program has one or two")]
pub enum Reader {
    /// Of the embedded log.
    Embedded(embedded::Reader),
    /// Of Kafka.
    Kafka(kafka::Reader),
}

impl Reader {
    /// Waits up to `timeout` for the next event. A batch of records is at most 1,000 records or 16 MiB.
    pub fn poll(&mut self, timeout: Duration) -> Result<Event> {
        match self {
            Reader::Embedded(r) => r.poll(timeout),
            Reader::Kafka(r) => r.poll(timeout),
        }
    }

    /// Gives up partitions named by [`Event::Revoking`]; their epochs are over.
    pub fn release(&mut self, partitions: &[Assignment]) -> Result<()> {
        match self {
            Reader::Embedded(r) => r.release(partitions),
            Reader::Kafka(r) => r.release(partitions),
        }
    }

    /// Stops delivering records of one partition (back-pressure) until [`Reader::resume`]; it stays ours.
    pub fn pause(&mut self, topic: &str, partition: u32) -> Result<()> {
        match self {
            Reader::Embedded(r) => r.pause(topic, partition),
            Reader::Kafka(r) => r.pause(topic, partition),
        }
    }

    /// Delivers records of a paused partition again.
    pub fn resume(&mut self, topic: &str, partition: u32) -> Result<()> {
        match self {
            Reader::Embedded(r) => r.resume(topic, partition),
            Reader::Kafka(r) => r.resume(topic, partition),
        }
    }

    /// Goes on reading a partition at `offset`, for work that was dropped and must be done again.
    pub fn seek(&mut self, topic: &str, partition: u32, offset: i64) -> Result<()> {
        match self {
            Reader::Embedded(r) => r.seek(topic, partition, offset),
            Reader::Kafka(r) => r.seek(topic, partition, offset),
        }
    }
}
