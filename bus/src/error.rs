//! What can go wrong on a bus, each with the thing that failed and what to do.

use std::path::PathBuf;

/// Result of everything but a publish.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that is not about ownership of a partition.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the message says what each field is")]
pub enum Error {
    /// The URL of the bus is neither `kafka://…` nor a path.
    #[error("bus URL `{url}`: {reason}")]
    Url { url: String, reason: String },
    /// Another process holds the group.
    #[error("group `{group}` is held by {holder}; stop it, or use another --crawl or --bus")]
    Busy { group: String, holder: String },
    /// A topic is missing.
    #[error("topic `{topic}` does not exist on {bus}; a program that writes it creates it")]
    NoTopic { topic: String, bus: String },
    /// A topic has another number of partitions, for life.
    #[error(
        "topic `{topic}` has {found} partitions where {wanted} are needed; reshard it offline or use another prefix"
    )]
    Partitions { topic: String, found: u32, wanted: u32 },
    /// A record is over the size limit.
    #[error("record for topic `{topic}` has {size} bytes, over the limit of {limit}")]
    TooLarge { topic: String, size: usize, limit: usize },
    /// A record could not be decoded.
    #[error("record {topic}-{partition}@{offset}: {reason}")]
    Decode { topic: String, partition: u32, offset: i64, reason: String },
    /// Kafka refuses, cannot be reached, or is not as it must be.
    #[error("{bus} {problem}; {remedy}")]
    Kafka { bus: String, problem: String, remedy: String },
    /// A line of the file of librdkafka properties.
    #[error("bus configuration {path}, line {line}: {reason}")]
    BusConfig { path: PathBuf, line: u32, reason: String },
    /// The file of librdkafka properties as a whole.
    #[error("bus configuration {path}: {reason}")]
    NoBusConfig { path: PathBuf, reason: String },
    /// The embedded log cannot be used.
    #[error("embedded log {path} {problem}; {remedy}")]
    Log { path: PathBuf, problem: String, remedy: String, source: Option<Box<rusqlite::Error>> },
    /// The file of the embedded log, for any other reason.
    #[error("embedded log {path}: {source}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    /// A file beside the embedded log.
    #[error("{path}: {source}; check the permissions and the disk")]
    Io { path: PathBuf, source: std::io::Error },
    /// The program was asked to end while brokers were away: what was in flight is done again by its next run.
    #[error(
        "{bus} does not answer, and the program was asked to end; what was not published is done again by the next run"
    )]
    Ended { bus: String },
    /// Anything else, with its remedy in the text.
    #[error("{0}")]
    Other(String),
}

/// Why a publish did not happen. In every case nothing of the batch is visible and nothing is covered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Partitions named by a cover are not owned under that epoch any more. Drop their work; what belongs to
    /// partitions still owned may be published again, with the same ids.
    #[error("partitions are not owned any more: {0:?}")]
    Lost(Vec<(String, u32)>),
    /// The transaction was aborted for a passing reason; the same batch may be published again.
    #[error("the transaction was aborted: {0}")]
    Aborted(String),
    /// A twin with the same instance name has taken over; end with exit code 75.
    #[error("fenced by {0}")]
    Fenced(String),
    /// Everything else.
    #[error(transparent)]
    Bus(#[from] Error),
}
