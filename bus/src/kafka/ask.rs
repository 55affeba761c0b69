//! Questions to a broker: asked again while it is away, with the cause named when waiting is over.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::cause::{self, Causes};
use super::context::Context;
use super::url::Address;
use super::{Kafka, lock};
use crate::{Error, Result};

/// How long one answer may take.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// Pause between two questions while brokers are away.
const PAUSE: Duration = Duration::from_millis(200);

impl Kafka {
    /// Asks until there is an answer. `what` names the question in an error.
    pub(super) fn ask<T>(&self, what: &str, mut question: impl FnMut() -> Result<T, KafkaError>) -> Result<T> {
        let Kafka(inner) = self;
        let started = Instant::now();
        loop {
            let error = match question() {
                Ok(answer) => {
                    inner.causes.tell_back(&inner.address);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            for probe in [&inner.probe, &inner.raw] {
                serve(probe);
            }
            if !cause::is_passing(&error) {
                return Err(cause::fault(&inner.address, what, &error));
            }
            if let Some(cause) = inner.causes.decisive() {
                return Err(cause.error(&inner.address));
            }
            if let Some(refused) = inner.causes.refused() {
                return Err(cause::fault(&inner.address, what, &refused));
            }
            if self.is_over(started) {
                let last = inner.causes.last().map(|cause| cause.error(&inner.address));
                return Err(self.given_up(|| last.unwrap_or_else(|| cause::fault(&inner.address, what, &error))));
            }
            if started.elapsed() > ANSWER {
                inner.causes.tell_away(&inner.address);
            }
            std::thread::park_timeout(PAUSE);
        }
    }
}

/// Serves the callbacks of a consumer without a group.
pub(super) fn serve(probe: &BaseConsumer<Context>) {
    // a poll that has served a callback looks like one that has found nothing
    for _ in 0..20 {
        if let Some(Err(error)) = probe.poll(Duration::ZERO) {
            // what the coordinator of a group refuses is told here, and once only
            probe.context().refused(&error);
        }
    }
}

/// The id of the cluster, asked for the first time: whatever is wrong with the connection shows here.
pub(super) fn cluster(
    probe: &BaseConsumer<Context>,
    address: &Address,
    causes: &Causes,
    patience: Duration,
) -> Result<String> {
    let started = Instant::now();
    loop {
        // metadata calls only time out; the cause comes through the callback that `poll` runs
        let found = probe.client().fetch_metadata(Some("_"), Duration::from_millis(500));
        serve(probe);
        if let Some(cause) = causes.decisive() {
            return Err(cause.error(address));
        }
        match found {
            Ok(_) => break,
            Err(error) if !cause::is_passing(&error) => return Err(cause::fault(address, "the first request", &error)),
            Err(_) if started.elapsed() > patience => {
                return Err(causes.last().map_or_else(|| cause::silent(address), |cause| cause.error(address)));
            }
            Err(_) => {}
        }
    }
    causes.tell_back(address);
    let id = probe.client().fetch_cluster_id(ANSWER);
    id.ok_or_else(|| Error::Kafka {
        bus: address.to_string(),
        problem: "does not tell the id of its cluster".into(),
        remedy: "use a broker of version 0.10.1 or newer".into(),
    })
}

/// Who is in a group, as a text.
pub(super) fn holder(kafka: &Kafka, group: &str) -> Result<Option<String>> {
    let full = kafka.full(group);
    let list = kafka.ask(&format!("asking who is in group {full}"), || {
        kafka.0.probe.client().fetch_group_list(Some(&full), ANSWER)
    })?;
    let members = list.groups().iter().flat_map(|group| group.members());
    let mut told: Vec<String> = members
        .map(|member| {
            format!("{} at {}", member.id().split_at_checked(60).map_or(member.id(), |(a, _)| a), member.client_host())
        })
        .collect();
    told.sort();
    let _ = lock(&kafka.0.members).extract_if(.., |member| member.strong_count() == 0).count();
    Ok((!told.is_empty()).then(|| told.join(", ")))
}
