//! One transaction at a time: records and covered offsets, all or nothing.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::producer::{Collect, Producer};
use super::scan::Scan;
use super::{Kafka, admin, cause};
use crate::{Batch, Error, Receipt, Result};

/// The broker aborts a transaction that is open for longer: a failover takes twelve seconds.
const TIMEOUT_MS: u64 = 60_000;
/// How long one step waits before it looks around.
const STEP: Duration = Duration::from_secs(5);

/// How often deliveries are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// A transactional producer.
pub(super) struct Transactions {
    kafka: Kafka,
    id: String,
    producer: Option<Producer>,
    /// How long covering, committing or aborting may be without an answer, until a new producer goes on: a third of a
    /// transaction's time.
    patience: Duration,
}

/// Why an attempt gave no receipt.
enum Stop {
    /// It is refused, or has failed.
    Error(KafkaError),
    /// There was no answer. If it was about to commit, that may have been done: this is the receipt then.
    Silence(Option<Receipt>),
}

impl From<KafkaError> for Stop {
    fn from(error: KafkaError) -> Stop {
        Stop::Error(error)
    }
}

/// Why there is no receipt. Nothing of the batch is visible.
pub(super) enum Trouble {
    /// It may be tried again.
    Aborted(String),
    /// Another producer with the same id has begun.
    Fenced,
    /// The group does not know the member any more.
    Expelled,
    /// Trying again does not help.
    Failed(Error),
}

impl Transactions {
    /// Makes the producer, which ends what a predecessor of the same id has left open.
    pub fn begin(kafka: &Kafka, id: &str) -> Result<Transactions> {
        let timeout = kafka.0.properties.get("transaction.timeout.ms").and_then(|text| text.parse().ok());
        let patience = Duration::from_millis(timeout.unwrap_or(TIMEOUT_MS) / 3);
        let mut transactions = Transactions { kafka: kafka.clone(), id: id.into(), producer: None, patience };
        transactions.renew()?;
        Ok(transactions)
    }

    /// Makes the producer again.
    pub fn renew(&mut self) -> Result<()> {
        let inner = &self.kafka.0;
        let mut config = inner.properties.producer(&inner.address);
        config.set("transactional.id", &self.id);
        if inner.properties.get("transaction.timeout.ms").is_none() {
            config.set("transaction.timeout.ms", TIMEOUT_MS.to_string());
        }
        let producer = Producer::new(&config, inner.causes.clone())?;
        // an id that is asked for before there is a connection is asked for again after half a second only
        producer.inner.client().fetch_cluster_id(STEP);
        self.kafka.ask(&format!("taking the transactional id {}", self.id), || {
            let done = producer.inner.init_transactions(STEP);
            producer.inner.poll(Duration::ZERO);
            done
        })?;
        self.producer = Some(producer);
        Ok(())
    }

    /// Writes the outputs and covers the offsets, as the member that the metadata names.
    pub fn run(&mut self, batch: &Batch, member: &Arc<ConsumerGroupMetadata>) -> Result<Receipt, Trouble> {
        if self.producer.is_none() {
            self.renew().map_err(Trouble::Failed)?;
        }
        let Some(producer) = &mut self.producer else { return Err(Trouble::Aborted("there is no producer".into())) };
        let error = match attempt(&self.kafka, producer, batch, member, self.patience) {
            Ok(receipt) => {
                self.kafka.0.causes.tell_back(&self.kafka.0.address);
                return Ok(receipt);
            }
            Err(Stop::Silence(receipt)) => return self.decide(batch, receipt),
            Err(Stop::Error(error)) => error,
        };
        let code = cause::code_of(&error);
        let fatal = producer.inner.client().fatal_error().map(|(code, _)| code);
        // a producer that cannot even abort is made again; that aborts
        if fatal.is_some() || abort(producer, self.patience).is_err() {
            self.producer = None;
        }
        Err(self.trouble(&error, fatal.or(code)))
    }

    /// A new producer of the same id ends the transaction that the one before it has left: it aborts it, or waits until it is
    /// committed when that was asked for. Then a record of the batch tells which. A batch without records may be tried again
    /// whatever became of it: it covers the same offsets.
    fn decide(&mut self, batch: &Batch, receipt: Option<Receipt>) -> Result<Receipt, Trouble> {
        tracing::debug!(id = self.id, "a transaction was not answered; a new producer decides it");
        self.kafka.0.causes.note_trouble();
        self.producer = None;
        self.renew().map_err(Trouble::Failed)?;
        let silent = || Trouble::Aborted("the broker did not answer".into());
        let receipt = receipt.ok_or_else(silent)?;
        let (output, offset) = batch.outputs.first().zip(receipt.offsets.first()).ok_or_else(silent)?;
        let scan = Scan::new(self.kafka.clone(), &output.topic, output.partition, *offset);
        let found = scan.and_then(|mut scan| scan.next_batch()).map_err(Trouble::Failed)?;
        if found.first().is_some_and(|first| first.offset == *offset) { Ok(receipt) } else { Err(silent()) }
    }

    fn trouble(&self, error: &KafkaError, code: Option<Code>) -> Trouble {
        let inner = &self.kafka.0;
        match code {
            Some(Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId) => {
                Trouble::Fenced
            }
            Some(Code::UnknownMemberId) => {
                inner.causes.note_trouble();
                Trouble::Expelled
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::MessageSizeTooLarge
                | Code::UnknownTopicOrPartition
                | Code::UnknownTopic
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
    member: &Arc<ConsumerGroupMetadata>,
    patience: Duration,
) -> Result<Receipt, Stop> {
    let started = Instant::now();
    producer.inner.begin_transaction()?;
    producer.send(kafka, &batch.outputs)?;
    if !batch.covers.is_empty() {
        let offsets = covered(kafka, batch)?;
        let member = member.clone();
        again(patience, producer, move |inner| inner.send_offsets_to_transaction(&offsets, &member, STEP))?;
    }
    while !producer.settle(STEP) && !kafka.is_over(started) {
        kafka.0.causes.tell_away(&kafka.0.address);
    }
    let receipt = producer.receipt();
    match again(patience, producer, |inner| inner.commit_transaction(STEP)) {
        Ok(()) => Ok(receipt?),
        // a record that failed is the better explanation of what follows
        Err(Stop::Error(error)) => Err(producer.failed().filter(|e| !cause::is_passing(e)).unwrap_or(error).into()),
        Err(Stop::Silence(_)) => Err(Stop::Silence(receipt.ok())),
    }
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

/// Repeats a step whose outcome is not known yet: librdkafka goes on with it meanwhile. It is done on a thread of its own, since
/// librdkafka may keep it for ever: covering waits for the next change of a connection when the group's coordinator is gone
/// (librdkafka#5511). The thread, and the producer with it, then ends some time later.
fn again(
    limit: Duration,
    producer: &Producer,
    step: impl Fn(&BaseProducer<Collect>) -> Result<(), KafkaError> + Send + Sync + 'static,
) -> Result<(), Stop> {
    let started = Instant::now();
    let step = Arc::new(step);
    loop {
        let (done, outcome) = mpsc::sync_channel(1);
        let (step, inner) = (step.clone(), producer.inner.clone());
        let run = move || drop(done.send(step(&inner)));
        if std::thread::Builder::new().name("transaction".into()).spawn(run).is_err() {
            return Err(Stop::Silence(None));
        }
        loop {
            let late = started.elapsed() >= limit;
            match outcome.recv_timeout(LOOK) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) if !is_silence(&error) => return Err(error.into()),
                Ok(Err(_)) if !late => break,
                Err(RecvTimeoutError::Timeout) if !late => {
                    producer.inner.poll(Duration::ZERO);
                }
                _ => return Err(Stop::Silence(None)),
            }
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Whether nobody has said yet what became of a step.
fn is_silence(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(e) => e.is_retriable() && !e.txn_requires_abort(),
        KafkaError::Flush(Code::OperationTimedOut) => true,
        _ => false,
    }
}

fn abort(producer: &Producer, patience: Duration) -> Result<(), Stop> {
    again(patience, producer, |inner| inner.abort_transaction(STEP))
}
