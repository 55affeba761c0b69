//! Producers: one that collects what became of each record, for transactions and for appending without a group.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext,
};

use super::cause::{self, Causes};
use super::{Kafka, admin, context, lock, records};
use crate::{Output, Receipt, Result};

/// How long a record without a transaction is tried to be written.
const DELIVERY_MS: &str = "30000";

/// A producer, and what became of the records that it was given last.
pub(super) struct Producer {
    pub inner: Arc<BaseProducer<Collect>>,
    round: usize,
}

/// Context of producers.
pub(super) struct Collect {
    causes: Arc<Causes>,
    results: Mutex<Results>,
}

#[derive(Default)]
struct Results {
    round: usize,
    /// Offset and append time of each record, by its place.
    places: Vec<Option<(i64, i64)>>,
    /// How many of them are not decided.
    waiting: usize,
    error: Option<KafkaError>,
}

/// How long is waited for records until it is looked whether the program is to end.
const LOOK: Duration = Duration::from_secs(1);
/// Pause between two looks whether records were delivered.
const TURN: Duration = Duration::from_millis(1);
/// Places of a round fit below; the round stands above, so that what comes late is not taken for something new.
const PLACES: usize = 1 << 16;

impl ClientContext for Collect {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        context::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.causes.note(&error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Collect {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let mut results = lock(&self.results);
        if place / PLACES != results.round {
            return;
        }
        results.waiting = results.waiting.saturating_sub(1);
        match result {
            Ok(message) => {
                let found = (message.offset(), message.timestamp().to_millis().unwrap_or(0));
                if let Some(slot) = results.places.get_mut(place % PLACES) {
                    *slot = Some(found);
                }
            }
            Err((error, _)) => {
                results.error.get_or_insert_with(|| error.clone());
            }
        }
    }
}

impl Producer {
    pub fn new(config: &ClientConfig, causes: Arc<Causes>) -> Result<Producer> {
        let context = Collect { causes, results: Mutex::default() };
        let inner: BaseProducer<Collect> = config.create_with_context(context).map_err(|e| context::creation(&e))?;
        Ok(Producer { inner: Arc::new(inner), round: 0 })
    }

    /// Hands records to librdkafka, which sends them while this goes on.
    pub fn send(&mut self, kafka: &Kafka, outputs: &[Output]) -> Result<(), KafkaError> {
        self.round += 1;
        *lock(&self.inner.context().results) =
            Results { round: self.round, places: vec![None; outputs.len()], waiting: outputs.len(), error: None };
        for (place, output) in outputs.iter().enumerate() {
            let full = kafka.full(&output.topic);
            let partition = i32::try_from(output.partition).unwrap_or(i32::MAX);
            let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&full, self.round * PLACES + place)
                .partition(partition)
                .key(&output.record.key[..]);
            if let Some(value) = &output.record.value {
                record = record.payload(&value[..]);
            }
            if !output.record.headers.0.is_empty() {
                record = record.headers(records::headers(&output.record.headers));
            }
            loop {
                match self.inner.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(Code::QueueFull), back)) => {
                        self.inner.poll(Duration::from_millis(10));
                        record = back;
                    }
                    Err((error, _)) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Waits until every record was delivered, or one has failed; false when that takes longer. librdkafka's own flush would
    /// wait in steps of 100 ms.
    pub fn settle(&self, patience: Duration) -> bool {
        let started = Instant::now();
        let standing = || {
            let results = lock(&self.inner.context().results);
            (results.waiting, results.error.is_some())
        };
        loop {
            let (waiting, failed) = standing();
            if waiting == 0 || failed {
                return true;
            }
            if started.elapsed() > patience {
                return false;
            }
            // librdkafka waits in whole milliseconds: a poll of one would spin through it
            self.inner.poll(Duration::ZERO);
            if standing().0 == waiting {
                std::thread::park_timeout(TURN);
            }
        }
    }

    /// What became of the records; all of them must have been delivered or failed.
    pub fn receipt(&self) -> Result<Receipt, KafkaError> {
        let results = lock(&self.inner.context().results);
        if let Some(error) = &results.error {
            return Err(error.clone());
        }
        let all: Option<Vec<(i64, i64)>> = results.places.iter().copied().collect();
        let all = all.ok_or(KafkaError::MessageProduction(Code::MessageTimedOut))?;
        let time = all.iter().map(|(_, time)| *time).max().unwrap_or(0);
        Ok(Receipt { offsets: all.into_iter().map(|(offset, _)| offset).collect(), time })
    }

    /// The first error that a record has met so far.
    pub fn failed(&self) -> Option<KafkaError> {
        lock(&self.inner.context().results).error.clone()
    }
}

/// Fails when an output names a topic or partition that is not there.
pub(super) fn check(kafka: &Kafka, outputs: &[Output]) -> Result<()> {
    crate::limits::check(outputs)?;
    let mut last = None;
    for output in outputs {
        let place = (&output.topic, output.partition);
        if last != Some(place) {
            admin::check_partition(kafka, &output.topic, output.partition)?;
            last = Some(place);
        }
    }
    Ok(())
}

/// Makes the producer that appends without a transaction, when there is none. It asks for its id at once, and again half a
/// second later since it has no connection then: whoever is going to write makes it early.
pub(super) fn prepare(kafka: &Kafka) -> Result<()> {
    let mut plain = lock(&kafka.0.plain);
    if plain.is_none() {
        *plain = Some(make(kafka)?);
    }
    Ok(())
}

fn make(kafka: &Kafka) -> Result<Producer> {
    let mut config = kafka.0.properties.producer(&kafka.0.address);
    config.set("message.timeout.ms", DELIVERY_MS);
    Producer::new(&config, kafka.0.causes.clone())
}

/// Appends without a transaction. All is checked before anything is sent.
pub(super) fn append(kafka: &Kafka, outputs: &[Output]) -> Result<Receipt> {
    check(kafka, outputs)?;
    let mut plain = lock(&kafka.0.plain);
    let producer = match &mut *plain {
        Some(producer) => producer,
        none => none.insert(make(kafka)?),
    };
    let done = producer.send(kafka, outputs).and_then(|()| {
        // librdkafka gives up by itself before that
        while !producer.settle(LOOK) && !kafka.is_ended() {}
        producer.receipt()
    });
    match done {
        Ok(receipt) => {
            if !outputs.is_empty() {
                kafka.learn(receipt.time);
            }
            Ok(receipt)
        }
        Err(error) => {
            let fatal = producer.inner.client().fatal_error().is_some();
            if fatal {
                *plain = None;
            }
            if let Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition) =
                cause::code_of(&error)
            {
                lock(&kafka.0.partitions).clear();
                check(kafka, outputs)?;
            }
            if cause::is_passing(&error) {
                kafka.0.causes.tell_away(&kafka.0.address);
            }
            let away = cause::is_passing(&error).then(|| kafka.0.causes.last()).flatten();
            Err(away.map_or_else(|| cause::fault(&kafka.0.address, "writing", &error), |c| c.error(&kafka.0.address)))
        }
    }
}
