//! How fast is the bus on Kafka, beside bare rdkafka loops and kcat, in one run on one broker?
//!
//! `cargo xtask bench bus --bus kafka [-- --rounds N --mb N --pages FOLDER]` starts a broker and runs this; by hand it is
//! `bench_kafka URL` with the same flags.
//!
//! Records are artefacts with bodies of 10 KB cut from real pages, in 16 partitions, once packed with zstd and once not at
//! all. Read: by a member of a group, from its first record to its last, beside a bare consumer's loop; `kcat -C` is a whole
//! process. Written: publishes of 1,000 records (`--batch`), each of which covers 16 partitions and is durable when it returns, beside a
//! bare producer with acks=all and no transaction that is flushed once, at the end. All take turns in each round; the first
//! round warms up, and before it some hundred small transactions do, since a young JVM compiles what they need while they run.
//! Medians count. Rates are of bodies. Ends with 1 when a goal is missed.
//!
//! `--only read` or `write` leaves out the other; `--set NAME=VALUE` sets a property of librdkafka, for the bus and the bare
//! loops alike.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

mod bare;
#[path = "../bench/crawled.rs"]
mod crawled;
mod pages;
mod report;
mod threads;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bus::topic::{ARTEFACTS, PARTITIONS};
use bus::{Batch, Bus, Cleanup, Cover, Event, Options, Output, TopicSpec};
use report::{Measured, Report};
use threads::Threads;

/// Transactions that warm the broker up, and records of each.
const TRANSACTIONS: usize = 500;
const WARMING: usize = 50;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let url = args.next().expect("usage: bench_kafka URL [--rounds N] [--mb N] [--pages FOLDER] [--broker-pid PID] [--only read|write] [--batch N] [--set NAME=VALUE]…");
    let (mut rounds, mut megabytes, mut folder, mut broker) = (5, 300, pages::documentation(), None);
    let (mut only, mut set, mut batch) = (None, Vec::new(), 1_000);
    while let (Some(flag), Some(value)) = (args.next(), args.next()) {
        match flag.as_str() {
            "--rounds" => rounds = value.parse().unwrap(),
            "--mb" => megabytes = value.parse().unwrap(),
            "--pages" => folder = value.into(),
            "--broker-pid" => broker = Some(value.parse().unwrap()),
            "--only" => only = Some(value),
            "--batch" => batch = value.parse().unwrap(),
            "--set" => {
                let (name, value) = value.split_once('=').expect("--set needs NAME=VALUE");
                set.push((name.to_owned(), value.to_owned()));
            }
            other => panic!("unknown flag {other}"),
        }
    }
    let bodies = pages::cuts(&folder, megabytes * 1_000_000);
    let batches: Vec<Vec<Output>> = bodies.chunks(batch).map(outputs).collect();
    println!("{} records of 10 KB, {batch} in a publish, pages of {}", bodies.len(), folder.display());
    let url = url.trim_end_matches('/').to_owned();
    let bench = Bench { url, rounds, batches, records: bodies.len(), broker, only, set };
    let good = ["zstd", "none"].map(|codec| bench.measure(codec));
    if good == [true, true] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    url: String,
    rounds: usize,
    batches: Vec<Vec<Output>>,
    records: usize,
    broker: Option<u32>,
    only: Option<String>,
    set: Vec<(String, String)>,
}

impl Bench {
    /// True when the goals are met.
    fn measure(&self, codec: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("properties");
        let set = self.set.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>();
        std::fs::write(&config, format!("compression.type={codec}\n{set}")).unwrap();
        let options = Options { config: Some(config), ..Options::default() };
        let prefix = format!("{codec}-{}.", std::process::id());
        let bus = Bus::open(&format!("{}/{prefix}", self.url), &options).unwrap();
        let spec = |name: &str| TopicSpec { name: name.into(), partitions: PARTITIONS, cleanup: Cleanup::Delete };
        bus.ensure(&[spec(ARTEFACTS), spec("in")]).unwrap();
        for batch in &self.batches {
            bus.append(batch).unwrap();
        }
        let hosts = self.url.trim_start_matches("kafka://");
        let mut report = Report::new(codec, self.records);
        if self.does("write") {
            self.warm_up(&bus);
        }
        for round in 0..=self.rounds {
            eprintln!("{codec}: round {round} of {}", self.rounds);
            let full = format!("{prefix}{ARTEFACTS}");
            // the two that are compared stand side by side, in turns
            let read = |bare: bool| match bare {
                true => bare::read(hosts, &full, self.records, &self.set, &self.threads()),
                false => self.read(&bus, &format!("g{round}")),
            };
            let first = round % 2 == 0;
            if self.does("read") {
                let (one, two) = (read(first), read(!first));
                let pair = if first { [one, two] } else { [two, one] };
                let kcat = self.kcat(hosts, &full);
                if round > 0 {
                    report.read(pair, kcat);
                }
            }
            if !self.does("write") {
                continue;
            }
            let targets = [format!("bare{round}"), format!("out{round}")];
            bus.ensure(&targets.each_ref().map(|name| spec(name))).unwrap();
            let write = |bare: bool| match bare {
                true => {
                    let all: Vec<&Output> = self.batches.iter().flatten().collect();
                    bare::write(hosts, &format!("{prefix}bare{round}"), codec, &all, &self.set, &self.threads())
                }
                false => self.publish(&bus, &format!("w{round}"), &format!("out{round}"), &self.batches),
            };
            let (one, two) = (write(first), write(!first));
            let pair = if first { [one, two] } else { [two, one] };
            for name in &targets {
                bus.delete_topic(name).unwrap();
            }
            if round > 0 {
                report.wrote(pair);
            }
        }
        bus.delete_topic(ARTEFACTS).unwrap();
        report.print()
    }

    fn does(&self, what: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == what)
    }

    /// Small transactions, as many as make the broker's virtual machine compile what they need.
    fn warm_up(&self, bus: &Bus) {
        let spec = TopicSpec { name: "warm".into(), partitions: PARTITIONS, cleanup: Cleanup::Delete };
        bus.ensure(std::slice::from_ref(&spec)).unwrap();
        let few: Vec<Vec<Output>> = self.batches[0].chunks(WARMING).map(<[_]>::to_vec).collect();
        let batches: Vec<Vec<Output>> = few.into_iter().cycle().take(TRANSACTIONS).collect();
        self.publish(bus, "warm", "warm", &batches);
        bus.delete_topic("warm").unwrap();
    }

    fn threads(&self) -> Threads {
        Threads::now(self.broker)
    }

    /// By a member, from its first batch to its last record.
    fn read(&self, bus: &Bus, group: &str) -> Measured {
        let before = self.threads();
        let (mut reader, _writer) = bus.join(group, "bench", &[ARTEFACTS]).unwrap();
        let (mut began, mut bytes, mut seen) = (None, 0, 0);
        while seen < self.records {
            let Event::Records(records) = reader.poll(Duration::from_secs(5)).unwrap() else { continue };
            seen += records.len();
            match began {
                None => began = Some(Instant::now()),
                Some(_) => {
                    bytes += records.iter().map(|d| d.record.value.as_ref().map_or(0, |v| v.len())).sum::<usize>()
                }
            }
        }
        Measured::new(bytes, began.unwrap(), &before)
    }

    /// Publishes of a member that reads nothing, but covers what it could read.
    fn publish(&self, bus: &Bus, group: &str, topic: &str, batches: &[Vec<Output>]) -> Measured {
        let (mut reader, mut writer) = bus.join(group, "bench", &["in"]).unwrap();
        let owned = loop {
            if let Event::Assigned(owned) = reader.poll(Duration::from_secs(5)).unwrap() {
                break owned;
            }
        };
        let cover = |a: &bus::Assignment| Cover { topic: "in".into(), partition: a.partition, next: 0, epoch: a.epoch };
        let to = |o: &Output| Output { topic: topic.to_owned(), ..o.clone() };
        let batch = |outputs: &Vec<Output>| Batch {
            outputs: outputs.iter().map(to).collect(),
            covers: owned.iter().map(cover).collect(),
        };
        let records: usize = batches.iter().map(Vec::len).sum();
        let batches: Vec<Batch> = batches.iter().map(batch).collect();
        let before = self.threads();
        let began = Instant::now();
        for batch in &batches {
            writer.publish(batch).unwrap();
        }
        Measured::new(records * pages::BODY, began, &before)
    }

    /// Bodies a second of the whole process; none where it is not installed.
    fn kcat(&self, hosts: &str, topic: &str) -> Option<f64> {
        let began = Instant::now();
        let arguments = ["-C", "-b", hosts, "-t", topic, "-o", "beginning", "-e", "-q"];
        let mut kcat = Command::new("kcat");
        let kcat = kcat.args(arguments).args(["-X", "isolation.level=read_committed"]).stdout(Stdio::null());
        let done = kcat.status().ok()?.success();
        done.then(|| (self.records * pages::BODY) as f64 / 1e6 / began.elapsed().as_secs_f64())
    }
}

fn outputs(bodies: &[Vec<u8>]) -> Vec<Output> {
    bodies.iter().enumerate().map(|(n, body)| crawled::output(n, body.clone())).collect()
}
