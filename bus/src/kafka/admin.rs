//! Topics: made with their settings, found, deleted.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::ask::ANSWER;
use super::{Kafka, cause, identity, lock};
use crate::topic::{MAX_DEAD_LETTER, RETENTION_MS};
use crate::{Cleanup, Error, Result, TopicSpec};

/// How long brokers may take to agree on a topic.
const AGREEING: Duration = Duration::from_secs(30);
/// How long it is waited for brokers that are too few for a topic.
const COMING: Duration = Duration::from_secs(10);
/// A tombstone stays for a day.
const TOMBSTONE_MS: i64 = 24 * 3600 * 1000;
/// A batch of one largest record, with what Kafka puts around it.
const MAX_MESSAGE: usize = MAX_DEAD_LETTER + (1 << 20);

/// A partition's number as librdkafka has it.
pub(super) fn number(partition: u32) -> Result<i32> {
    i32::try_from(partition).map_err(|_| Error::Other(format!("there is no partition {partition}")))
}

/// How many partitions a topic has; looked up once.
pub(super) fn partitions(kafka: &Kafka, topic: &str) -> Result<u32> {
    let full = kafka.full(topic);
    if let Some(n) = lock(&kafka.0.partitions).get(&full) {
        return Ok(*n);
    }
    let n = look_up(kafka, &full)?
        .ok_or_else(|| Error::NoTopic { topic: topic.into(), bus: kafka.0.address.to_string() })?;
    lock(&kafka.0.partitions).insert(full, n);
    Ok(n)
}

/// The full name of a topic that has this partition.
pub(super) fn check_partition(kafka: &Kafka, topic: &str, partition: u32) -> Result<String> {
    let n = partitions(kafka, topic)?;
    if partition >= n {
        return Err(Error::Other(format!("topic `{topic}` has {n} partitions, there is no partition {partition}")));
    }
    Ok(kafka.full(topic))
}

/// Number of partitions of a topic by its full name, asked for now; none when there is no such topic.
pub(super) fn look_up(kafka: &Kafka, full: &str) -> Result<Option<u32>> {
    kafka.ask(&format!("looking up topic {full}"), || {
        let metadata = kafka.0.probe.fetch_metadata(Some(full), ANSWER)?;
        let Some(topic) = metadata.topics().iter().find(|t| t.name() == full) else { return Ok(None) };
        match topic.error().map(Code::from) {
            None => Ok(u32::try_from(topic.partitions().len()).ok().filter(|n| *n > 0)),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
            Some(code) => Err(KafkaError::MetadataFetch(code)),
        }
    })
}

pub(super) fn ensure(kafka: &Kafka, topics: &[TopicSpec]) -> Result<()> {
    let (mut missing, mut there) = (Vec::new(), Vec::new());
    for spec in topics {
        match look_up(kafka, &kafka.full(&spec.name))? {
            None => missing.push(spec),
            Some(found) if found != spec.partitions => {
                let (topic, wanted) = (spec.name.clone(), spec.partitions);
                return Err(Error::Partitions { topic, found, wanted });
            }
            Some(_) => there.push(spec),
        }
    }
    if !there.is_empty() {
        let names: Vec<String> = there.iter().map(|spec| kafka.full(&spec.name)).collect();
        for (spec, found) in there.into_iter().zip(described(kafka, &names)?) {
            check_settings(kafka, spec, found)?;
        }
    }
    if missing.is_empty() { Ok(()) } else { create(kafka, &missing) }
}

/// What a topic is made with.
fn settings(cleanup: Cleanup) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("max.message.bytes", MAX_MESSAGE.to_string()),
        ("compression.type", "producer".into()),
    ];
    settings.extend(match cleanup {
        Cleanup::Delete => [("cleanup.policy", "delete".to_owned()), ("retention.ms", RETENTION_MS.to_string())],
        Cleanup::Compact => {
            [("cleanup.policy", "compact".to_owned()), ("delete.retention.ms", TOMBSTONE_MS.to_string())]
        }
    });
    settings
}

/// Makes topics, in one request.
fn create(kafka: &Kafka, specs: &[&TopicSpec]) -> Result<()> {
    let named: Vec<_> = specs.iter().map(|spec| (kafka.full(&spec.name), *spec, settings(spec.cleanup))).collect();
    let mut new = Vec::new();
    for (full, spec, settings) in &named {
        let topic = NewTopic::new(full, number(spec.partitions)?, TopicReplication::Fixed(-1));
        new.push(settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value)));
    }
    let admin = admin(kafka)?;
    let started = Instant::now();
    let mut refused = 0;
    let all = named.iter().map(|(full, ..)| full.as_str()).collect::<Vec<_>>().join(", ");
    let made = kafka.ask(&format!("creating {all}"), || {
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let results = wait(admin.create_topics(&new, &options))?;
        refused = results.iter().position(|result| done(result).is_err()).unwrap_or(0);
        match results.get(refused).map_or(Err(KafkaError::Canceled), done) {
            // brokers that have only just come back do not count yet
            Err(KafkaError::AdminOp(Code::InvalidReplicationFactor)) if started.elapsed() < COMING => {
                Err(KafkaError::Canceled)
            }
            done => done,
        }
    });
    match (made, named.get(refused)) {
        (Ok(()), _) => {}
        (Err(Error::Kafka { bus, problem, .. }), Some((full, spec, settings))) if problem.contains("no permission") => {
            let remedy = format!(
                "let it create topics, or have an administrator create {full} with {} partitions and {}",
                spec.partitions,
                settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
            );
            return Err(Error::Kafka { bus, problem: format!("topic {full} is missing and {problem}"), remedy });
        }
        (Err(error), _) => return Err(error),
    }
    // every broker must know it, and each partition have its leader, before it is used
    for (full, spec, _) in named {
        until(&format!("topic {full} is made, but brokers do not agree on it"), || {
            let metadata =
                kafka.ask(&format!("looking up topic {full}"), || kafka.0.probe.fetch_metadata(Some(&full), ANSWER))?;
            let found = metadata.topics().iter().find(|t| t.name() == full && t.error().is_none());
            Ok(found.is_some_and(|t| {
                t.partitions().len() == spec.partitions as usize && t.partitions().iter().all(|p| p.leader() >= 0)
            }))
        })?;
        lock(&kafka.0.partitions).insert(full, spec.partitions);
    }
    Ok(())
}

pub(super) fn topics(kafka: &Kafka) -> Result<Vec<TopicSpec>> {
    let metadata = kafka.ask("listing topics", || kafka.0.probe.fetch_metadata(None, ANSWER))?;
    let prefix = &kafka.0.address.prefix;
    let mut found = Vec::new();
    for topic in metadata.topics().iter().filter(|t| t.error().is_none()) {
        let Some(name) = topic.name().strip_prefix(prefix.as_str()).filter(|_| !topic.name().starts_with("__")) else {
            continue;
        };
        let partitions = u32::try_from(topic.partitions().len()).unwrap_or(0);
        found.push(TopicSpec { name: name.to_owned(), partitions, cleanup: Cleanup::Delete });
    }
    let names: Vec<String> = found.iter().map(|spec| kafka.full(&spec.name)).collect();
    for (spec, settings) in found.iter_mut().zip(described(kafka, &names)?) {
        if settings?.iter().any(|(name, value)| name == "cleanup.policy" && value.contains("compact")) {
            spec.cleanup = Cleanup::Compact;
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Names and values of a topic's settings.
type Settings = Vec<(String, String)>;

/// Settings of topics by their full names, each or why it is not told.
fn described(kafka: &Kafka, names: &[String]) -> Result<Vec<Result<Settings>>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let admin = admin(kafka)?;
    let wanted: Vec<_> = names.iter().map(|full| ResourceSpecifier::Topic(full)).collect();
    let what = format!("reading the settings of {}", names.join(", "));
    let found = kafka.ask(&what, || {
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let found = wait(admin.describe_configs(&wanted, &options))?;
        let passing = |code: &Code| cause::is_passing(&KafkaError::AdminOp(*code));
        match found.iter().find_map(|result| result.as_ref().err().filter(|code| passing(code))) {
            Some(code) => Err(KafkaError::AdminOp(*code)),
            None if found.len() == names.len() => Ok(found),
            None => Err(KafkaError::Canceled),
        }
    })?;
    let settings = found.into_iter().zip(names).map(|(result, full)| match result {
        Ok(resource) => Ok(resource.entries.into_iter().map(|e| (e.name, e.value.unwrap_or_default())).collect()),
        Err(code) => {
            let what = format!("reading the settings of topic {full}");
            Err(cause::fault(&kafka.0.address, &what, &KafkaError::AdminOp(code)))
        }
    });
    Ok(settings.collect())
}

/// A topic that somebody else has made must be usable: days are read from append times, and a record must fit.
fn check_settings(kafka: &Kafka, spec: &TopicSpec, found: Result<Settings>) -> Result<()> {
    let full = kafka.full(&spec.name);
    let found = match found {
        Ok(found) => found,
        Err(Error::Kafka { problem, .. }) if problem.contains("no permission") => {
            tracing::debug!(topic = full, "its settings may not be read, so they are not checked");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for (name, wanted) in settings(spec.cleanup) {
        let Some((_, value)) = found.iter().find(|(found, _)| found == name) else { continue };
        let good = match name {
            "message.timestamp.type" | "cleanup.policy" => *value == wanted,
            "max.message.bytes" => value.parse::<usize>().is_ok_and(|bytes| bytes >= MAX_MESSAGE),
            // how long records stay, and how they are packed, is for whoever runs the brokers
            _ => true,
        };
        if !good {
            return Err(Error::Kafka {
                bus: kafka.0.address.to_string(),
                problem: format!("topic {full} has {name}={value} where {wanted} is needed"),
                remedy: format!(
                    "change it: kafka-configs --alter --entity-type topics --entity-name {full} --add-config {name}={wanted}"
                ),
            });
        }
    }
    Ok(())
}

pub(super) fn delete(kafka: &Kafka, topic: &str) -> Result<()> {
    let full = kafka.full(topic);
    partitions(kafka, topic)?;
    let admin = admin(kafka)?;
    kafka.ask(&format!("deleting topic {full}"), || {
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        match wait(admin.delete_topics(&[&full], &options))?.first().map_or(Err(KafkaError::Canceled), done) {
            Err(KafkaError::AdminOp(Code::UnknownTopicOrPartition)) => Ok(()),
            done => done,
        }
    })?;
    lock(&kafka.0.partitions).remove(&full);
    lock(&kafka.0.ids).remove(topic);
    lock(&kafka.0.empty).retain(|(name, _), _| *name != full);
    until(&format!("topic {full} is deleted, but still there"), || Ok(look_up(kafka, &full)?.is_none()))?;
    // what groups have committed on it goes a little later than the topic
    until(&format!("topic {full} is deleted, but offsets on it are still there"), || identity::is_gone(kafka, &full))
}

fn admin(kafka: &Kafka) -> Result<AdminClient<DefaultClientContext>> {
    let config = kafka.0.properties.client(&kafka.0.address);
    config.create().map_err(|e| super::context::creation(&e))
}

/// What became of one topic.
fn done(result: &rdkafka::admin::TopicResult) -> Result<(), KafkaError> {
    match result {
        Ok(_) | Err((_, Code::TopicAlreadyExists)) => Ok(()),
        Err((_, code)) => Err(KafkaError::AdminOp(*code)),
    }
}

/// Waits for an answer that a thread of librdkafka brings.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    loop {
        if let Some(done) = answer.as_mut().now_or_never() {
            return done;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Waits until a condition holds.
fn until(complaint: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !condition()? {
        if started.elapsed() > AGREEING {
            return Err(Error::Other(format!("{complaint} after {} s; see the broker's log", AGREEING.as_secs())));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    Ok(())
}
