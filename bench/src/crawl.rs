//! `bench crawl`: the same crawl on Kafka and on the embedded log, over real documentation on nginx.
//!
//! A page is a fetch that was answered, whatever its status: both fetch the same URLs. Delays off, 64 connections, a new data
//! directory and new topics each time; one warm-up round, then the median of the rounds, in which the two take turns. What a
//! crawl takes for joining, and for its end, is in it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::child::{Measured, measure, median};
use crate::line;
use crate::nginx::Nginx;

const GOAL: f64 = 0.8;

/// Flags of this benchmark.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Rounds that count
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// The spider's executable
    #[arg(long, value_name = "FILE")]
    spider: PathBuf,
    /// A broker; `cargo xtask bench crawl` starts one and names it
    #[arg(long, value_name = "URL")]
    kafka: String,
}

/// Runs on one bus: what was measured, and pages.
type Runs = Vec<(Measured, f64)>;

/// Measures and prints.
pub fn run(flags: &Flags) -> Result<()> {
    let work = tempfile::tempdir()?;
    let root = work.path().join("www");
    line::make_root(&root)?;
    let nginx = Nginx::start(&root, work.path())?;
    let (mut embedded, mut kafka) = (Runs::new(), Runs::new());
    for round in 0..=flags.rounds {
        let data = work.path().join("data");
        let bus = format!("{}/crawl-{}-{round}.", flags.kafka.trim_end_matches('/'), std::process::id());
        for on_kafka in [round % 2 == 0, round % 2 == 1] {
            let name = if on_kafka { "on Kafka" } else { "on the embedded log" };
            let (m, pages) = one(&flags.spider, &nginx.url(), &data, on_kafka.then_some(&bus))?;
            eprintln!("round {round} {name}: {pages} pages, {:.2} s, {:.2} CPU-s", m.wall, m.cpu);
            if round > 0 {
                if on_kafka { &mut kafka } else { &mut embedded }.push((m, pages));
            }
        }
    }
    report(&embedded, &kafka)
}

fn one(spider: &Path, url: &str, data: &Path, bus: Option<&String>) -> Result<(Measured, f64)> {
    let mut command = line::crawl(spider, url, data);
    if let Some(bus) = bus {
        command.args(["--bus", bus]);
    }
    let m = measure(&mut command)?;
    std::fs::remove_dir_all(data)?;
    let pages = line::pages("spider crawl", &m)?;
    Ok((m, pages))
}

fn report(embedded: &Runs, kafka: &Runs) -> Result<()> {
    println!("{:<22} {:>8} {:>9} {:>12} {:>10}", "", "pages", "pages/s", "CPU-ms/page", "wall s");
    for (name, runs) in [("on the embedded log", embedded), ("on Kafka", kafka)] {
        let of = |what: fn(&(Measured, f64)) -> f64| median(runs.iter().map(what).collect());
        let (pages, rate) = (of(|r| r.1), of(|r| r.1 / r.0.wall));
        let (cpu, wall) = (of(|r| r.0.cpu * 1000.0 / r.1), of(|r| r.0.wall));
        println!("{name:<22} {pages:>8.0} {rate:>9.0} {cpu:>12.2} {wall:>10.2}");
    }
    let pairs = embedded.iter().zip(kafka);
    let ratio = median(pairs.map(|(log, kafka)| (kafka.1 / kafka.0.wall) / (log.1 / log.0.wall)).collect());
    println!("where the time of a crawl goes, CPU-ms/page by thread, embedded log and Kafka:");
    let names = embedded.iter().chain(kafka).flat_map(|(m, _)| m.threads.keys().map(|name| group(name)));
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        let cpu = |runs: &Runs| {
            let of = |m: &Measured| m.threads.iter().filter(|(n, _)| group(n) == name).map(|(_, cpu)| cpu).sum::<f64>();
            median(runs.iter().map(|(m, pages)| of(m) * 1000.0 / pages).collect())
        };
        println!("{:>8.3} {:>8.3}  {name}", cpu(embedded), cpu(kafka));
    }
    let verdict = if ratio >= GOAL { "reached" } else { "MISSED" };
    println!("crawl on Kafka / on the embedded log: {:.0} % (goal {:.0} %: {verdict})", ratio * 100.0, GOAL * 100.0);
    anyhow::ensure!(ratio >= GOAL, "the goal is missed");
    Ok(())
}

/// librdkafka has a thread for each broker and client.
fn group(thread: &str) -> &str {
    if thread.starts_with("rdk:") { "librdkafka" } else { thread }
}
