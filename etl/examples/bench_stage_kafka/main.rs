//! `etl stage --once` on Kafka beside a bare consumer's loop, beside writing the rows that it has staged to Parquet from
//! memory, and beside Spark Structured Streaming, in one run on one broker.
//!
//! `cargo xtask bench stage --bus kafka [-- --runs N --mb N --pages FOLDER --codecs zstd,none]` starts a broker, fetches Spark, and runs this; by
//! hand it is `bench_stage_kafka URL [--spark PYTHON --spark-jars FOLDER] …`.
//!
//! Records are artefacts with bodies of 10 KB cut from real pages, in 16 partitions, once packed with zstd and once not at
//! all. Each run fills a topic of its own. Stage is a whole process; what it takes for a topic of 16 records (connecting,
//! joining its group, sealing, ending) is measured too, and is set apart from the rate that is compared. Medians of the runs.
//! Rates are of bodies. Ends with 1 when a goal is missed.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

#[path = "../../../bus/examples/bench_kafka/bare.rs"]
#[allow(dead_code, reason = "it only reads")]
mod bare;
#[path = "../bench/mod.rs"]
mod bench;
mod memory;
#[path = "../../../bus/examples/bench_kafka/pages.rs"]
mod pages;
#[path = "../../../bus/examples/bench_kafka/report.rs"]
#[allow(dead_code, reason = "one measurement and the median")]
mod report;
mod spark;
#[path = "../../../bus/examples/bench_kafka/threads.rs"]
mod threads;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bus::topic::{self, ARTEFACTS, PARTITIONS};
use bus::{Bus, Options, Output};
use report::median;
use threads::Threads;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let url = args.next().expect(
        "usage: bench_stage_kafka URL [--runs N] [--mb N] [--pages FOLDER] [--codecs zstd,none] [--spark PYTHON --spark-jars FOLDER]",
    );
    let (mut runs, mut megabytes, mut folder) = (3, 500, pages::documentation());
    let (mut python, mut jars, mut broker) = (None, PathBuf::new(), None);
    let mut codecs = "zstd,none".to_owned();
    while let (Some(flag), Some(value)) = (args.next(), args.next()) {
        match flag.as_str() {
            "--runs" => runs = value.parse().unwrap(),
            "--mb" => megabytes = value.parse().unwrap(),
            "--pages" => folder = value.into(),
            "--codecs" => codecs = value,
            "--spark" => python = Some(PathBuf::from(value)),
            "--spark-jars" => jars = value.into(),
            "--broker-pid" => broker = Some(value.parse().unwrap()),
            other => panic!("unknown flag {other}"),
        }
    }
    let bodies = pages::cuts(&folder, megabytes * 1_000_000);
    println!("{} records of 10 KB, pages of {}", bodies.len(), folder.display());
    let bench =
        Bench { url: url.trim_end_matches('/').to_owned(), runs, bodies, broker, spark: python.zip(Some(jars)) };
    let good: Vec<bool> = codecs.split(',').map(|codec| bench.measure(codec)).collect();
    if good.iter().all(|good| *good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Bench {
    url: String,
    runs: usize,
    bodies: Vec<Vec<u8>>,
    broker: Option<u32>,
    spark: Option<(PathBuf, PathBuf)>,
}

/// What one `etl stage --once` has said of itself.
struct Staged {
    seconds: f64,
    cpu: f64,
    broker: f64,
    peak: f64,
}

impl Bench {
    /// True when the goals are met.
    fn measure(&self, codec: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("properties");
        std::fs::write(&config, format!("compression.type={codec}\n")).unwrap();
        let megabytes = (self.bodies.len() * pages::BODY) as f64 / 1e6;
        let hosts = self.url.trim_start_matches("kafka://");
        let (mut bare, mut memory, mut staged, mut small) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut spark = None;
        let pid = std::process::id();
        for run in 0..=self.runs {
            eprintln!("{codec}: run {run} of {}", self.runs);
            let fill = |name: &str, bodies: &[Vec<u8>]| {
                let url = format!("{}/{codec}{run}{name}-{pid}.", self.url);
                fill(&url, &config, bodies);
                url
            };
            let few = fill("small", &self.bodies[..PARTITIONS as usize]);
            let ended = self.stage(&few, &folder.path().join("small"));
            delete(&few, &config);
            let url = fill("", &self.bodies);
            let full = format!("{codec}{run}-{pid}.{ARTEFACTS}");
            let read = bare::read(hosts, &full, self.bodies.len(), &[], &Threads::now(self.broker));
            let data = folder.path().join("data");
            let done = self.stage(&url, &data);
            let seconds = memory::write(&data, &folder.path().join("alone.parquet"));
            if run > 0 {
                bare.push(megabytes / read.rate);
                memory.push(seconds);
                staged.push(done);
                small.push(ended);
            }
            std::fs::remove_dir_all(&data).unwrap();
            if let Some((python, jars)) = &self.spark
                && run == self.runs
            {
                spark = spark::run(python, jars, hosts, &full, &folder.path().join("spark"), self.bodies.len());
            }
            delete(&url, &config);
        }
        self.tell(codec, megabytes, [&bare, &memory], &staged, &small, spark)
    }

    /// Runs the executable; its data directory is removed when it is a small one.
    fn stage(&self, url: &str, data: &Path) -> Staged {
        let broker = Threads::now(self.broker);
        let done = bench::etl(data, &["stage", "--once", "--bus", url]).unwrap();
        let number = |name: &str| done[name].as_f64().unwrap_or(f64::NAN);
        let broker = broker.since().get("broker").copied().unwrap_or(f64::NAN);
        if data.ends_with("small") {
            std::fs::remove_dir_all(data).unwrap();
        }
        Staged { seconds: number("seconds"), cpu: number("cpu_seconds"), broker, peak: number("peak_memory") }
    }

    fn tell(
        &self,
        codec: &str,
        megabytes: f64,
        peers: [&[f64]; 2],
        staged: &[Staged],
        small: &[Staged],
        spark: Option<spark::Ran>,
    ) -> bool {
        let of = |all: &[Staged], what: fn(&Staged) -> f64| median(all.iter().map(what));
        let [bare, memory] = peers.map(|seconds| median(seconds.iter().copied()));
        let (whole, ends) = (of(staged, |s| s.seconds), of(small, |s| s.seconds));
        let peak = staged.iter().map(|s| s.peak).fold(0.0, f64::max) / 1e6;
        let steady = whole - ends;
        let row = |what: &str, seconds: f64| println!("{what:<54}{:>8.2}{:>8.0}", seconds, megabytes / seconds);
        println!("\n{codec:<54}{:>8}{:>8}", "seconds", "MB/s");
        row("bare rdkafka consumer loop", bare);
        row("Parquet writing of the same rows from memory", memory);
        row("etl stage --once", steady);
        println!("{:<54}{ends:>8.2}", "… its start and end, measured on 16 records");
        let mut good = goal("of the slower of the two", bare.max(memory) / steady, 0.85);
        match spark {
            Some(spark) => {
                row("Spark Structured Streaming to Parquet, warm", spark.seconds);
                println!("{:<54}{:>8.2}", "… its session", spark.session);
                good &= goal("times Spark, stage as a whole process", spark.seconds / whole, 3.0);
                println!("{:.2} times Spark, both without start and end", spark.seconds / steady);
                println!("{:.2} times Spark, both as whole processes", (spark.session + spark.seconds) / whole);
            }
            None => println!("not run: Spark Structured Streaming: pyspark or its Kafka source is not there"),
        }
        let met = if peak <= 256.0 { "met" } else { "MISSED" };
        println!("peak memory of stage {peak:.0} MB, goal ≤ 256 {met}");
        println!(
            "where the time goes: stage {:.2} CPU-seconds, the broker {:.2}, of {:.2} seconds on {} cores",
            of(staged, |s| s.cpu),
            of(staged, |s| s.broker),
            whole,
            std::thread::available_parallelism().map_or(1, usize::from)
        );
        good && peak <= 256.0
    }
}

fn goal(what: &str, ratio: f64, goal: f64) -> bool {
    println!("{ratio:.2} {what}, goal ≥ {goal} {}", if ratio >= goal { "met" } else { "MISSED" });
    ratio >= goal
}

fn open(url: &str, config: &Path) -> Bus {
    Bus::open(url, &Options { config: Some(config.to_owned()), ..Options::default() }).unwrap()
}

fn fill(url: &str, config: &Path, bodies: &[Vec<u8>]) {
    let bus = open(url, config);
    bus.ensure(&[topic::artefacts(), topic::seals(), topic::dead_letters()]).unwrap();
    for (batch, bodies) in bodies.chunks(1_000).enumerate() {
        let output = |(n, body): (usize, &Vec<u8>)| Output {
            topic: ARTEFACTS.into(),
            partition: n as u32 % PARTITIONS,
            record: bench::artefact(&format!("http://host{}.example/{batch}/{n}.html", n % 64), body).into_record(),
        };
        let outputs: Vec<Output> = bodies.iter().enumerate().map(output).collect();
        bus.append(&outputs).unwrap();
    }
}

fn delete(url: &str, config: &Path) {
    open(url, config).delete_topic(ARTEFACTS).unwrap();
}
