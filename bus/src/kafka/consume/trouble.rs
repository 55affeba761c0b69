//! What a consumer is told instead of a record.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::{Consuming, WATCH};
use crate::kafka::context::Context;
use crate::kafka::member::Failure;
use crate::kafka::{cause, identity};
use crate::{Error, Result};

/// How long it counts that an answer may have been lost.
const MEMORY: Duration = Duration::from_secs(120);
/// How often a member that was fenced joins again for one such trouble.
const TRIES: usize = 3;

impl Consuming {
    /// An error of the consumer: fatal ones fail the member, passing ones are waited out.
    pub(super) fn trouble(&mut self, consumer: &BaseConsumer<Context>, error: &KafkaError) -> Result<()> {
        let member = self.member.clone();
        let kafka = &member.kafka.0;
        let fatal = consumer.client().fatal_error().map(|(code, _)| code);
        let code = fatal.or_else(|| cause::code_of(error));
        match code {
            Some(Code::FencedInstanceId) => match self.may_be_its_own_twin() {
                true => {
                    self.fenced = true;
                    self.rejoined.push(Instant::now());
                }
                false => self.member.fail(Failure::Twin),
            },
            Some(
                Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::InvalidSessionTimeout
                | Code::InconsistentGroupProtocol
                | Code::GroupMaxSizeReached
                | Code::InvalidGroupId,
            ) => {
                return Err(self.fault(&format!("reading for group {}", self.member.group), error));
            }
            Some(
                Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId,
            ) => {
                let since = *self.missing.get_or_insert_with(Instant::now);
                if since.elapsed() > WATCH {
                    self.watched = Instant::now();
                    return identity::check(&self.member.kafka);
                }
            }
            Some(Code::AllBrokersDown) => kafka.causes.tell_away(&kafka.address),
            _ if fatal.is_some() => return Err(self.fault("reading", error)),
            _ if cause::is_passing(error) => {
                kafka.causes.note_trouble();
                tracing::debug!(%error, "the consumer is told");
            }
            _ if !std::mem::replace(&mut self.warned, true) => {
                tracing::warn!(%error, group = member.group, "the group's consumer is told");
            }
            _ => tracing::debug!(%error, "the consumer is told"),
        }
        if let Some(cause) = kafka.causes.decisive() {
            return Err(cause.error(&kafka.address));
        }
        Ok(())
    }

    /// A consumer that has joined, and whose answer was lost with the connection, joins again; then the broker takes it for two
    /// of one name, and fences the one it was before. So after any trouble with the brokers it joins once more, and again, since a
    /// broker that is behind may still have requests of the one it was before. Real twins fence each other in turns; the older
    /// one was the first, so it is the first that has no try left, and ends.
    fn may_be_its_own_twin(&mut self) -> bool {
        let trouble = self.member.kafka.0.causes.trouble().filter(|at| at.elapsed() < MEMORY);
        let Some(trouble) = trouble else { return false };
        self.rejoined.retain(|rejoined| *rejoined >= trouble);
        self.rejoined.len() < TRIES
    }

    /// An error of one partition. What does not unpack is fetched again and again by librdkafka, without an end.
    pub(super) fn trouble_of(
        &mut self,
        consumer: &BaseConsumer<Context>,
        topic: &str,
        partition: u32,
        error: &KafkaError,
    ) -> Result<()> {
        if let Some(Code::BadCompression | Code::BadMessage) = cause::code_of(error) {
            let state = self.member.state();
            let at = state.owned.iter().find(|own| own.is(topic, partition)).map_or(0, |own| own.position);
            return Err(cause::unpacked(&self.member.kafka, topic, partition, at, Some(&self.member.group)));
        }
        self.trouble(consumer, error)
    }

    /// Offsets ascend for ever, unless it is another topic.
    pub(super) fn stepped_back(&self, topic: &str, partition: u32, offset: i64) -> Result<()> {
        identity::check(&self.member.kafka)?;
        Err(Error::Other(format!(
            "offset {offset} of {topic}-{partition} came after later ones: the broker has lost records; start the program again"
        )))
    }
}
