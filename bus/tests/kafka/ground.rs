//! Brokers for tests, and prefixes on them that nobody else uses.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bus::Bus;
use xtask::services::{Kafka, Kind, Life};

use crate::contract::{CONFIGURED, Ground};

/// Brokers that die with this process. `RUST_LOG=librdkafka=debug,bus=debug` shows what happens, to look for a fault.
pub fn start(kind: Kind, name: &str) -> Kafka {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    Kafka::start(kind, &folder, Life::Guarded).unwrap()
}

/// Opens every bus of this process with these properties: the dead are found out sooner than in real use, since tests wait
/// for it.
pub fn configure(kafka: &Kafka, quick: &str) {
    let more = std::env::var("BUS_TEST_PROPERTIES").unwrap_or_default();
    CONFIGURED.get_or_init(|| write(kafka.folder(), "test.properties", &format!("{quick}{more}")));
}

pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A prefix of its own on the brokers that the tests of this target share.
pub struct OnKafka(String);

impl Ground for OnKafka {
    fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        OnKafka(format!("{}/t{}.", crate::shared().url(), NEXT.fetch_add(1, Ordering::Relaxed)))
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
