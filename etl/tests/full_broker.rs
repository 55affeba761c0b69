//! A broker whose disk is full: Kafka stops it. Who starts then is told so in one line; who runs waits, says it once, and goes
//! on when there is room again.
//!
//! The disk is full by a limit on the size of the broker's files, which needs no root: a write fails as it does on a full disk,
//! and Kafka does the same about it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bus::payload::Artefact;
use bus::topic::{self, ARTEFACTS};
use bus::{Bus, Options, Output};
use support::{artefact, have, staged, text, wait_for};
use xtask::services::{Kafka, Kind, Life};

/// Bytes of a file of the broker at most; its index files are made 10 MB long, whatever is in them.
const LIMIT: u64 = 24 << 20;
const PARTITION: u32 = 4;

/// A stager and what it has said, killed when the test ends.
struct Stager(Child, PathBuf);

impl Drop for Stager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        if std::thread::panicking() {
            eprintln!("the stager has said:\n{}", std::fs::read_to_string(&self.1).unwrap_or_default());
        }
    }
}

fn etl(url: &str, data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
    command.args(args).args(["--bus", url, "--data"]).arg(data).env("NO_COLOR", "1");
    command
}

/// A body that does not become smaller by packing.
fn noise(seed: u64) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
    let step = |_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()
    };
    (0..250_000).flat_map(step).collect()
}

fn append(bus: &Bus, name: &str, body: Vec<u8>) -> bus::Result<()> {
    let record = artefact(&format!("http://example.org/{name}"), body).into_record();
    bus.append(&[Output { topic: ARTEFACTS.into(), partition: PARTITION, record }]).map(drop)
}

/// Ids of what is on the bus.
fn ids(bus: &Bus) -> BTreeSet<String> {
    let mut scan = bus.scan(ARTEFACTS, PARTITION, 0).unwrap();
    let mut found = BTreeSet::new();
    loop {
        let batch = scan.next_batch().unwrap();
        if batch.is_empty() {
            return found;
        }
        found.extend(batch.iter().map(|d| Artefact::from_record(&d.record).unwrap().id.to_string()));
    }
}

fn is_up(kafka: &Kafka) -> bool {
    std::net::TcpStream::connect(kafka.plain()).is_ok()
}

/// Peak memory of a process, MB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000
}

#[test]
fn a_broker_whose_disk_is_full_is_named_and_waited_for() {
    let test = "a_broker_whose_disk_is_full_is_named_and_waited_for";
    if !have("java", test) || !have("prlimit", test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(Kind::Kafka, folder.path(), Life::Guarded).unwrap();
    let url = kafka.url().to_owned();
    let bus = Bus::open(&url, &Options::default()).unwrap();
    bus.ensure(&[topic::artefacts(), topic::seals(), topic::dead_letters()]).unwrap();

    let (data, log) = (folder.path().join("archive"), folder.path().join("stderr"));
    let mut command = etl(&url, &data, &["stage", "--segment-idle", "300ms"]);
    let stager = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let mut stager = Stager(stager, log.clone());
    append(&bus, "first", noise(1)).unwrap();
    wait_for(|| !staged(&data).is_empty());

    let (pid, limit) = (kafka.brokers()[0].pid().to_string(), format!("--fsize={LIMIT}"));
    assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    let mut seed = 2;
    wait_for(|| {
        // whether the last one was written, nobody knows
        let _ = append(&bus, &seed.to_string(), noise(seed));
        seed += 1;
        !is_up(&kafka)
    });
    let said = || std::fs::read_to_string(&log).unwrap();
    wait_for(|| said().contains("waiting for it"));

    let began = Instant::now();
    let output = etl(&url, &folder.path().join("other"), &["stage", "--once"]).output().unwrap();
    let error = text(&output);
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    assert_eq!((output.status.code(), error.trim().lines().count()), (Some(1), 1), "{error}");
    for word in ["cannot be reached", "Connection refused", "disk"] {
        assert!(error.contains(word), "{error}");
    }

    // there is room again
    kafka.restart(0).unwrap();
    append(&bus, "last", noise(0)).unwrap();
    let there = ids(&bus);
    wait_for(|| staged(&data).get(&PARTITION).is_some_and(|rows| rows.len() >= there.len()));
    let rows = staged(&data).remove(&PARTITION).unwrap();
    assert_eq!(rows.len(), there.len(), "each record once");
    assert_eq!(rows.into_iter().map(|(_, id)| id).collect::<BTreeSet<_>>(), there);
    let memory = peak(stager.0.id());
    assert!(memory <= 256, "{memory} MB");
    assert!(Command::new("kill").args(["-INT", &stager.0.id().to_string()]).status().unwrap().success());
    assert_eq!(stager.0.wait().unwrap().code(), Some(130), "{}", said());
    let said = said();
    // each absence is said once, and so is its end; a broker that starts goes away and comes back a few times
    let (away, back) = (said.matches("waiting for it").count(), said.matches("answers again").count());
    assert!(away == back && (1..=2).contains(&away), "{said}");
    assert!(said.contains("disk"), "{said}");
}
