//! One transaction at a time: records and covered offsets, all or nothing.

use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::producer::Producer;
use super::{Kafka, WAITING, admin, cause};
use crate::{Batch, Error, Receipt, Result};

/// The broker aborts a transaction that is open for longer: a failover takes twelve seconds.
const TIMEOUT_MS: &str = "60000";
/// How long one step waits before it looks around.
const STEP: Duration = Duration::from_secs(5);

/// How long covering is tried: by then the broker has aborted the transaction. After brokers died, a producer was seen to ask for
/// minutes without an answer; a new one has it at once. A commit is waited for, since it may have been done.
const STALE: Duration = Duration::from_secs(75);
/// How long aborting is tried: a new producer aborts what the one before it has left open.
const ABORT: Duration = Duration::from_secs(10);

/// A transactional producer.
pub(super) struct Transactions {
    kafka: Kafka,
    id: String,
    producer: Option<Producer>,
}

/// Why there is no receipt. Nothing of the batch is visible.
pub(super) enum Trouble {
    /// It may be tried again.
    Aborted(String),
    /// Another producer with the same id has begun.
    Fenced,
    /// Trying again does not help.
    Failed(Error),
}

impl Transactions {
    /// Makes the producer, which ends what a predecessor of the same id has left open.
    pub fn begin(kafka: &Kafka, id: &str) -> Result<Transactions> {
        let mut transactions = Transactions { kafka: kafka.clone(), id: id.into(), producer: None };
        transactions.renew()?;
        Ok(transactions)
    }

    /// Makes the producer again.
    pub fn renew(&mut self) -> Result<()> {
        let inner = &self.kafka.0;
        let mut config = inner.properties.producer(&inner.address);
        config.set("transactional.id", &self.id);
        if inner.properties.get("transaction.timeout.ms").is_none() {
            config.set("transaction.timeout.ms", TIMEOUT_MS);
        }
        let producer = Producer::new(&config, inner.causes.clone())?;
        self.kafka.ask(&format!("taking the transactional id {}", self.id), || {
            let done = producer.inner.init_transactions(STEP);
            producer.inner.poll(Duration::ZERO);
            done
        })?;
        self.producer = Some(producer);
        Ok(())
    }

    /// Writes the outputs and covers the offsets, as the member that the metadata names.
    pub fn run(&mut self, batch: &Batch, member: &ConsumerGroupMetadata) -> Result<Receipt, Trouble> {
        if self.producer.is_none() {
            self.renew().map_err(Trouble::Failed)?;
        }
        let Some(producer) = &mut self.producer else { return Err(Trouble::Aborted("there is no producer".into())) };
        let done = attempt(&self.kafka, producer, batch, member);
        let error = match done {
            Ok(receipt) => {
                self.kafka.0.causes.tell_back(&self.kafka.0.address);
                return Ok(receipt);
            }
            Err(error) => error,
        };
        let code = cause::code_of(&error);
        let fatal = producer.inner.client().fatal_error().map(|(code, _)| code);
        if fatal.is_none() {
            // a producer that cannot even abort is made again; that aborts
            if abort(producer).is_err() {
                self.producer = None;
            }
        } else {
            self.producer = None;
        }
        Err(self.trouble(&error, fatal.or(code)))
    }

    fn trouble(&self, error: &KafkaError, code: Option<Code>) -> Trouble {
        let inner = &self.kafka.0;
        match code {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId) => {
                Trouble::Fenced
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::MessageSizeTooLarge
                | Code::UnknownTopicOrPartition
                | Code::InvalidTopic,
            ) => Trouble::Failed(cause::fault(&inner.address, "publishing", error)),
            _ => {
                if cause::is_passing(error) {
                    inner.causes.tell_away(&inner.address);
                }
                Trouble::Aborted(error.to_string())
            }
        }
    }
}

fn attempt(
    kafka: &Kafka,
    producer: &mut Producer,
    batch: &Batch,
    member: &ConsumerGroupMetadata,
) -> Result<Receipt, KafkaError> {
    let started = Instant::now();
    producer.inner.begin_transaction()?;
    producer.send(kafka, &batch.outputs)?;
    if !batch.covers.is_empty() {
        let offsets = covered(kafka, batch)?;
        again(started, STALE, producer, || producer.inner.send_offsets_to_transaction(&offsets, member, STEP))?;
    }
    while !producer.settle(STEP) && started.elapsed() < WAITING {
        kafka.0.causes.tell_away(&kafka.0.address);
    }
    again(started, WAITING, producer, || {
        // flushes first; a record that failed is the better explanation of what follows
        let done = producer.inner.commit_transaction(STEP);
        match (done, producer.failed()) {
            (Err(_), Some(failed)) if !cause::is_passing(&failed) => Err(failed),
            (done, _) => done,
        }
    })?;
    producer.receipt()
}

/// Offsets to cover; of several covers of a partition the last one counts.
fn covered(kafka: &Kafka, batch: &Batch) -> Result<TopicPartitionList, KafkaError> {
    let mut last = std::collections::BTreeMap::new();
    for cover in &batch.covers {
        let next: &mut i64 = last.entry((&cover.topic, cover.partition)).or_default();
        *next = (*next).max(cover.next);
    }
    let mut list = TopicPartitionList::new();
    for ((topic, partition), next) in last {
        let number = admin::number(partition).unwrap_or(i32::MAX);
        list.add_partition_offset(&kafka.full(topic), number, Offset::Offset(next))?;
    }
    Ok(list)
}

/// Repeats a step whose outcome is not known yet: librdkafka goes on with it meanwhile.
fn again(
    started: Instant,
    limit: Duration,
    producer: &Producer,
    mut step: impl FnMut() -> Result<(), KafkaError>,
) -> Result<(), KafkaError> {
    loop {
        let error = match step() {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        producer.inner.poll(Duration::ZERO);
        let unknown = match &error {
            KafkaError::Transaction(e) => e.is_retriable() && !e.txn_requires_abort(),
            KafkaError::Flush(Code::OperationTimedOut) => true,
            _ => false,
        };
        if !unknown || started.elapsed() > limit {
            return Err(error);
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn abort(producer: &Producer) -> Result<(), KafkaError> {
    let started = Instant::now();
    again(started, ABORT, producer, || producer.inner.abort_transaction(STEP))
}
