//! Ids of topics: a topic made anew has another one.
//!
//! Kafka gives every topic an id, but librdkafka's safe interface keeps it to itself. So the id is ours: a text beside a
//! committed offset of a group that has no members. Brokers drop what is committed on a topic together with the topic, which
//! is just what an id must do. They also drop it when nobody has written it for `offsets.retention.minutes` (a week unless it
//! is set), so whoever uses a topic writes its id again now and then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use uuid::Uuid;

use super::ask::ANSWER;
use super::offsets::{committed_by, of_group};
use super::producer::Producer;
use super::{Kafka, admin, cause, lock};
use crate::{Error, Result};

const GROUP: &str = "topic-ids";
/// How often ids that are in use are written again: brokers keep them for a minute at least.
const RENEWAL: Duration = Duration::from_secs(20);
/// How often an id is asked for, when others give theirs at the same time.
const TRIES: u32 = 50;

/// The id of a topic, given now where it has none.
pub(super) fn of(kafka: &Kafka, topic: &str) -> Result<String> {
    let full = kafka.full(topic);
    lock(&kafka.0.partitions).remove(&full);
    admin::partitions(kafka, topic)?;
    for turn in 0..TRIES {
        if let Some(id) = read(kafka, &full)? {
            write(kafka, &[(full, id.clone())])?;
            return Ok(id);
        }
        if let Some(id) = give(kafka, &full)? {
            return Ok(id);
        }
        // those who were fenced by one another do not come back at the same time
        let pause = u64::from(Uuid::now_v7().as_bytes()[15]) * u64::from(turn.min(8) + 1);
        std::thread::park_timeout(Duration::from_millis(pause));
    }
    Err(Error::Other(format!("topic {full} has no id, and none can be given; see the broker's log")))
}

/// Fails when a topic whose id was asked for is another one now.
pub(super) fn check(kafka: &Kafka) -> Result<()> {
    let ids = lock(&kafka.0.ids).clone();
    for (topic, id) in &ids {
        let now = read(kafka, &kafka.full(topic))?;
        if now.is_none_or(|now| now != *id) {
            return Err(Error::Other(format!(
                "topic `{topic}` was deleted or made anew while this program was using it; start the program again"
            )));
        }
    }
    let mut renewed = lock(&kafka.0.renewed);
    if !ids.is_empty() && renewed.is_none_or(|at| at.elapsed() > RENEWAL) {
        write(kafka, &ids.into_iter().map(|(topic, id)| (kafka.full(&topic), id)).collect::<Vec<_>>())?;
        *renewed = Some(Instant::now());
    }
    Ok(())
}

/// Whether nothing is committed on a topic that was deleted.
pub(super) fn is_gone(kafka: &Kafka, full: &str) -> Result<bool> {
    Ok(read(kafka, full)?.is_none())
}

fn read(kafka: &Kafka, full: &str) -> Result<Option<String>> {
    let consumer = of_group(kafka, &kafka.full(GROUP))?;
    let found = committed_by(kafka, &consumer, full, 1)?;
    Ok(found.into_iter().next().map(|(_, text)| text).filter(|text| !text.is_empty()))
}

fn write(kafka: &Kafka, ids: &[(String, String)]) -> Result<()> {
    let consumer = of_group(kafka, &kafka.full(GROUP))?;
    let list = list(kafka, ids)?;
    kafka.ask("noting ids of topics", || consumer.commit(&list, CommitMode::Sync))
}

/// Gives a topic an id, unless it has one. Of all who do it at the same time one succeeds: each takes the same transactional id, which
/// fences whoever had it before, and then looks once more. None when this one was fenced.
fn give(kafka: &Kafka, full: &str) -> Result<Option<String>> {
    let inner = &kafka.0;
    let mut config = inner.properties.producer(&inner.address);
    config.set("transactional.id", kafka.full(GROUP));
    let producer = Producer::new(&config, inner.causes.clone())?.inner;
    producer.client().fetch_cluster_id(ANSWER);
    kafka
        .ask("taking the transactional id that ids of topics are given under", || producer.init_transactions(ANSWER))?;
    if let Some(known) = read(kafka, full)? {
        return Ok(Some(known));
    }
    let id = Uuid::now_v7().to_string();
    let consumer = of_group(kafka, &kafka.full(GROUP))?;
    let list = list(kafka, &[(full.to_owned(), id.clone())])?;
    let none = || Error::Other(format!("group {} has no metadata", kafka.full(GROUP)));
    let group = Arc::new(consumer.group_metadata().ok_or_else(none)?);
    let given = producer
        .begin_transaction()
        .and_then(|()| producer.send_offsets_to_transaction(&list, &group, ANSWER))
        .and_then(|()| producer.commit_transaction(ANSWER));
    match given {
        Ok(()) => Ok(Some(id)),
        // fenced, or not answered: what became of it is seen when it is read again
        Err(error) if producer.client().fatal_error().is_some() || cause::is_passing(&error) => Ok(None),
        Err(error) => Err(cause::fault(&inner.address, &format!("giving topic {full} an id"), &error)),
    }
}

fn list(kafka: &Kafka, ids: &[(String, String)]) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (full, id) in ids {
        let mut element = list.add_partition(full, 0);
        let set = element.set_offset(Offset::Offset(0));
        set.map_err(|e| cause::fault(&kafka.0.address, "a request", &e))?;
        element.set_metadata(id);
    }
    Ok(list)
}
