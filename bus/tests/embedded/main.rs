//! The embedded log: the contract of every bus, and what it promises besides.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../contract/mod.rs"]
mod contract;

mod beating;
mod creating;
mod damage;
mod sharing;
mod times;
mod upkeep;
mod wal;

use bus::Bus;
use contract::Ground;

/// System calls by which a process changes the log: where a test kills it.
const STEPS: [&str; 6] = ["pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "write"];

/// A log in a folder of its own.
struct Embedded(tempfile::TempDir);

impl Embedded {
    /// On a disk: for what is large, or about disks.
    fn on_disk() -> Self {
        Embedded(tempfile::tempdir().unwrap())
    }
}

impl Ground for Embedded {
    /// In memory, where there is such a file system: a process that is killed loses nothing on either, and many
    /// thousand flushes are saved.
    fn fresh() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Embedded(folder.unwrap())
    }

    fn copy(&self) -> Self {
        let copy = Embedded::fresh();
        std::fs::copy(self.url(), copy.url()).unwrap();
        copy
    }

    fn url(&self) -> String {
        self.0.path().join("bus.db").to_str().unwrap().into()
    }

    fn revoke(&self, bus: &Bus, group: &str, topic: &str, partition: u32) {
        let Bus::Embedded(log) = bus else { panic!("it is embedded") };
        log.revoke(group, topic, &[partition]).unwrap();
    }
}

contract_suite!(crate::Embedded);

#[test]
fn killed_at_every_step_of_a_publish() {
    contract::crash::killed_at_every_step_of_a_publish::<Embedded>(&STEPS);
}
