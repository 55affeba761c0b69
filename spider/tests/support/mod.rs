//! Running the executable against a site, and reading what it left on the bus.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bus::payload::{Artefact, Tally, UrlState};
use bus::{Bus, Delivered, Options, topic};

/// Longest time that a test waits for something that must happen.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A data directory with a spider to run on it.
pub struct Spider {
    folder: tempfile::TempDir,
}

impl Spider {
    pub fn new() -> Spider {
        Spider { folder: tempfile::tempdir().unwrap() }
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// The crawl's folder.
    pub fn index(&self) -> PathBuf {
        self.data().join("spider/main-test")
    }

    /// Any command.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spider"));
        command.args(args).arg("--data").arg(self.data()).current_dir(self.data());
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("KAFKASPIDER_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `crawl` on loopback, as fast as it goes; `args` come last and win.
    pub fn crawl(&self, args: &[&str]) -> Command {
        let mut all = vec!["crawl", "--instance", "test", "--allow-address", "127.0.0.0/8", "--json", "--quiet"];
        for (flag, value) in [("--delay", "0"), ("--per-host", "8"), ("--retry-wait", "0.05")] {
            if !args.contains(&flag) {
                all.extend([flag, value]);
            }
        }
        all.extend(args);
        self.command(&all)
    }

    /// Crawls until nothing is left; gives the summary.
    pub fn crawl_all(&self, args: &[&str]) -> serde_json::Value {
        let args: Vec<&str> = args.iter().copied().chain(["--until-idle"]).collect();
        let output = run(&mut self.crawl(&args));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn bus(&self) -> Bus {
        Bus::open(self.data().join("bus.db").to_str().unwrap(), &Options::default()).unwrap()
    }

    /// Every record of a topic, by partition and offset.
    pub fn records(&self, name: &str) -> Vec<Delivered> {
        let bus = self.bus();
        let Some(spec) = bus.topics().unwrap().into_iter().find(|t| t.name == name) else { return Vec::new() };
        let mut records = Vec::new();
        for partition in 0..spec.partitions {
            let mut scan = bus.scan(name, partition, 0).unwrap();
            loop {
                let batch = scan.next_batch().unwrap();
                if batch.is_empty() {
                    break;
                }
                records.extend(batch);
            }
        }
        records
    }

    pub fn artefacts(&self) -> Vec<Artefact> {
        self.records(topic::ARTEFACTS).iter().map(|r| Artefact::from_record(&r.record).unwrap()).collect()
    }

    /// Artefacts by URL; each URL must be there once.
    pub fn archived(&self) -> BTreeMap<String, Artefact> {
        let mut by_url = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for artefact in self.artefacts() {
            assert!(ids.insert(artefact.id), "id {} twice", artefact.id);
            let url = artefact.url.clone();
            assert!(by_url.insert(url.clone(), artefact).is_none(), "{url} is archived twice");
        }
        by_url
    }

    /// The newest state of each URL.
    pub fn frontier(&self) -> BTreeMap<String, UrlState> {
        let records = self.records(&topic::frontier("main").name);
        records.iter().filter_map(|r| UrlState::from_record(&r.record).ok()).collect()
    }

    /// The sum of the newest tallies.
    pub fn tally(&self) -> Tally {
        let newest: BTreeMap<u32, Tally> =
            self.records(&topic::tallies("main").name).iter().map(|r| Tally::from_record(&r.record).unwrap()).collect();
        let mut sum = Tally::default();
        for tally in newest.into_values() {
            sum.fetched += tally.fetched;
            sum.fetches += tally.fetches;
            sum.pending += tally.pending;
            sum.known += tally.known;
            sum.since = sum.since.max(tally.since);
            for (class, n) in tally.errors {
                *sum.errors.entry(class).or_default() += n;
            }
        }
        sum
    }
}

/// URLs with status 200.
pub fn ok(archived: &BTreeMap<String, Artefact>) -> BTreeSet<&str> {
    archived.iter().filter(|(_, a)| a.status == Some(200)).map(|(url, _)| url.as_str()).collect()
}

/// Runs to the end, which must come in time.
pub fn run(command: &mut Command) -> Output {
    let child = command.spawn().unwrap();
    let id = child.id();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            signal(id, "KILL");
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    watch.join().unwrap();
    assert!(output.status.code().is_some(), "it did not end in time, or was killed: {}", text(&output));
    output
}

/// Sends a signal by name.
pub fn signal(id: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
}

/// What a run wrote to standard error.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for a condition.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A child that is killed when the test is over, however it ends.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Numbers that look random and are the same each time (xorshift).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}
