//! Kafka: the contract of every bus against one broker, and what only Kafka has. One broker is shared by all tests here;
//! each test has a prefix of its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../contract/mod.rs"]
#[allow(dead_code, reason = "some of it is for the embedded log alone")]
mod contract;

mod errors;
mod members;
mod mover;
mod recreated;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bus::Bus;
use contract::{CONFIGURED, Ground};
use xtask::services::{Kafka, Kind, Life};

/// A prefix of its own on the shared broker.
struct OnKafka(String);

/// A broker of this kind that dies with this process.
fn start(kind: Kind) -> Kafka {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    Kafka::start(kind, &folder, Life::Guarded).unwrap()
}

/// The broker that most tests share.
fn broker() -> &'static Kafka {
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    BROKER.get_or_init(|| {
        // RUST_LOG=librdkafka=debug,bus=debug, to look for a fault
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
        let kafka = start(Kind::Kafka);
        // the dead are found out sooner than in real use, since tests wait for it
        let more = std::env::var("BUS_TEST_PROPERTIES").unwrap_or_default();
        CONFIGURED.get_or_init(|| write(kafka.folder(), "test.properties", &format!("{QUICK}{more}")));
        kafka
    })
}

const QUICK: &str = "session.timeout.ms=3000\nheartbeat.interval.ms=500\ntransaction.timeout.ms=5000\n";

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

impl Ground for OnKafka {
    fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        OnKafka(format!("{}/t{}.", broker().url(), NEXT.fetch_add(1, Ordering::Relaxed)))
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

contract_suite!(crate::OnKafka);
