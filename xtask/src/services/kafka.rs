//! Kafka brokers: one, one with TLS and passwords, or three.

use std::fmt;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::broker::{Broker, Life};
use super::{certificates, jars, running};
use crate::line::Line;
use crate::process::{self, Output, Process};

/// Folder of a server's data, below its own.
pub(super) const DATA: &str = "data";
/// Free ports are found before they are used, so another process may take one in between.
const ATTEMPTS: usize = 3;

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One broker.
    Kafka,
    /// One broker with TLS, passwords and permissions.
    KafkaSasl,
    /// Three brokers, every topic on all of them, two of which must have a record before it is acknowledged.
    KafkaCluster,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Kafka => "kafka",
            Kind::KafkaSasl => "kafka-sasl",
            Kind::KafkaCluster => "kafka-cluster",
        })
    }
}

/// Brokers under way.
#[derive(Debug)]
pub struct Kafka {
    folder: PathBuf,
    url: String,
    plain: String,
    brokers: Vec<Broker>,
}

/// One broker's place.
struct Node {
    id: usize,
    /// Clients, controllers, clients by TLS.
    ports: [u16; 3],
    /// Id of its data folder.
    directory: String,
}

impl Kafka {
    /// Formats, starts, and waits until all are ready. The folder must be absolute.
    pub fn start(kind: Kind, folder: &Path, life: Life) -> anyhow::Result<Kafka> {
        let mut attempt = 1;
        loop {
            match try_start(kind, folder, life) {
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("already in use") => attempt += 1,
                result => return result,
            }
        }
    }

    /// Starts what has run in this folder before, with its data; the first time as [`Kafka::start`]. One broker only.
    pub fn resume(kind: Kind, folder: &Path, life: Life) -> anyhow::Result<Kafka> {
        let settings = folder.join("broker-1.properties");
        if !folder.join(DATA).is_dir() || !settings.is_file() {
            return Kafka::start(kind, folder, life);
        }
        let text = fs::read_to_string(&settings).with_context(|| format!("cannot read {}", settings.display()))?;
        let plain = text.lines().find_map(|line| line.strip_prefix("advertised.listeners=PLAINTEXT://"));
        let plain = plain
            .and_then(|list| list.split(',').next())
            .with_context(|| format!("{} is damaged", settings.display()))?;
        let log = folder.join("logs").join("broker-1.log");
        let _ = fs::remove_file(&log);
        let mut broker = Broker::start(java(&jars::kafka()?, &settings, life), &log, &folder.join(DATA), life)?;
        note_start(folder, std::slice::from_ref(&broker), life)?;
        if let Err(error) = broker.wait() {
            let _ = broker.kill();
            return Err(error);
        }
        let (url, plain) = (format!("kafka://{plain}"), plain.to_owned());
        Ok(Kafka { folder: folder.into(), url, plain, brokers: vec![broker] })
    }

    /// The bus URL, by TLS where there is TLS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port` without TLS.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The brokers; broker n has id n + 1.
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// Starts a broker again that was killed.
    pub fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        let data = self.folder.join(DATA);
        self.brokers[index].restart(&data)
    }
}

fn try_start(kind: Kind, folder: &Path, life: Life) -> anyhow::Result<Kafka> {
    let jars = jars::kafka()?;
    let (data, logs) = (folder.join(DATA), folder.join("logs"));
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    for folder in [&data, &logs] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    if kind == Kind::KafkaSasl {
        certificates::make(folder)?;
    }
    let nodes = places(if kind == Kind::KafkaCluster { 3 } else { 1 })?;
    let cluster = random_id()?;
    let mut brokers = Vec::new();
    for node in &nodes {
        let settings = folder.join(format!("broker-{}.properties", node.id));
        fs::write(&settings, properties(kind, folder, node, &nodes))
            .with_context(|| format!("cannot write {}", settings.display()))?;
        format_storage(&jars, &settings, &cluster, &nodes, &logs.join(format!("format-{}.log", node.id)))?;
        let log = logs.join(format!("broker-{}.log", node.id));
        let _ = fs::remove_file(&log);
        brokers.push(Broker::start(java(&jars, &settings, life), &log, &data, life)?);
        note_start(folder, &brokers, life)?;
    }
    for broker in &mut brokers {
        if let Err(error) = broker.wait() {
            brokers.iter().for_each(|broker| drop(broker.kill()));
            return Err(error);
        }
    }
    let plain = nodes.iter().map(|node| format!("127.0.0.1:{}", node.ports[0])).collect::<Vec<_>>().join(",");
    let url = match kind {
        Kind::KafkaSasl => format!("kafka://localhost:{}", nodes[0].ports[2]),
        _ => format!("kafka://{plain}"),
    };
    if kind == Kind::KafkaSasl {
        client_properties(folder)?;
    }
    Ok(Kafka { folder: folder.into(), url, plain, brokers })
}

/// Notes brokers that outlive this process at once, so that they are found though it is interrupted.
fn note_start(folder: &Path, brokers: &[Broker], life: Life) -> anyhow::Result<()> {
    let pids: Vec<u32> = brokers.iter().map(Broker::pid).collect();
    if life == Life::Detached { running::note_start(folder, &pids) } else { Ok(()) }
}

/// Arguments of java for a broker.
fn java(jars: &Path, settings: &Path, life: Life) -> Vec<String> {
    let path = |path: PathBuf| path.display().to_string();
    let mut args = vec!["-Xmx512m".to_owned(), "-XX:+UseSerialGC".into()];
    if life == Life::Guarded {
        // tests start brokers often and ask little of them
        args.push("-XX:TieredStopAtLevel=1".into());
    }
    args.push(format!("-Dlog4j2.configurationFile={}", path(jars.join("log4j2.xml"))));
    args.extend(["-cp".into(), path(jars.join("lib/*")), "kafka.Kafka".into(), path(settings.into())]);
    args
}

fn format_storage(jars: &Path, settings: &Path, cluster: &str, nodes: &[Node], log: &Path) -> anyhow::Result<()> {
    let file = fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let line = Line::new("java").args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]).arg(jars.join("lib/*"));
    let line = line.args(["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]).arg(settings);
    let line = match nodes {
        [_] => line.arg("--standalone"),
        _ => {
            let voters = nodes.iter().map(|n| format!("{}@127.0.0.1:{}:{}", n.id, n.ports[1], n.directory));
            line.args(["--initial-controllers", &voters.collect::<Vec<_>>().join(",")])
        }
    };
    let started = Process::start(&line, Output::File(file));
    let status = started.context("a Java runtime is needed: apt-get install default-jre-headless")?.wait()?;
    anyhow::ensure!(status.success(), "Kafka's storage tool failed: {}; see {}", process::told(status), log.display());
    Ok(())
}

/// What a broker is told.
fn properties(kind: Kind, folder: &Path, node: &Node, nodes: &[Node]) -> String {
    let [clients, controllers, tls] = node.ports;
    let copies = nodes.len();
    let needed = if copies == 3 { 2 } else { 1 };
    let voters: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.ports[1])).collect();
    let (sasl, advertised) = match kind {
        Kind::KafkaSasl => (format!(",SASL_SSL://127.0.0.1:{tls}"), format!(",SASL_SSL://localhost:{tls}")),
        _ => Default::default(),
    };
    let mut text = format!(
        "process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controllers}{sasl}
advertised.listeners=PLAINTEXT://127.0.0.1:{clients}{advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
controller.quorum.bootstrap.servers={voters}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={needed}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=3
offsets.retention.minutes=43200
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={needed}
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={needed}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
",
        id = node.id,
        voters = voters.join(","),
        data = folder.join(DATA).join(node.id.to_string()).display(),
    );
    if kind == Kind::KafkaSasl {
        let (store, password) = (folder.join("server.p12").display().to_string(), certificates::STORE_PASSWORD);
        text += &format!(
            "sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-secret\" user_bob=\"bob-secret\";
listener.name.sasl_ssl.ssl.keystore.type=PKCS12
listener.name.sasl_ssl.ssl.keystore.location={store}
listener.name.sasl_ssl.ssl.keystore.password={password}
listener.name.sasl_ssl.ssl.key.password={password}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice
"
        );
    }
    text
}

/// `--bus-config` files for the users of the broker with passwords.
fn client_properties(folder: &Path) -> anyhow::Result<()> {
    let authority = folder.join("ca.crt");
    for user in ["alice", "bob"] {
        let text = format!(
            "security.protocol=sasl_ssl\nsasl.mechanisms=PLAIN\nsasl.username={user}\nsasl.password={user}-secret\n\
             ssl.ca.location={}\n",
            authority.display()
        );
        let path = folder.join(format!("{user}.properties"));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn places(n: usize) -> anyhow::Result<Vec<Node>> {
    // all are held at once, so that they differ
    let held = (0..3 * n).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>();
    let held = held.context("no free port")?;
    let ports = held.iter().map(|it| it.local_addr().map(|a| a.port())).collect::<Result<Vec<_>, _>>()?;
    let node = |id: usize| {
        Ok(Node { id: id + 1, ports: [ports[3 * id], ports[3 * id + 1], ports[3 * id + 2]], directory: random_id()? })
    };
    (0..n).map(node).collect()
}

/// A random UUID the way Kafka writes it: 16 bytes in base64 for URLs.
fn random_id() -> anyhow::Result<String> {
    use std::io::Read;
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom").and_then(|mut from| from.read_exact(&mut bytes)).context("no random numbers")?;
    // Kafka keeps ids that begin with a dash to itself
    bytes[0] &= 0x3f;
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = u128::from_be_bytes(bytes);
    let digit = |at: u32| {
        let bits = if at < 21 { bits >> (122 - 6 * at) } else { bits << 4 };
        char::from(DIGITS[(bits & 63) as usize])
    };
    Ok((0..22).map(digit).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn an_id_has_22_digits_and_no_dash_in_front() {
        for _ in 0..200 {
            let id = random_id().unwrap();
            assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
            // 128 bits in 22 digits: the last one holds two bits, at its upper end
            assert!("AQgw".contains(&id[21..]), "{id}");
        }
    }

    #[test]
    fn three_brokers_know_one_another_and_one_needs_none() {
        let nodes = places(3).unwrap();
        let text = properties(Kind::KafkaCluster, Path::new("/d"), &nodes[1], &nodes);
        assert!(text.contains("node.id=2\n") && text.contains("min.insync.replicas=2\n"), "{text}");
        assert!(nodes.iter().all(|n| text.contains(&format!("127.0.0.1:{}", n.ports[1]))));
        let text = properties(Kind::Kafka, Path::new("/d"), &nodes[0], &nodes[..1]);
        assert!(text.contains("default.replication.factor=1\n") && !text.contains("SASL_SSL://"), "{text}");
    }
}
