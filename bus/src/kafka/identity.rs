//! Ids of topics: a topic made anew has another one.
//!
//! Kafka gives every topic an id, but librdkafka keeps it to itself. So the id is ours: a text beside a committed offset of
//! a group that has no members. Brokers drop what is committed on a topic together with the topic, which is just what an id
//! must do. They also drop it when nobody has looked for `offsets.retention.minutes` (a week): what was built on the old id
//! is then built anew from the bus, and that is all.

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use uuid::Uuid;

use super::offsets::{committed_by, of_group};
use super::{Kafka, admin, lock};
use crate::{Error, Result};

const GROUP: &str = "topic-ids";

/// The id of a topic, given now where it has none.
pub(super) fn of(kafka: &Kafka, topic: &str) -> Result<String> {
    let full = kafka.full(topic);
    lock(&kafka.0.partitions).remove(&full);
    admin::partitions(kafka, topic)?;
    let known = read(kafka, &full)?;
    // written again each time, so that it does not expire while it is in use
    let id = known.unwrap_or_else(|| Uuid::now_v7().to_string());
    write(kafka, &full, &id)?;
    // of two that found none, the later one stays
    read(kafka, &full)?.ok_or_else(|| Error::NoTopic { topic: topic.into(), bus: kafka.0.address.to_string() })
}

/// Fails when a topic whose id was asked for is another one now.
pub(super) fn check(kafka: &Kafka) -> Result<()> {
    let ids = lock(&kafka.0.ids).clone();
    for (topic, id) in ids {
        let now = read(kafka, &kafka.full(&topic))?;
        if now.is_none_or(|now| now != id) {
            return Err(Error::Other(format!(
                "topic `{topic}` was deleted or made anew while this program was using it; start the program again"
            )));
        }
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

fn write(kafka: &Kafka, full: &str, id: &str) -> Result<()> {
    let consumer = of_group(kafka, &kafka.full(GROUP))?;
    let mut list = TopicPartitionList::new();
    {
        let mut element = list.add_partition(full, 0);
        let set = element.set_offset(Offset::Offset(0));
        set.map_err(|e| super::cause::fault(&kafka.0.address, "a request", &e))?;
        element.set_metadata(id);
    }
    kafka.ask(&format!("noting the id of topic {full}"), || consumer.commit(&list, CommitMode::Sync))
}
