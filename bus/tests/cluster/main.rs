//! Three brokers, every record on all of them: the contract of every bus, and brokers that die under load.
//!
//! One cluster is shared by the contract's tests, each of which has a prefix of its own; whoever kills brokers has its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../contract/mod.rs"]
#[allow(dead_code, reason = "some of it is for the embedded log alone")]
mod contract;
#[path = "../kafka/mover.rs"]
mod mover;

mod deaths;

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bus::Bus;
use contract::{CONFIGURED, Ground};
use xtask::services::{Kafka, Kind, Life};

/// A prefix of its own on the shared cluster.
struct OnCluster(String);

/// The dead are found out sooner than in real use, since tests wait for it.
const QUICK: &str = "session.timeout.ms=4000\nheartbeat.interval.ms=500\ntransaction.timeout.ms=8000\n";

/// Three brokers that die with this process.
fn start(name: &str) -> Kafka {
    // RUST_LOG=librdkafka=debug,bus=debug, to look for a fault
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let kafka = Kafka::start(Kind::KafkaCluster, &folder, Life::Guarded).unwrap();
    CONFIGURED.get_or_init(|| {
        let path = folder.join("test.properties");
        std::fs::write(&path, QUICK).unwrap();
        path
    });
    kafka
}

fn cluster() -> &'static Kafka {
    static CLUSTER: OnceLock<Kafka> = OnceLock::new();
    CLUSTER.get_or_init(|| start("contract"))
}

impl Ground for OnCluster {
    fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        OnCluster(format!("{}/t{}.", cluster().url(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    fn copy(&self) -> Self {
        unimplemented!("for the embedded log alone")
    }

    fn url(&self) -> String {
        self.0.clone()
    }

    fn revoke(&self, bus: &Bus, group: &str, topic: &str, partition: u32) {
        let Bus::Kafka(kafka) = bus else { panic!("it is Kafka") };
        kafka.revoke(group, topic, partition);
    }
}

contract_suite!(crate::OnCluster);
