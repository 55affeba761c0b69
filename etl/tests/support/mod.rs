//! What the tests share: a data directory with a real embedded bus in it, artefacts, the executable, and a look at Parquet
//! files with the parquet crate alone.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bus::clock::Clock;
use bus::payload::{Artefact, HttpHeaders};
use bus::{Bus, Options, topic};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use sha2::{Digest, Sha256};

/// Noon of the day on which tests begin, milliseconds since 1970 UTC: 2026-11-21T12:00:00Z.
pub const NOON: i64 = 1_795_262_400_000;
/// A day, milliseconds.
pub const DAY: i64 = 86_400_000;

/// A data directory with a bus whose clock the test moves.
pub struct World {
    pub dir: tempfile::TempDir,
    pub clock: Arc<AtomicI64>,
    pub bus: Bus,
}

impl World {
    pub fn new() -> World {
        World::in_dir(tempfile::tempdir().unwrap())
    }

    pub fn in_dir(dir: tempfile::TempDir) -> World {
        let clock = Arc::new(AtomicI64::new(NOON));
        let options = Options { clock: Clock::Manual(clock.clone()), ..Options::default() };
        let bus = Bus::open(dir.path().join("bus.db").to_str().unwrap(), &options).unwrap();
        bus.ensure(&[topic::artefacts(), topic::seals(), topic::dead_letters()]).unwrap();
        World { dir, clock, bus }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Sets the bus's clock.
    pub fn at(&self, millis: i64) {
        self.clock.store(millis, Ordering::Relaxed);
    }

    /// Appends artefacts to one partition.
    pub fn append(&self, partition: u32, artefacts: Vec<Artefact>) {
        let output = |a: Artefact| bus::Output { topic: topic::ARTEFACTS.into(), partition, record: a.into_record() };
        for one in artefacts.into_iter().map(output) {
            self.bus.append(&[one]).unwrap();
        }
    }

    /// A command on this data directory; now is the test's clock.
    pub fn etl(&self, args: &[&str]) -> Command {
        self.etl_on(self.path(), args)
    }

    /// The same with another data directory, but this bus.
    pub fn etl_on(&self, data: &Path, args: &[&str]) -> Command {
        self.etl_at(data, &self.path().join("bus.db"), args)
    }

    /// The same with another bus too.
    pub fn etl_at(&self, data: &Path, bus: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
        let now = chrono::DateTime::from_timestamp_millis(self.clock.load(Ordering::Relaxed)).unwrap();
        command.args(args).arg("--data").arg(data).arg("--bus").arg(bus);
        command.env("KAFKASPIDER_TEST_CLOCK", now.to_rfc3339()).env_remove("KAFKASPIDER_DATA").env("NO_COLOR", "1");
        command
    }

    /// Runs a command that must succeed; gives its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.etl(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Artefacts segments of the archive, in order of their names.
    pub fn segments(&self) -> Vec<PathBuf> {
        files(&self.path().join("artefacts"))
    }

    /// Id and offset of every row of every artefacts segment, by partition; proves that segments neither overlap nor leave
    /// gaps, and that each row lies in its segment's interval.
    pub fn staged(&self) -> BTreeMap<u32, Vec<(i64, String)>> {
        staged(self.path())
    }

    /// What group `stage` has committed.
    pub fn committed(&self) -> Vec<i64> {
        let committed = self.bus.committed(topic::STAGE_GROUP, topic::ARTEFACTS).unwrap();
        committed.into_iter().map(|c| c.unwrap_or(0)).collect()
    }
}

/// See [`World::staged`].
pub fn staged(data: &Path) -> BTreeMap<u32, Vec<(i64, String)>> {
    let mut found: BTreeMap<u32, Vec<(i64, String)>> = BTreeMap::new();
    let mut reached: BTreeMap<u32, i64> = BTreeMap::new();
    let mut segments = files(&data.join("artefacts"));
    segments.sort_by_key(|path| path.file_name().unwrap().to_owned());
    for path in segments {
        let name: archive::SegmentName = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let archive::Source::Partition(p) = name.source else { panic!("{}", path.display()) };
        assert_eq!(*reached.entry(p).or_insert(name.from), name.from, "{} does not follow", path.display());
        reached.insert(p, name.next);
        for row in rows(&path) {
            let (id, offset) = (string(&row, "id"), int(&row, "offset"));
            assert!(
                (name.from..name.next).contains(&offset) && int(&row, "partition") == i64::from(p),
                "{}",
                path.display()
            );
            found.entry(p).or_default().push((offset, id));
        }
    }
    found
}

/// Parquet files below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// An artefact with a body.
pub fn artefact(url: &str, body: impl Into<Vec<u8>>) -> Artefact {
    let body: Vec<u8> = body.into();
    Artefact {
        id: uuid::Uuid::now_v7(),
        source: "spider/test".into(),
        url: url.into(),
        fetched_at: NOON * 1000 + 7,
        crawl: "main".into(),
        status: Some(200),
        error: None,
        content_type: Some("text/html; charset=utf-8".into()),
        http_headers: HttpHeaders("Content-Type: text/html; charset=utf-8\r\nX-Test: a: b".into()),
        sha256: hex::encode(Sha256::digest(&body)),
        body: body.into(),
        truncated: false,
        via: Some("http://example.org/".into()),
        depth: 1,
        hops: 0,
        elapsed_ms: 12,
        remote: Some("127.0.0.1:80".into()),
    }
}

/// Small artefacts with distinct URLs.
pub fn artefacts(n: usize) -> Vec<Artefact> {
    (0..n).map(|i| artefact(&format!("http://example.org/{i}"), format!("<p>page {i}</p>"))).collect()
}

/// All rows of a Parquet file.
pub fn rows(path: &Path) -> Vec<Row> {
    open(path).get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

/// A Parquet file, read with nothing of ours.
pub fn open(path: &Path) -> SerializedFileReader<File> {
    SerializedFileReader::new(File::open(path).unwrap()).unwrap()
}

/// The footer's key-value metadata of ours, without prefix.
pub fn facts(path: &Path) -> BTreeMap<String, String> {
    let reader = open(path);
    let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let ours = facts.iter().filter_map(|kv| Some((kv.key.strip_prefix("kafkaspider.")?.to_owned(), kv.value.clone()?)));
    ours.collect()
}

pub fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
    row.get_column_iter().find(|(n, _)| *n == name).map(|(_, f)| f).unwrap()
}

pub fn string(row: &Row, name: &str) -> String {
    match field(row, name) {
        Field::Str(s) => s.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

pub fn int(row: &Row, name: &str) -> i64 {
    match field(row, name) {
        Field::Long(n) => *n,
        other => panic!("{name} is {other:?}"),
    }
}

pub fn is_null(row: &Row, name: &str) -> bool {
    matches!(field(row, name), Field::Null)
}

/// What a command printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// False, with a line that says so, when a program is missing; a failure where CI=true.
pub fn have(program: &str, test: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs {program}");
        eprintln!("not run: {test}: {program} is not installed");
    }
    found
}

/// Waits until something holds; a minute and more is a failure.
#[track_caller]
pub fn wait_for(mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed().as_secs() < 120, "waited for two minutes");
        #[allow(clippy::disallowed_methods, reason = "looks again in a while; the deadline is above")]
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
