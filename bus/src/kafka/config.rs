//! librdkafka properties: what the bus sets itself, what a file of the user's adds, and that both are valid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::url::Address;
use crate::topic::MAX_DEAD_LETTER;
use crate::{Error, Result};

/// What the safety of a publish hangs on, and what the URL says: not for a file.
const OURS: [&str; 17] = [
    "bootstrap.servers",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "isolation.level",
    "partition.assignment.strategy",
    "enable.partition.eof",
    "transactional.id",
    "enable.idempotence",
    "acks",
    "message.max.bytes",
    "message.timeout.ms",
    "client.id",
    "enable.gapless.guarantee",
];

/// Second names of properties, as librdkafka's CONFIGURATION.md lists them, and the one that is used here. Of two spellings of one
/// property librdkafka takes whichever is set last.
const ALIASES: [(&str, &str); 10] = [
    ("metadata.broker.list", "bootstrap.servers"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("sasl.mechanism", "sasl.mechanisms"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("retries", "message.send.max.retries"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
    ("request.required.acks", "acks"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("auto.commit.enable", "enable.auto.commit"),
];

/// Properties that name a file.
const FILES: [&str; 5] =
    ["ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location", "ssl.crl.location"];

/// Properties of a user's file.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Reads and checks a file of lines `name=value`.
    pub fn load(path: Option<&Path>) -> Result<Properties> {
        let Some(path) = path else { return Ok(Properties::default()) };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| Error::NoBusConfig { path: path.into(), reason: unread(&source) })?;
        let mut properties = Properties::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |reason: String| Error::BusConfig { path: PathBuf::from(path), line: number, reason };
            let Some((name, value)) = line.split_once('=') else {
                return Err(wrong("it has no `=`; a line is a librdkafka property, `name=value`".into()));
            };
            let (given, value) = (name.trim(), value.trim());
            let name = ALIASES.iter().find(|(alias, _)| *alias == given).map_or(given, |(_, name)| name);
            if OURS.contains(&name) {
                return Err(wrong(format!("`{given}` is set by the program; remove the line")));
            }
            let mut alone = ClientConfig::new();
            alone.set(name, value);
            if let Err(error) = alone.create_native_config() {
                return Err(wrong(refusal(name, error)));
            }
            if FILES.contains(&name)
                && let Err(error) = std::fs::File::open(value)
            {
                return Err(wrong(format!("`{given}` names {value}, which cannot be read: {error}; correct the path")));
            }
            properties.0.insert(name.into(), value.into());
        }
        let sasl =
            properties.get("security.protocol").is_some_and(|text| text.to_ascii_lowercase().starts_with("sasl_"));
        if sasl && properties.get("sasl.mechanisms").is_none() {
            let reason = "security.protocol asks for SASL and sasl.mechanisms is missing: set it to PLAIN, SCRAM-SHA-256 or \
                          SCRAM-SHA-512, as the broker has it";
            return Err(Error::NoBusConfig { path: path.into(), reason: reason.into() });
        }
        Ok(properties)
    }

    /// What the file says of a property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What every client has. The file's properties win over what only tunes.
    pub fn client(&self, address: &Address) -> ClientConfig {
        let mut config = ClientConfig::new();
        let asked = tracing::enabled!(target: "librdkafka", tracing::Level::DEBUG);
        config.set_log_level(if asked { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
        config.set("client.id", "kafkaspider");
        config.set("reconnect.backoff.max.ms", "2000");
        config.set("socket.nagle.disable", "true");
        // an idle Pi shall not be asked every five minutes to resolve what does not change
        config.set("topic.metadata.refresh.interval.ms", "60000");
        config.set("allow.auto.create.topics", "false");
        config.extend(self.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        config.set("bootstrap.servers", &address.hosts);
        config
    }

    /// What every consumer that reads records has.
    pub fn consumer(&self, address: &Address) -> ClientConfig {
        let mut config = ClientConfig::new();
        // bounded memory: what is prefetched, and what one answer holds (one larger record passes all the same)
        config.set("queued.max.messages.kbytes", "8192");
        config.set("fetch.max.bytes", "8388608");
        // less, and the broker would wait half a second whenever a larger batch is not the first that was asked for
        config.set("fetch.message.max.bytes", "8388608");
        config.set("fetch.queue.backoff.ms", "5");
        config.set("fetch.error.backoff.ms", "100");
        let mut all = self.client(address);
        let tuned = self.0.keys().map(String::as_str).collect::<Vec<_>>();
        all.extend(config.config_map().into_iter().filter(|(name, _)| !tuned.contains(name)).map(owned));
        all.set("isolation.level", "read_committed");
        all.set("enable.auto.commit", "false");
        all.set("enable.auto.offset.store", "false");
        all.set("auto.offset.reset", "earliest");
        all
    }

    /// What a member's consumer has besides.
    pub fn member(&self, address: &Address, group: &str, instance: &str) -> ClientConfig {
        let mut config = self.consumer(address);
        config.set("group.id", group);
        config.set("group.instance.id", instance);
        config.set("partition.assignment.strategy", "cooperative-sticky");
        // each partition has a queue of its own
        self.unless_given(&mut config, "queued.max.messages.kbytes", "1024");
        // packed; pages are five times as large when they are unpacked. An answer has some of each partition
        self.unless_given(&mut config, "fetch.message.max.bytes", "262144");
        // a broker is asked for one answer at a time: while it waits for partitions that have nothing, it sends nothing of those
        // whose queues were full and are not any more
        self.unless_given(&mut config, "fetch.wait.max.ms", "50");
        // heartbeats come from a thread of their own, and a partition that moves costs a catch-up, no more
        self.unless_given(&mut config, "session.timeout.ms", "10000");
        self.unless_given(&mut config, "heartbeat.interval.ms", "1000");
        config
    }

    /// What every producer has.
    pub fn producer(&self, address: &Address) -> ClientConfig {
        let mut config = self.client(address);
        config.set("enable.idempotence", "true");
        config.set("message.max.bytes", (MAX_DEAD_LETTER + (1 << 20)).to_string());
        self.unless_given(&mut config, "compression.type", "zstd");
        // half the work of the usual level 3, for a few bytes more
        if config.get("compression.type") == Some("zstd") {
            self.unless_given(&mut config, "compression.level", "1");
        }
        self.unless_given(&mut config, "linger.ms", "1");
        // a transaction begins while the broker still writes the end of the one before, and asks again
        self.unless_given(&mut config, "retry.backoff.ms", "10");
        config
    }

    fn unless_given(&self, config: &mut ClientConfig, name: &str, value: &str) {
        if !self.0.contains_key(name) {
            config.set(name, value);
        }
    }
}

/// Why the file cannot be read, and what to do.
fn unread(error: &std::io::Error) -> String {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => "correct the path in --bus-config",
        std::io::ErrorKind::InvalidData => "it is no text: name a file of lines `name=value`",
        std::io::ErrorKind::IsADirectory => "name a file, not a folder",
        _ => "check its permissions",
    };
    format!("{error}; {remedy}")
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Why librdkafka refuses a property. Its own text may repeat the value, which may be a secret.
fn refusal(name: &str, error: KafkaError) -> String {
    let secret = ["password", "secret", "key", "token", "jaas", "username"].iter().any(|word| name.contains(word));
    match error {
        KafkaError::ClientConfig(_, text, ..) if !secret => format!("librdkafka refuses it: {text}"),
        _ => format!("librdkafka refuses the value of `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Properties> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Properties::load(Some(file.path()))
    }

    #[test]
    fn a_file_tunes_what_is_not_the_programs() {
        let properties = load("# tuned\n\ncompression.type = none\n fetch.max.bytes=1000000 \n").unwrap();
        let address = Address::parse("kafka://h:1").unwrap();
        assert_eq!(properties.producer(&address).get("compression.type"), Some("none"));
        assert_eq!(properties.consumer(&address).get("fetch.max.bytes"), Some("1000000"));
        assert_eq!(Properties::default().producer(&address).get("compression.type"), Some("zstd"));
    }

    #[test]
    fn a_property_has_one_name_whatever_the_file_calls_it() {
        let address = Address::parse("kafka://h:1").unwrap();
        let properties =
            load("compression.codec=none\nqueue.buffering.max.ms=7\nmax.partition.fetch.bytes=5000\n").unwrap();
        let producer = properties.producer(&address);
        assert_eq!((producer.get("compression.type"), producer.get("compression.codec")), (Some("none"), None));
        assert_eq!((producer.get("linger.ms"), producer.get("queue.buffering.max.ms")), (Some("7"), None));
        for config in [properties.consumer(&address), properties.member(&address, "g", "i")] {
            assert_eq!(config.get("fetch.message.max.bytes"), Some("5000"));
            assert_eq!(config.get("max.partition.fetch.bytes"), None);
        }
        for (alias, name) in ALIASES {
            let mut config = ClientConfig::new();
            config.set(alias, if alias.contains("mechanism") { "PLAIN" } else { "1" });
            let known =
                config.create_native_config().is_ok() || alias == "compression.codec" || alias.starts_with("auto");
            assert!(known && !ALIASES.iter().any(|(other, _)| *other == name), "{alias}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_and_what_it_names_are_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("binary");
        std::fs::write(&binary, b"\xff\xfe=1").unwrap();
        for (path, word) in [
            (folder.path().join("nothere"), "correct the path"),
            (binary, "it is no text"),
            (folder.path().to_owned(), "not a folder"),
        ] {
            let error = Properties::load(Some(&path)).unwrap_err().to_string();
            assert!(error.contains(word) && error.matches("os error").count() <= 1, "{error}");
        }
        let error = load("security.protocol=ssl\nssl.ca.location=/not/there.crt").unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("/not/there.crt") && error.contains("correct the path"),
            "{error}"
        );
        let error = load("security.protocol=SASL_SSL\n").unwrap_err().to_string();
        assert!(error.contains("sasl.mechanisms is missing"), "{error}");
    }

    #[test]
    fn what_librdkafka_does_not_know_and_what_is_the_programs_is_refused_with_its_line() {
        for (text, line, word) in [
            ("a line", 1, "no `=`"),
            ("\nno.such.property=1", 2, "No such configuration property"),
            ("linger.ms=soon", 1, "Invalid value"),
            ("linger.ms=1\nisolation.level=read_uncommitted", 2, "set by the program"),
            ("bootstrap.servers=elsewhere:9092", 1, "set by the program"),
            ("metadata.broker.list=elsewhere:9092", 1, "set by the program"),
            ("request.required.acks=0", 1, "set by the program"),
        ] {
            match load(text) {
                Err(Error::BusConfig { line: at, reason, .. }) => {
                    assert!(at == line && reason.contains(word), "{text}: line {at}: {reason}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let error = refusal("ssl.key.password", load_error("ssl.key.password", "s3cret"));
        assert!(!error.contains("s3cret"), "{error}");
    }

    fn load_error(name: &str, value: &str) -> KafkaError {
        let kind = rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID;
        KafkaError::ClientConfig(kind, format!("invalid value {value}"), name.into(), value.into())
    }
}
