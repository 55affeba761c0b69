//! What librdkafka's clients tell: logs go to tracing, errors to [`Causes`], rebalances to the member's thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::cause::Causes;
use super::lock;
use crate::{Error, Result};

/// How often is looked whether a consumer is closed.
const CLOSED: Duration = Duration::from_millis(2);

/// Context of consumers.
pub(super) struct Context {
    causes: Arc<Causes>,
    /// Rebalances that the member's thread has not taken yet. Callbacks run inside its own `poll`.
    rebalances: Mutex<Vec<Rebalance>>,
    /// The consumer is being closed: there is nobody left to wait for.
    closing: AtomicBool,
}

/// What the group's leader has decided.
pub(super) enum Rebalance {
    /// These are to be taken.
    Assign(TopicPartitionList),
    /// These are to be given up.
    Revoke(TopicPartitionList),
}

impl Context {
    pub fn new(causes: Arc<Causes>) -> Context {
        Context { causes, rebalances: Mutex::default(), closing: AtomicBool::new(false) }
    }

    pub fn take_rebalances(&self) -> Vec<Rebalance> {
        std::mem::take(&mut *lock(&self.rebalances))
    }

    /// Takes an error that stands in the place of a record, of a consumer that is not polled for records.
    pub fn refused(&self, error: &KafkaError) {
        self.causes.note_refusal(error);
    }

    /// From now on partitions are given up as soon as they are asked for.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.causes.note_log(text);
        log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.causes.note(&error, reason);
    }
}

impl ConsumerContext for Context {
    /// Nothing is taken or given up in here: the member's thread does it when the program is ready.
    fn rebalance(&self, consumer: &BaseConsumer<Context>, err: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assign = matches!(err, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS);
        if self.closing.load(Ordering::SeqCst) {
            let done = match assign {
                true => consumer.incremental_assign(&TopicPartitionList::new()),
                false => consumer.incremental_unassign(partitions),
            };
            if let Err(error) = done {
                tracing::debug!(%error, "a consumer that is closed could not give its partitions up");
            }
            return;
        }
        let partitions = partitions.clone();
        lock(&self.rebalances).push(if assign { Rebalance::Assign(partitions) } else { Rebalance::Revoke(partitions) });
    }
}

/// librdkafka's own log. It is for those who look for a fault: what matters comes as an error.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, text: &str) {
    match level {
        // fatal errors end the program with a line of its own
        _ if facility == "FATAL" => tracing::debug!(target: "librdkafka", "{facility} {text}"),
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::warn!(target: "librdkafka", "{facility} {text}");
        }
        _ => tracing::debug!(target: "librdkafka", "{facility} {text}"),
    }
}

/// Makes a consumer.
pub(super) fn consumer(config: &ClientConfig, context: Context) -> Result<BaseConsumer<Context>> {
    config.create_with_context(context).map_err(|e| creation(&e))
}

/// Closes consumers of groups. When one is dropped the library does it too, but looks only ten times a second whether it is done.
pub(super) fn close<'a>(consumers: impl Iterator<Item = &'a BaseConsumer<Context>>) {
    let closing: Vec<_> = consumers.filter(|consumer| consumer.close_queue().is_ok()).collect();
    for consumer in closing {
        while !consumer.closed() {
            consumer.poll(CLOSED);
        }
    }
}

/// Why a client could not be made. Its values may be secrets, so only librdkafka's words about them are passed on.
pub(super) fn creation(error: &KafkaError) -> Error {
    let text = match error {
        KafkaError::ClientConfig(_, text, name, _) => format!("property {name}: {text}"),
        KafkaError::ClientCreation(text) => text.clone(),
        other => other.to_string(),
    };
    Error::Other(format!("librdkafka makes no client: {text}; check the properties in --bus-config"))
}
