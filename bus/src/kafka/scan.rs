//! Reading one partition with no group: committed records only, up to where it is stable now.
//!
//! A commit is acknowledged before every partition has heard of it. So a scan first notes where its partition ends for readers
//! of uncommitted records, and does not say that there is nothing more before it is there: whatever was published before the
//! scan began is seen by it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ask::ANSWER;
use super::context::{self, Context};
use super::offsets::watermarks;
use super::{Inner, Kafka, admin, cause, lock, records};
use crate::topic::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS};
use crate::{Delivered, Error, Result};

/// Consumers kept for the next scan.
const KEPT: usize = 4;
/// How long the next record may take when the last one has come: a batch that is not full goes out then.
const NEXT: Duration = Duration::from_millis(20);

/// How long a transaction may stay open that nobody's broker has aborted.
const OPEN_AT_MOST: Duration = Duration::from_secs(15 * 60);
/// Pause between two looks whether a transaction is still open.
const OPEN: Duration = Duration::from_millis(5);

/// A consumer for scans.
pub(super) struct Scanner {
    consumer: BaseConsumer<Context>,
    /// Topics that it has read.
    topics: HashSet<String>,
}

impl Scanner {
    pub fn consumer(&self) -> &BaseConsumer<Context> {
        &self.consumer
    }
}

/// Group-less reader of one partition. A consumer is borrowed while there is something to read.
pub struct Scan {
    kafka: Kafka,
    topic: String,
    full: String,
    partition: u32,
    position: i64,
    /// The last stable offset when it was asked for last.
    stable: i64,
    /// Where the partition ended, for readers of uncommitted records, when the scan began.
    goal: i64,
    reading: Option<Scanner>,
    /// A record that did not fit into the last batch.
    left: Option<Delivered>,
}

impl Scan {
    /// Of all that was published before now.
    pub(super) fn new(kafka: Kafka, topic: &str, partition: u32, from: i64) -> Result<Scan> {
        let (_, goal) = watermarks(&kafka, &kafka.0.raw, topic, partition)?;
        let mut scan = Scan::at_once(kafka, topic, partition, from)?;
        scan.goal = goal;
        Ok(scan)
    }

    /// Of what is stable: it waits for no transaction.
    pub(super) fn at_once(kafka: Kafka, topic: &str, partition: u32, from: i64) -> Result<Scan> {
        let full = admin::check_partition(&kafka, topic, partition)?;
        let topic = topic.to_owned();
        Ok(Scan { kafka, topic, full, partition, position: from, stable: 0, goal: 0, reading: None, left: None })
    }

    pub(crate) fn position(&self) -> i64 {
        self.left.as_ref().map_or(self.position, |left| left.offset)
    }

    pub(crate) fn next_batch(&mut self) -> Result<Vec<Delivered>> {
        let started = Instant::now();
        while self.left.is_none() && self.position >= self.stable {
            let (start, stable) = watermarks(&self.kafka, &self.kafka.0.probe, &self.topic, self.partition)?;
            self.position = self.position.max(start);
            self.stable = stable;
            if self.position < stable {
                break;
            }
            if stable >= self.goal {
                self.give_back();
                return Ok(Vec::new());
            }
            // somebody's transaction is open; the broker aborts it when its owner is gone
            if started.elapsed() > OPEN_AT_MOST || self.kafka.is_ended() {
                return Err(self.kafka.given_up(|| {
                    Error::Other(format!("a transaction on {} stays open; see the broker's log", self.full))
                }));
            }
            std::thread::park_timeout(OPEN);
        }
        let mut batch: Vec<Delivered> = self.left.take().into_iter().collect();
        let mut bytes: usize = batch.iter().map(|d| d.record.size()).sum();
        while batch.len() < MAX_BATCH_RECORDS && self.position < self.stable {
            let wait = if batch.is_empty() { Duration::from_secs(1) } else { NEXT };
            match self.poll(wait)? {
                Polled::Record(record) => {
                    self.position = record.offset + 1;
                    let size = record.record.size();
                    if !batch.is_empty() && bytes + size > MAX_BATCH_BYTES {
                        self.left = Some(record);
                        return Ok(batch);
                    }
                    bytes += size;
                    batch.push(record);
                }
                // the last offsets held markers, or what compaction has taken
                Polled::End => self.position = self.position.max(self.stable),
                Polled::Nothing if !batch.is_empty() => return Ok(batch),
                Polled::Nothing if self.kafka.is_over(started) => {
                    let Inner { causes, address, .. } = &*self.kafka.0;
                    let why = || causes.last().map_or_else(|| cause::silent(address), |cause| cause.error(address));
                    return Err(self.kafka.given_up(why));
                }
                Polled::Nothing => {
                    if started.elapsed() > Duration::from_secs(10) {
                        self.kafka.0.causes.tell_away(&self.kafka.0.address);
                    }
                }
            }
        }
        self.kafka.0.causes.tell_back(&self.kafka.0.address);
        if self.position >= self.stable && self.left.is_none() {
            self.give_back();
            if batch.is_empty() && self.position < self.goal {
                return self.next_batch();
            }
        }
        Ok(batch)
    }

    fn poll(&mut self, wait: Duration) -> Result<Polled> {
        if self.reading.is_none() {
            self.reading = Some(self.borrow()?);
        }
        let Some(Scanner { consumer, .. }) = &self.reading else { return Ok(Polled::Nothing) };
        match consumer.poll(wait) {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) if message.offset() < self.position => Ok(Polled::Nothing),
            Some(Ok(message)) => Ok(Polled::Record(records::delivered(&message, &self.topic, 0))),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(Polled::End),
            Some(Err(error)) => match cause::code_of(&error) {
                Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) => {
                    lock(&self.kafka.0.partitions).remove(&self.full);
                    admin::partitions(&self.kafka, &self.topic)?;
                    Ok(Polled::Nothing)
                }
                Some(Code::TopicAuthorizationFailed) => {
                    Err(cause::fault(&self.kafka.0.address, &format!("reading {}", self.full), &error))
                }
                Some(Code::BadCompression | Code::BadMessage) => {
                    Err(cause::unpacked(&self.kafka, &self.topic, self.partition, self.position, None))
                }
                // what a scan needs no group for does not concern it; what passes is waited for
                _ => Ok(Polled::Nothing),
            },
        }
    }

    fn borrow(&self) -> Result<Scanner> {
        let kept = lock(&self.kafka.0.scanners).pop();
        let mut scanner = match kept {
            Some(scanner) => scanner,
            None => {
                let mut config = self.kafka.0.properties.consumer(&self.kafka.0.address);
                config.set("group.id", self.kafka.full("scan"));
                config.set("enable.partition.eof", "true");
                // the end of a partition is told by an answer without records, which a broker holds back this long
                config.set("fetch.wait.max.ms", "10");
                let consumer = context::consumer(&config, Context::new(self.kafka.0.causes.clone()))?;
                Scanner { consumer, topics: HashSet::new() }
            }
        };
        // by itself it would look for the leaders of a topic that is new to it once a second
        if scanner.topics.insert(self.full.clone()) {
            self.kafka.ask(&format!("looking up topic {}", self.full), || {
                scanner.consumer.fetch_metadata(Some(&self.full), ANSWER).map(drop)
            })?;
        }
        let mut list = TopicPartitionList::new();
        let added =
            list.add_partition_offset(&self.full, admin::number(self.partition)?, Offset::Offset(self.position));
        let fault = |e: KafkaError| cause::fault(&self.kafka.0.address, &format!("reading {}", self.full), &e);
        added.map_err(fault)?;
        scanner.consumer.assign(&list).map_err(fault)?;
        Ok(scanner)
    }

    fn give_back(&mut self) {
        let Some(scanner) = self.reading.take() else { return };
        let mut kept = lock(&self.kafka.0.scanners);
        if kept.len() < KEPT && scanner.consumer.unassign().is_ok() {
            kept.push(scanner);
        }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// What one poll gave.
enum Polled {
    Record(Delivered),
    /// Everything up to the stable end was given.
    End,
    Nothing,
}
