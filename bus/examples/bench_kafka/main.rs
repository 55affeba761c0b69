//! How fast is the bus on Kafka, beside bare rdkafka loops and kcat, in one run on one broker?
//!
//! `cargo xtask bench bus --bus kafka [-- --rounds N --mb N --pages FOLDER]` starts a broker and runs this; by hand it is
//! `bench_kafka URL` with the same flags.
//!
//! Records are artefacts with bodies of 10 KB cut from real pages, in 16 partitions, once packed with zstd and once not at
//! all. Read: by a member of a group, from its first record to its last, beside a bare consumer's loop; `kcat -C` is a whole
//! process. Written: publishes of 1,000 records, each of which covers 16 partitions and is durable when it returns, beside a
//! bare producer with acks=all and no transaction that is flushed once, at the end. All take turns in each round; the first
//! round warms up, medians count. Rates are of bodies. Ends with 1 when a goal is missed.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

mod bare;
mod pages;
mod report;
mod threads;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bus::payload::{Artefact, HttpHeaders};
use bus::topic::{ARTEFACTS, PARTITIONS};
use bus::{Batch, Bus, Cleanup, Cover, Event, Options, Output, TopicSpec};
use report::{Measured, Report};
use threads::Threads;

/// Records of one publish.
const BATCH: usize = 1_000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let url = args.next().expect("usage: bench_kafka URL [--rounds N] [--mb N] [--pages FOLDER] [--broker-pid PID]");
    let (mut rounds, mut megabytes, mut folder, mut broker) = (5, 300, pages::documentation(), None);
    while let (Some(flag), Some(value)) = (args.next(), args.next()) {
        match flag.as_str() {
            "--rounds" => rounds = value.parse().unwrap(),
            "--mb" => megabytes = value.parse().unwrap(),
            "--pages" => folder = value.into(),
            "--broker-pid" => broker = Some(value.parse().unwrap()),
            other => panic!("unknown flag {other}"),
        }
    }
    let bodies = pages::cuts(&folder, megabytes * 1_000_000);
    let batches: Vec<Vec<Output>> = bodies.chunks(BATCH).map(outputs).collect();
    println!("{} records of 10 KB, pages of {}", bodies.len(), folder.display());
    let bench = Bench { url: url.trim_end_matches('/').to_owned(), rounds, batches, records: bodies.len(), broker };
    let good = ["zstd", "none"].map(|codec| bench.measure(codec));
    if good == [true, true] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    url: String,
    rounds: usize,
    batches: Vec<Vec<Output>>,
    records: usize,
    broker: Option<u32>,
}

impl Bench {
    /// True when the goals are met.
    fn measure(&self, codec: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("properties");
        std::fs::write(&config, format!("compression.type={codec}\n")).unwrap();
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
        for round in 0..=self.rounds {
            eprintln!("{codec}: round {round} of {}", self.rounds);
            let full = format!("{prefix}{ARTEFACTS}");
            // the two that are compared stand side by side, in turns
            let read = |bare: bool| match bare {
                true => bare::read(hosts, &full, self.records, &self.threads()),
                false => self.read(&bus, &format!("g{round}")),
            };
            let first = round % 2 == 0;
            let (one, two) = (read(first), read(!first));
            let (loop_, member) = if first { (one, two) } else { (two, one) };
            let kcat = self.kcat(hosts, &full);
            let targets = [format!("bare{round}"), format!("out{round}")];
            bus.ensure(&targets.each_ref().map(|name| spec(name))).unwrap();
            let write = |bare: bool| match bare {
                true => {
                    let all: Vec<&Output> = self.batches.iter().flatten().collect();
                    bare::write(hosts, &format!("{prefix}bare{round}"), codec, &all, &self.threads())
                }
                false => self.publish(&bus, &format!("w{round}"), &format!("out{round}")),
            };
            let (one, two) = (write(first), write(!first));
            let (producer, publish) = if first { (one, two) } else { (two, one) };
            for name in &targets {
                bus.delete_topic(name).unwrap();
            }
            if round > 0 {
                report.add([loop_, member, producer, publish], kcat);
            }
        }
        bus.delete_topic(ARTEFACTS).unwrap();
        report.print()
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
    fn publish(&self, bus: &Bus, group: &str, topic: &str) -> Measured {
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
        let batches: Vec<Batch> = self.batches.iter().map(batch).collect();
        let before = self.threads();
        let began = Instant::now();
        for batch in &batches {
            writer.publish(batch).unwrap();
        }
        Measured::new(self.records * pages::BODY, began, &before)
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

/// What a crawl writes: artefacts with all their headers, hosts in turn.
fn outputs(bodies: &[Vec<u8>]) -> Vec<Output> {
    let artefact = |n: usize, body: &Vec<u8>| Artefact {
        id: uuid::Uuid::now_v7(),
        source: "spider/main".into(),
        url: format!("http://host{}.example/a/page/of/usual/length-{n:06}.html", n % 64),
        crawl: "main".into(),
        status: Some(200),
        content_type: Some("text/html".into()),
        http_headers: HttpHeaders("content-type: text/html\r\nserver: nginx\r\netag: \"0123456789\"\r\n".into()),
        body: body.clone().into(),
        sha256: "0".repeat(64),
        ..Artefact::default()
    };
    let output = |(n, body): (usize, &Vec<u8>)| Output {
        topic: ARTEFACTS.into(),
        partition: (n % 64) as u32 % PARTITIONS,
        record: artefact(n, body).into_record(),
    };
    bodies.iter().enumerate().map(output).collect()
}
