//! How fast is the embedded log, beside a bare SQLite loop and a bare disk, in one run on one disk?
//!
//! `cargo run --release --workspace --example bench_bus -- DIR [ROUNDS]`
//!
//! Batches of 1,000 artefacts with bodies of 10 KB, over 16 partitions; durable when a batch returns. The bare loop
//! has one table (key, body), the same pragmas and nothing else: no partitions, headers, offsets, times or fences.
//! Reading is from the page cache, as that of a stager that keeps up. Rates are of bodies; medians of the rounds,
//! which take turns. Ends with 1 when a goal is missed.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "bench/crawled.rs"]
mod crawled;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::topic::{ARTEFACTS, PARTITIONS};
use bus::{Assignment, Batch, Bus, Cover, Event, Output, Reader, Writer};
use rusqlite::{Connection, TransactionBehavior, params};

const BODY: usize = 10_000;
const BATCH: usize = 1_000;
/// Batches of one measurement: 200 MB.
const BATCHES: usize = 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, bus, size] = &arguments[..]
        && mode == "peak"
    {
        if !Path::new(bus).exists() {
            fill(Path::new(bus), size.parse().unwrap());
        }
        peak(bus, size.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let dir = arguments.first().map_or(".", String::as_str);
    let rounds = arguments.get(1).map_or(5, |n| n.parse().unwrap());
    let folder = tempfile::tempdir_in(dir).unwrap();
    measure(folder.path(), rounds)
}

fn measure(dir: &Path, rounds: usize) -> ExitCode {
    let mut rates: [Vec<f64>; 8] = Default::default();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        let outputs = outputs();
        rates[0].push(dd(dir));
        rates[1].push(bare(&dir.join("bare.db"), &outputs));
        let path = dir.join("bus.db");
        let bus = open(&path);
        rates[2].push(rate(|| {
            for _ in 0..BATCHES {
                bus.append(&outputs).unwrap();
            }
        }));
        remove(&path, bus);
        let bus = open(&path);
        let (reader, mut writer, owned) = member(&bus, "writer");
        let batch = Batch { outputs, covers: owned.iter().map(|a| cover(a, 0)).collect() };
        rates[3].push(rate(|| publish(&mut writer, &batch)));
        rates[4].push(rate(|| scan(&bus)));
        rates[5].push(rate(|| {
            let (mut reader, _writer, _) = member(&bus, "all");
            follow(&mut reader, &AtomicBool::new(true));
        }));
        drop((reader, writer));
        remove(&path, bus);
        let bus = open(&path);
        rates[6].push(beside(&bus, &batch, 2, |bus, group, done| {
            let (mut reader, _writer, _) = member(bus, &group);
            follow(&mut reader, done);
        }));
        remove(&path, bus);
        let bus = open(&path);
        rates[7].push(beside(&bus, &batch, 2, |bus, _, done| {
            while !done.load(Ordering::Relaxed) {
                scan(bus);
            }
        }));
        remove(&path, bus);
    }
    let [dd, bare, append, publish, scan, read, followed, reread] = rates.map(median);
    let peaks = [200, 1_000].map(|megabytes| peak_of(dir, megabytes));
    println!("{:<52}{:>9}   {:<36}goal", "", "MB/s", "ratio");
    let row = |what: &str, rate: f64, ratio: String| println!("{what:<52}{rate:>9.0}   {ratio}");
    row("dd oflag=dsync bs=10M", dd, String::new());
    row("bare rusqlite loop", bare, format!("{:.2} of dd", bare / dd));
    let mut good = true;
    let mut goal = |ratio: f64, of: &str, goal: f64| {
        good &= ratio >= goal;
        format!("{:<36}≥ {goal} {}", format!("{ratio:.2} of {of}"), if ratio >= goal { "met" } else { "MISSED" })
    };
    row("append, 1,000 × 10 KB", append, goal(append / bare, "bare loop", 0.7));
    row("publish and cover, 1,000 × 10 KB", publish, goal(publish / bare, "bare loop", 0.7));
    row("scan", scan, goal(scan / publish, "publish", 4.0));
    row("read by a member", read, goal(read / publish, "publish", 4.0));
    row("publish beside 2 members that read it", followed, goal(followed / publish, "publish alone", 0.8));
    row("publish beside 2 that read all again and again", reread, format!("{:.2} of publish alone", reread / publish));
    let flat = peaks[0] as f64 / peaks[1] as f64;
    println!(
        "{:<52}{:>9}   {}",
        "peak memory of a reader, MB, backlog 200 / 1,000 MB",
        format!("{} / {}", peaks[0] / 1_000_000, peaks[1] / 1_000_000),
        goal(flat, "the larger one", 0.8)
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn outputs() -> Vec<Output> {
    (0..BATCH).map(|n| crawled::output(n, (0..BODY).map(|i| (i * n) as u8).collect())).collect()
}

fn open(path: &Path) -> Bus {
    let bus = Bus::open(path.to_str().unwrap(), &Default::default()).unwrap();
    bus.ensure(&[bus::topic::artefacts()]).unwrap();
    bus
}

fn remove(path: &Path, bus: Bus) {
    drop(bus);
    std::fs::remove_file(path).unwrap();
}

fn member(bus: &Bus, group: &str) -> (Reader, Writer, Vec<Assignment>) {
    let (mut reader, writer) = bus.join(group, "bench", &[ARTEFACTS]).unwrap();
    match reader.poll(Duration::ZERO).unwrap() {
        Event::Assigned(owned) => (reader, writer, owned),
        other => panic!("{other:?}"),
    }
}

fn cover(a: &Assignment, next: i64) -> Cover {
    Cover { topic: a.topic.clone(), partition: a.partition, next, epoch: a.epoch }
}

fn publish(writer: &mut Writer, batch: &Batch) {
    for _ in 0..BATCHES {
        writer.publish(batch).unwrap();
    }
}

fn scan(bus: &Bus) {
    for partition in 0..PARTITIONS {
        let mut scan = bus.scan(ARTEFACTS, partition, 0).unwrap();
        while !scan.next_batch().unwrap().is_empty() {}
    }
}

/// Reads until nothing more comes.
fn follow(reader: &mut Reader, done: &AtomicBool) {
    loop {
        // Asked before the poll: what was written before is seen by it.
        let last = done.load(Ordering::Relaxed);
        if reader.poll(Duration::from_millis(if last { 0 } else { 50 })).unwrap() == Event::Idle && last {
            return;
        }
    }
}

/// Rate of publishing while others read, each on a thread and a bus handle of its own.
fn beside(bus: &Bus, batch: &Batch, readers: usize, read: impl Fn(&Bus, String, &AtomicBool) + Sync) -> f64 {
    let done = AtomicBool::new(false);
    let (_reader, mut writer, owned) = member(bus, "writer");
    let covers = owned.iter().map(|a| cover(a, 0)).collect();
    let batch = Batch { outputs: batch.outputs.clone(), covers };
    std::thread::scope(|scope| {
        for n in 0..readers {
            let (read, done) = (&read, &done);
            scope.spawn(move || read(bus, format!("reader{n}"), done));
        }
        let rate = rate(|| publish(&mut writer, &batch));
        done.store(true, Ordering::Relaxed);
        rate
    })
}

/// Megabytes of bodies per second.
fn rate(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    (BODY * BATCH * BATCHES) as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Batches of 1,000 × 10 KB straight into one table.
fn bare(path: &Path, outputs: &[Output]) -> f64 {
    let mut db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA page_size = 65536; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 512; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -4096; CREATE TABLE t (offset INTEGER PRIMARY KEY, key BLOB, body BLOB)",
    )
    .unwrap();
    let rate = rate(|| {
        for _ in 0..BATCHES {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
            let mut insert = tx.prepare_cached("INSERT INTO t (key, body) VALUES (?1, ?2)").unwrap();
            for output in outputs {
                insert.execute(params![&output.record.key[..], output.record.value.as_deref()]).unwrap();
            }
            drop(insert);
            tx.commit().unwrap();
        }
    });
    drop(db);
    std::fs::remove_file(path).unwrap();
    rate
}

fn dd(dir: &Path) -> f64 {
    let file = dir.join("dd");
    let of = format!("of={}", file.display());
    let rate = rate(|| {
        let arguments = ["if=/dev/zero", "bs=10M", &format!("count={BATCHES}"), "oflag=dsync", "status=none"];
        assert!(Command::new("dd").args(arguments).arg(&of).status().unwrap().success());
    });
    std::fs::remove_file(file).unwrap();
    rate * (10 << 20) as f64 / 1e7
}

fn fill(path: &Path, megabytes: usize) -> Bus {
    let bus = open(path);
    let outputs = outputs();
    for _ in 0..megabytes / 10 {
        bus.append(&outputs).unwrap();
    }
    bus
}

/// Peak memory of a process that reads a backlog, bytes.
fn peak_of(dir: &Path, megabytes: usize) -> u64 {
    let path = dir.join("peak.db");
    let bus = fill(&path, megabytes);
    let me = std::env::current_exe().unwrap();
    let output = Command::new(me).arg("peak").arg(&path).arg(megabytes.to_string()).output().unwrap();
    remove(&path, bus);
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Reads all as a member does and prints the peak.
fn peak(path: &str, megabytes: usize) {
    let bus = Bus::open(path, &Default::default()).unwrap();
    let (mut reader, _writer, _) = member(&bus, "peak");
    let mut bytes = 0;
    while let Event::Records(records) = reader.poll(Duration::ZERO).unwrap() {
        bytes += records.iter().map(|d| d.record.value.as_ref().unwrap().len()).sum::<usize>();
    }
    assert_eq!(bytes, megabytes * 1_000_000);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    println!("{}", line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024);
}
