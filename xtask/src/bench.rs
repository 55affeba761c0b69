//! `bench`: which benchmarks there are, and how each is run.

mod broker;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

use crate::line::Line;
use crate::services::jars;
use crate::workspace::{Workspace, cargo};
use crate::{exit, process};
use broker::Broker;

/// Runs a benchmark; each prints ratios against a peer that is measured in the same run
///
/// Run it on a quiet machine. What each one measures, and how, stands at the top of its source: bus/examples/bench_bus.rs,
/// bench/src/line.rs and crawl.rs, etl/examples/bench_stage.rs, bench_extract.rs and bench_upload.rs,
/// mining/examples/bench_graph.rs, and bench/mine.py; on Kafka, bus/examples/bench_kafka and etl/examples/bench_stage_kafka.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Which one
    #[arg(value_enum)]
    name: Name,
    /// Which bus, for `bus` and `stage`; for kafka a broker is started, and removed in the end
    #[arg(long, value_enum, default_value_t = Bus::Embedded)]
    bus: Bus,
    /// Folder on the disk to measure, for `bus` [default: below the target folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Further arguments for the benchmark itself, after `--`
    #[arg(last = true, value_name = "ARG")]
    rest: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Embedded log: durable writes and reads beside a bare rusqlite loop and dd. Kafka: beside bare rdkafka loops and kcat
    Bus,
    /// Crawl: pages/s and CPU-ms a page beside a bare loop and the spider crate, over Debian's documentation by nginx
    Line,
    /// Crawl on Kafka, pages/s beside the same crawl on the embedded log, over Debian's documentation by nginx
    Crawl,
    /// Stage: MB per CPU-second and peak memory, beside writing the same rows to Parquet. Kafka: MB/s, also beside a bare
    /// rdkafka loop and Spark Structured Streaming
    Stage,
    /// Extract: MB per CPU-second and peak memory, beside parsing with scraper alone
    Extract,
    /// Miners: beside scikit-learn, scipy, datasketch, rensa, DuckDB, Polars and Spark on 1, 3 and 10 times Debian's documentation
    Mine,
    /// Link graph of 20 million nodes and 500 million edges in 1 GiB; after `--`: --nodes, --edges, --memory, --check
    Graph,
    /// Upload: documents per CPU-second beside a Python script, and per second beside a bare loop of the driver
    Upload,
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bus {
    Embedded,
    Kafka,
}

impl Name {
    /// What is built, the benchmark itself first.
    fn targets(self, bus: Bus) -> &'static [&'static str] {
        match self {
            Name::Bus if bus == Bus::Kafka => &["example:bench_kafka"],
            Name::Stage if bus == Bus::Kafka => &["example:bench_stage_kafka", "etl"],
            Name::Crawl => &["bench", "spider"],
            Name::Bus => &["example:bench_bus"],
            Name::Line => &["bench", "spider"],
            Name::Stage => &["example:bench_stage", "etl"],
            Name::Extract => &["example:bench_extract", "etl"],
            Name::Mine => &["mine", "etl", "example:bench_bare", "example:bench_graph"],
            Name::Graph => &["example:bench_graph"],
            Name::Upload => &["example:bench_upload", "etl"],
        }
    }
}

impl Bench {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        anyhow::ensure!(
            self.bus == Bus::Embedded || matches!(self.name, Name::Bus | Name::Stage | Name::Crawl),
            "only `bus`, `stage` and `crawl` are measured on Kafka"
        );
        let workspace = Workspace::find()?;
        let targets = self.name.targets(self.bus);
        let build = workspace.build(targets);
        build.line.print();
        let executables = build.run()?;
        let own = targets.first().map_or("", |name| name.trim_start_matches("example:"));
        let broker = match (self.name, self.bus) {
            (Name::Crawl, _) | (_, Bus::Kafka) => Some(Broker::start(&workspace)?),
            _ => None,
        };
        let line = Line::new(&executables[own]).dir(&workspace.root);
        let line = match (self.name, &broker) {
            (Name::Crawl, Some(broker)) => {
                line.arg("crawl").arg("--spider").arg(&executables["spider"]).args(["--kafka", broker.url()])
            }
            (Name::Stage, Some(broker)) => broker.counted(with_spark(line.arg(broker.url()), &workspace)),
            (_, Some(broker)) => broker.counted(line.arg(broker.url())),
            (_, None) => self.alone(line, &executables, &workspace)?,
        };
        let line = line.args(&self.rest);
        line.print();
        process::run_well(&line)?;
        Ok(exit::DONE)
    }

    /// The line of a benchmark that needs no broker.
    fn alone(
        &self,
        line: Line,
        executables: &BTreeMap<String, PathBuf>,
        workspace: &Workspace,
    ) -> anyhow::Result<Line> {
        Ok(match self.name {
            Name::Line => {
                let line = line.arg("line").arg("--spider").arg(&executables["spider"]);
                match peer(workspace)? {
                    Some(peer) => line.arg("--peer").arg(peer),
                    None => line,
                }
            }
            Name::Bus => {
                let dir = self.dir.clone().unwrap_or_else(|| workspace.target.join("bench"));
                std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
                line.arg(&dir)
            }
            Name::Mine => {
                let python = python(workspace)?;
                let line = Line::new(python).arg("bench/mine.py").arg(&executables["mine"]).arg(&executables["etl"]);
                let line = line.arg("--bare").arg(&executables["bench_bare"]);
                let line = line.arg("--graph").arg(&executables["bench_graph"]);
                match pyspark(workspace) {
                    Ok(python) => line.arg("--spark").arg(python),
                    Err(error) => {
                        eprintln!("{error:#}");
                        line
                    }
                }
            }
            Name::Graph => {
                let folder = workspace.target.join("bench");
                std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
                line.arg("--folder").arg(folder)
            }
            Name::Upload if !self.rest.iter().any(|arg| arg == "--python") => {
                match python_with(workspace, "python-upload", &["pyarrow", "zstandard", "pymongo"]) {
                    Ok(python) => line.arg("--python").arg(python),
                    // the benchmark says that its peer was not run
                    Err(error) => {
                        eprintln!("{error:#}");
                        line
                    }
                }
            }
            Name::Stage | Name::Extract | Name::Upload | Name::Crawl => line,
        })
    }
}

/// With Spark as a peer, where it can be had: the benchmark says that it was not run where it cannot.
fn with_spark(line: Line, workspace: &Workspace) -> Line {
    let spark = || anyhow::Ok((pyspark(workspace)?, jars::spark()?));
    match spark() {
        Ok((python, jars)) => line.arg("--spark").arg(python).arg("--spark-jars").arg(jars.join("lib")),
        Err(error) => {
            eprintln!("{error:#}");
            line
        }
    }
}

/// A Python with Spark, in a folder of ours, made once.
fn pyspark(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    python_with(workspace, "python-spark-2", &["pyspark==4.2.0", "numpy"])
}

/// A Python with the miners' peers, in a folder of ours, made once.
pub(crate) fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    const PEERS: [&str; 11] = [
        "numpy",
        "scipy",
        "scikit-learn",
        "networkx",
        "datasketch",
        "rensa",
        "duckdb",
        "duckdb-cli",
        "polars",
        "pyarrow",
        "uniseg",
    ];
    python_with(workspace, "python-mining-3", &PEERS)
}

/// A Python with these packages, in a folder of ours, made once.
fn python_with(workspace: &Workspace, name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let own = workspace.target.join(name);
    let python = own.join("bin/python3");
    if !own.join("complete").is_file() {
        let make = Line::new("python3").args(["-m", "venv"]).arg(&own);
        let install = Line::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages);
        for line in [make, install] {
            line.print();
            process::run_well(&line)?;
        }
        std::fs::write(own.join("complete"), "").with_context(|| format!("cannot write in {}", own.display()))?;
    }
    Ok(python)
}

/// The crate `spider` as a peer: a workspace of its own, built once into a folder of its own.
fn peer(workspace: &Workspace) -> anyhow::Result<Option<PathBuf>> {
    let target = workspace.target.join("peer-spider");
    let line = cargo().args(["build", "--release", "--manifest-path", "bench/peer-spider/Cargo.toml", "--target-dir"]);
    let line = line.arg(&target).dir(&workspace.root);
    line.print();
    if process::run(&line)?.success() {
        return Ok(Some(target.join("release/peer-spider")));
    }
    eprintln!("not run: the peer `spider`: it does not build here (its dependencies come from the network)");
    Ok(None)
}
