//! Why brokers do not answer: librdkafka says it in its error callback only, and never gives up by itself.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::url::Address;
use super::{Kafka, lock};
use crate::Error;

/// What the clients of one bus were told last.
#[derive(Debug, Default)]
pub(super) struct Causes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Cause>,
    /// A host that could not be found, and when. Brokers tell the addresses of one another: one may answer, and another not be found.
    name: Option<(Cause, Instant)>,
    /// What a group's coordinator has refused.
    refused: Option<KafkaError>,
    /// A broker has answered once: what works is not the wrong protocol. A broker that dies breaks off exchanges too.
    worked: bool,
    /// It was said that the brokers are away.
    told: bool,
    /// When it was said last that they answer again.
    back: Option<Instant>,
    /// When the brokers were in trouble last: an answer may have been lost.
    trouble: Option<Instant>,
}

/// One cause.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// User or password.
    Login,
    /// Certificates.
    Tls,
    /// One side speaks TLS, the other does not.
    Protocol,
    /// The name has no address.
    Name,
    /// No connection, or none that holds.
    Away,
}

/// A broker whose disk is full is stopped by Kafka, and its clients are never told why.
const AWAY: &str =
    "check that the broker runs (its log says why not: a full disk stops it), and host and port in --bus";

/// While brokers come back, one client of ours has an answer and another one not even a connection: so long, that is not said.
const CALM: Duration = Duration::from_secs(30);

impl Causes {
    /// Takes what an error callback says.
    pub fn note(&self, error: &KafkaError, reason: &str) {
        let Some(code) = code_of(error) else { return };
        let mut state = lock(&self.0);
        let kind = match code {
            Code::Authentication | Code::SaslAuthenticationFailed => Kind::Login,
            _ if is_protocol(reason) => {
                if state.worked {
                    Kind::Away
                } else {
                    Kind::Protocol
                }
            }
            Code::SSL => Kind::Tls,
            Code::Resolve => Kind::Name,
            Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut => Kind::Away,
            _ => return,
        };
        if kind == Kind::Away {
            state.trouble = Some(Instant::now());
        }
        // "all brokers are down" says less than what was said before it
        let vague = code == Code::AllBrokersDown || kind == Kind::Away;
        if vague && state.last.as_ref().is_some_and(|last| last.kind != Kind::Away || code == Code::AllBrokersDown) {
            return;
        }
        let cause = Cause { kind, text: tidy(reason) };
        if kind == Kind::Name {
            state.name = Some((cause.clone(), Instant::now()));
        }
        state.last = Some(cause);
    }

    /// Takes what the coordinator of a group says: that the group may not be used.
    pub fn note_refusal(&self, error: &KafkaError) {
        if let Some(Code::GroupAuthorizationFailed | Code::InvalidGroupId) = code_of(error) {
            lock(&self.0).refused = Some(error.clone());
        }
    }

    /// What a group's coordinator has refused since the last answer.
    pub fn refused(&self) -> Option<KafkaError> {
        lock(&self.0).refused.clone()
    }

    /// Whether it was said that the brokers are away.
    pub fn are_away(&self) -> bool {
        lock(&self.0).told
    }

    /// Takes what stands in the log only: that a broker has broken off the first exchange.
    pub fn note_log(&self, text: &str) {
        let mut state = lock(&self.0);
        if is_protocol(text) && !state.worked {
            let text = text.rsplit_once("]: ").map_or(text, |(_, text)| text);
            let text = text.split_once(": ").map_or(text, |(_, text)| text);
            state.last = Some(Cause { kind: Kind::Protocol, text: tidy(text) });
        }
    }

    /// The last cause, when waiting does not help.
    pub fn decisive(&self) -> Option<Cause> {
        lock(&self.0).last.clone().filter(|cause| matches!(cause.kind, Kind::Login | Kind::Tls | Kind::Protocol))
    }

    /// Notes that an answer may have been lost.
    pub fn note_trouble(&self) {
        lock(&self.0).trouble = Some(Instant::now());
    }

    /// When an answer may have been lost last.
    pub fn trouble(&self) -> Option<Instant> {
        lock(&self.0).trouble
    }

    /// The last cause.
    pub fn last(&self) -> Option<Cause> {
        let state = lock(&self.0);
        let name = state.name.as_ref().filter(|(_, at)| at.elapsed() < CALM).map(|(cause, _)| cause);
        state.last.as_ref().or(name).cloned()
    }

    /// Says, once, that the brokers are away and that it is waited for them.
    pub fn tell_away(&self, address: &Address) {
        let mut state = lock(&self.0);
        state.trouble = Some(Instant::now());
        let calm = state.back.is_some_and(|at| at.elapsed() < CALM);
        if !calm && !std::mem::replace(&mut state.told, true) {
            let cause = state.last.as_ref().map_or("no answer", |cause| &cause.text).to_owned();
            drop(state);
            tracing::warn!(
                cause,
                "{address} does not answer; waiting for it (if its disk is full, make room and start it again)"
            );
        }
    }

    /// A broker has answered.
    pub fn tell_back(&self, address: &Address) {
        let mut state = lock(&self.0);
        (state.last, state.refused, state.worked) = (None, None, true);
        if std::mem::take(&mut state.told) {
            state.back = Some(Instant::now());
            drop(state);
            tracing::info!("{address} answers again");
        }
    }
}

impl Cause {
    /// The error that a person reads.
    pub fn error(&self, address: &Address) -> Error {
        let (problem, remedy) = match self.kind {
            Kind::Login => (
                "refuses the user or the password",
                "check sasl.username, sasl.password and sasl.mechanisms in --bus-config",
            ),
            Kind::Tls => (
                "has a certificate that is not trusted",
                "name the authority that signed it as ssl.ca.location in --bus-config",
            ),
            Kind::Protocol => (
                "breaks off the first exchange: one side speaks TLS or SASL and the other does not",
                "check security.protocol in --bus-config (plaintext, ssl, sasl_plaintext, sasl_ssl) and the port",
            ),
            Kind::Name => (
                "cannot be found",
                "check the host name in --bus, and the one that the broker tells its clients (advertised.listeners)",
            ),
            Kind::Away => ("cannot be reached", AWAY),
        };
        Error::Kafka { bus: address.to_string(), problem: format!("{problem} ({})", self.text), remedy: remedy.into() }
    }
}

/// The error when nobody answered and nothing was said.
pub(super) fn silent(address: &Address) -> Error {
    Error::Kafka { bus: address.to_string(), problem: "does not answer".into(), remedy: AWAY.into() }
}

/// What an operation failed with, for a person.
pub(super) fn fault(address: &Address, what: &str, error: &KafkaError) -> Error {
    let code = code_of(error);
    let remedy = match code {
        Some(Code::TopicAuthorizationFailed) => "let this user read, write, describe and create the bus's topics",
        Some(Code::GroupAuthorizationFailed) => "let this user read and describe the bus's groups",
        Some(Code::TransactionalIdAuthorizationFailed) => "let this user write and describe the transactional ids",
        Some(Code::ClusterAuthorizationFailed) => "let this user create topics and write idempotently on the cluster",
        Some(Code::InvalidReplicationFactor) => "start more brokers, or lower default.replication.factor on them",
        Some(Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend) => "start the brokers that are down",
        Some(Code::MessageSizeTooLarge) => "set max.message.bytes of the topic to 18874368 (18 MiB)",
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
            "a topic was deleted: start the program again, which makes it"
        }
        Some(Code::InvalidSessionTimeout) => {
            "set session.timeout.ms in --bus-config to what the broker allows (group.min.session.timeout.ms and max)"
        }
        Some(Code::InconsistentGroupProtocol) => {
            "some other program is in this group: stop it, or set a prefix of your own in --bus"
        }
        Some(Code::GroupMaxSizeReached) => "raise group.max.size on the brokers, or start fewer programs",
        Some(Code::OperationTimedOut | Code::WaitingForCoordinator | Code::CoordinatorNotAvailable) => {
            "see the broker's log; are there as many brokers as its offsets.topic.replication.factor and \
             transaction.state.log.replication.factor ask for?"
        }
        Some(Code::KafkaStorageError | Code::LeaderNotAvailable) => "look at the broker's disk: it may be full",
        _ => "see the broker's log",
    };
    let text = match code {
        Some(
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => "this user has no permission".to_owned(),
        Some(code) => code.to_string(),
        None => error.to_string(),
    };
    Error::Kafka { bus: address.to_string(), problem: format!("{what} failed: {}", tidy(&text)), remedy: remedy.into() }
}

/// The error about records that are damaged, or larger than any of the bus's.
pub(super) fn unpacked(kafka: &Kafka, topic: &str, partition: u32, at: i64, group: Option<&str>) -> Error {
    let full = kafka.full(topic);
    let step = group.map_or_else(
        || format!("delete the topic's records up to it (kafka-delete-records with offset {})", at + 1),
        |group| {
            format!(
                "step over it with all programs of the group stopped: kafka-consumer-groups --group {} --topic {full}:{partition} \
                 --reset-offsets --to-offset {} --execute",
                kafka.full(group),
                at + 1
            )
        },
    );
    Error::Kafka {
        bus: kafka.0.address.to_string(),
        problem: format!(
            "has at {full}-{partition}, offset {at}, records that cannot be unpacked: damaged, or over 100 MB"
        ),
        remedy: format!("no program of this bus wrote them; {step}"),
    }
}

/// librdkafka's code of an error, where it has one.
pub(super) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

/// Errors that pass when the broker does its part again.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    use Code::*;
    let code = match error {
        KafkaError::Canceled => return true,
        KafkaError::Transaction(e) if e.is_retriable() => return true,
        error => code_of(error),
    };
    matches!(
        code,
        Some(
            BrokerTransportFailure
                | DestroyBroker
                | AllBrokersDown
                | OperationTimedOut
                | MessageTimedOut
                | RequestTimedOut
                | TimedOutQueue
                | WaitingForCoordinator
                | WaitCache
                | Resolve
                | Retry
                | LeaderNotAvailable
                | NotLeaderForPartition
                | FencedLeaderEpoch
                | UnknownLeaderEpoch
                | OffsetNotAvailable
                | BrokerNotAvailable
                | ReplicaNotAvailable
                | NetworkException
                | CoordinatorLoadInProgress
                | CoordinatorNotAvailable
                | NotCoordinator
                | NotController
                | NotEnoughReplicas
                | NotEnoughReplicasAfterAppend
                | RebalanceInProgress
                | UnstableOffsetCommit
                | ConcurrentTransactions
                | KafkaStorageError
                | UnknownPartition
                | UnknownTopicId
        )
    )
}

/// What librdkafka says when one side speaks TLS or SASL and the other does not: mostly that the other one hangs up.
fn is_protocol(text: &str) -> bool {
    let hung_up = text.contains("Disconnected") || text.contains("Connection reset");
    let early =
        ["APIVERSION_QUERY", "SSL_HANDSHAKE", "UP"].iter().any(|state| text.contains(&format!("in state {state}")));
    let signs = ["wrong version number", "packet length too long", "unexpected eof while reading"];
    (hung_up && early) || signs.iter().any(|sign| text.contains(sign))
}

/// One line, without librdkafka's own bookkeeping.
fn tidy(text: &str) -> String {
    let text = text.split(": (after ").next().unwrap_or(text);
    let text = text.split(" (after ").next().unwrap_or(text);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim().trim_end_matches(['.', ':']).to_owned();
    // "sasl_ssl://localhost:9093/bootstrap: SASL authentication error: …"
    line.split_once("/bootstrap: ").map_or(line.clone(), |(_, rest)| rest.to_owned())
}
