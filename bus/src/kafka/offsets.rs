//! Where partitions begin and end, what groups have committed, and what time it is on the broker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ask::ANSWER;
use super::context::{self, Context};
use super::{Kafka, Scan, admin, lock, producer};
use crate::bus::{Lag, Offsets};
use crate::clock::Clock;
use crate::{Output, Record, Result, topic};

/// How old the broker's time may be: clocks drift apart by far less than a second in it.
pub(super) const FRESH: Duration = Duration::from_secs(60);
/// Key of the tombstones by which the broker's time is learnt.
const CLOCK: &str = "clock";
/// How long a transaction may stay open is decided by its owner: one that never ends is aborted by the broker after a minute.
const STABLE: Duration = Duration::from_secs(1);

pub(super) fn offsets(kafka: &Kafka, topic: &str, partition: u32) -> Result<Offsets> {
    let (start, end) = watermarks(kafka, &kafka.0.raw, topic, partition)?;
    let (_, stable) = watermarks(kafka, &kafka.0.probe, topic, partition)?;
    Ok(Offsets { start, stable, end: end.max(stable) })
}

/// Oldest and next offset, as the probe's isolation has it.
pub(super) fn watermarks(
    kafka: &Kafka,
    probe: &BaseConsumer<Context>,
    topic: &str,
    partition: u32,
) -> Result<(i64, i64)> {
    let full = admin::check_partition(kafka, topic, partition)?;
    let number = admin::number(partition)?;
    kafka.ask(&format!("asking where {full}-{partition} ends"), || {
        known(kafka, &full, probe.fetch_watermarks(&full, number, ANSWER))
    })
}

pub(super) fn at(kafka: &Kafka, topic: &str, partition: u32, time: i64) -> Result<i64> {
    let full = admin::check_partition(kafka, topic, partition)?;
    let mut wanted = TopicPartitionList::new();
    let added = wanted.add_partition_offset(&full, admin::number(partition)?, Offset::Offset(time.max(0)));
    added.map_err(|e| super::cause::fault(&kafka.0.address, "a request", &e))?;
    let found = kafka.ask(&format!("asking for a time in {full}-{partition}"), || {
        known(kafka, &full, kafka.0.raw.offsets_for_times(wanted.clone(), ANSWER).and_then(no_error))
    })?;
    match found.elements().first().map(rdkafka::topic_partition_list::TopicPartitionListElem::offset) {
        Some(Offset::Offset(offset)) if offset >= 0 => Ok(offset),
        _ => Ok(watermarks(kafka, &kafka.0.raw, topic, partition)?.1),
    }
}

/// The last stable offsets of all partitions, in one request.
fn stable(kafka: &Kafka, topic: &str, latest: bool) -> Result<Vec<i64>> {
    let full = kafka.full(topic);
    let n = admin::partitions(kafka, topic)?;
    let mut wanted = TopicPartitionList::new();
    for partition in 0..n {
        let edge = if latest { Offset::End } else { Offset::Beginning };
        let added = wanted.add_partition_offset(&full, admin::number(partition)?, edge);
        added.map_err(|e| super::cause::fault(&kafka.0.address, "a request", &e))?;
    }
    let found = kafka.ask(&format!("asking where {full} ends"), || {
        known(kafka, &full, kafka.0.probe.offsets_for_times(wanted.clone(), ANSWER).and_then(no_error))
    })?;
    let mut ends = vec![0; n as usize];
    for element in found.elements() {
        if let (Ok(partition), Offset::Offset(offset)) = (usize::try_from(element.partition()), element.offset())
            && let Some(end) = ends.get_mut(partition)
        {
            *end = offset;
        }
    }
    Ok(ends)
}

pub(super) fn committed(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
    let n = admin::partitions(kafka, topic)?;
    let consumer = of_group(kafka, &kafka.full(group))?;
    let elements = committed_by(kafka, &consumer, &kafka.full(topic), n)?;
    Ok(elements.into_iter().map(|(offset, _)| offset).collect())
}

/// Committed offset and the text beside it, partition by partition; waits while a transaction on them is open.
pub(super) fn committed_by(
    kafka: &Kafka,
    consumer: &BaseConsumer<Context>,
    full: &str,
    n: u32,
) -> Result<Vec<(Option<i64>, String)>> {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_range(full, 0, admin::number(n)? - 1);
    let found = kafka.ask(&format!("asking what is committed on {full}"), || {
        super::ask::serve(consumer);
        known(kafka, full, consumer.committed_offsets(wanted.clone(), STABLE).and_then(no_error))
    })?;
    let mut all = vec![(None, String::new()); n as usize];
    for element in found.elements() {
        if let Some(slot) = usize::try_from(element.partition()).ok().and_then(|p| all.get_mut(p)) {
            slot.0 = element.offset().to_raw().filter(|offset| *offset >= 0);
            slot.1 = element.metadata().to_owned();
        }
    }
    Ok(all)
}

/// A consumer that only looks at what a group has committed.
pub(super) fn of_group(kafka: &Kafka, full: &str) -> Result<Arc<BaseConsumer<Context>>> {
    let mut groups = lock(&kafka.0.groups);
    if let Some(known) = groups.get(full) {
        return Ok(known.clone());
    }
    let mut config = kafka.0.properties.consumer(&kafka.0.address);
    config.set("group.id", full);
    let made = Arc::new(context::consumer(&config, Context::new(kafka.0.causes.clone()))?);
    groups.insert(full.to_owned(), made.clone());
    Ok(made)
}

pub(super) fn lag(kafka: &Kafka, group: &str, topic: &str) -> Result<Vec<Lag>> {
    let committed = committed(kafka, group, topic)?;
    let ends = stable(kafka, topic, true)?;
    let starts = stable(kafka, topic, false)?;
    let mut lags: Vec<Lag> = (0..)
        .zip(committed.into_iter().zip(starts.into_iter().zip(ends)))
        .map(|(partition, (committed, (start, end)))| {
            let from = committed.unwrap_or(start).max(start);
            Lag { topic: topic.to_owned(), partition, committed, records: (end - from).max(0) }
        })
        .collect();
    // the last offsets of a partition hold transaction markers: where nearly all is covered, it is looked at them
    let total: i64 = lags.iter().map(|lag| lag.records).sum();
    if total > 0 && total <= 4 * lags.len() as i64 {
        for lag in lags.iter_mut().filter(|lag| lag.records > 0) {
            let from = lag.committed.unwrap_or(0);
            if is_empty(kafka, topic, lag.partition, from, false)? {
                lag.records = 0;
            }
        }
    }
    Ok(lags)
}

pub(super) fn unread(kafka: &Kafka, group: &str, topic: &str) -> Result<bool> {
    let committed = committed(kafka, group, topic)?;
    for (partition, committed) in (0..).zip(committed) {
        let from = committed.unwrap_or(0);
        let (_, end) = watermarks(kafka, &kafka.0.raw, topic, partition)?;
        if end > from && !is_empty(kafka, topic, partition, from, true)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether there is no committed record at or after `from`; when `wait` says so, once open transactions have ended.
fn is_empty(kafka: &Kafka, topic: &str, partition: u32, from: i64, wait: bool) -> Result<bool> {
    let (_, end) = watermarks(kafka, &kafka.0.probe, topic, partition)?;
    let place = (kafka.full(topic), partition);
    if lock(&kafka.0.empty).get(&place).is_some_and(|(known, to)| *known <= from && end <= *to) {
        return Ok(true);
    }
    let scan = if wait { Scan::new } else { Scan::at_once };
    let empty = scan(kafka.clone(), topic, partition, from)?.next_batch()?.is_empty();
    if empty {
        lock(&kafka.0.empty).insert(place, (from, end));
    }
    Ok(empty)
}

/// The broker's time comes with every record that it takes; where none was taken lately, a tombstone on `beats` asks.
pub(super) fn now(kafka: &Kafka) -> Result<i64> {
    if !matches!(kafka.0.clock, Clock::System) {
        return Ok(kafka.0.clock.now());
    }
    let known = |kafka: &Kafka| {
        let (time, at) = (*lock(&kafka.0.time))?;
        let passed = Instant::now().saturating_duration_since(at);
        (passed < FRESH).then(|| time + i64::try_from(passed.as_millis()).unwrap_or(0))
    };
    if let Some(now) = known(kafka) {
        return Ok(now);
    }
    let question = Output {
        topic: topic::BEATS.into(),
        partition: 0,
        record: Record { key: CLOCK.into(), value: None, ..Record::default() },
    };
    let asked = producer::append(kafka, std::slice::from_ref(&question));
    match (known(kafka), asked) {
        (Some(now), _) => Ok(now),
        (None, asked) => {
            let reason = asked.err().map(|e| e.to_string()).unwrap_or_default();
            tracing::debug!(reason, "the broker's time is not known; this machine's is taken");
            Ok(kafka.0.clock.now())
        }
    }
}

/// The first error that stands beside a partition.
fn no_error(list: TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    let error = list.elements().iter().find_map(|element| element.error().err());
    error.map_or(Ok(list), Err)
}

/// A topic that is suddenly not known was deleted, or made anew: what is remembered of it is worth nothing.
fn known<T>(kafka: &Kafka, full: &str, answer: Result<T, KafkaError>) -> Result<T, KafkaError> {
    if let Err(error) = &answer
        && matches!(error.rdkafka_error_code(), Some(Code::UnknownTopicOrPartition | Code::UnknownTopic))
    {
        lock(&kafka.0.partitions).remove(full);
    }
    answer
}
