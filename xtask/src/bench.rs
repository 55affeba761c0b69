//! `bench`: which benchmarks there are, and how each is run.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::workspace::{Workspace, cargo};
use crate::{exit, process};

/// Runs a benchmark; each prints ratios against a peer that is measured in the same run
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Which one
    #[arg(value_enum)]
    name: Name,
    /// Folder on the disk to measure, for `bus` and `stage` [default: a new one below the target folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Further arguments for the benchmark itself, after `--`
    #[arg(last = true, value_name = "ARG")]
    rest: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Embedded log: durable writes and reads beside a bare rusqlite loop and dd
    Bus,
    /// Crawl: pages/s and CPU-ms a page beside a bare loop and the spider crate, over Debian's documentation by nginx
    Line,
    /// Stage: MB per CPU-second and peak memory
    Stage,
    /// Extract: MB per CPU-second beside scraper parsing alone
    Extract,
}

impl Bench {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        let workspace = Workspace::find()?;
        let dir = self.dir.clone().unwrap_or_else(|| workspace.target.join("bench"));
        let run = cargo().args(["run", "--release"]).dir(&workspace.root);
        let line = match self.name {
            Name::Bus => run.args(["-p", "bus", "--example", "bench_bus", "--"]).arg(&dir),
            Name::Stage => run.args(["-p", "etl", "--example", "bench_stage", "--"]).arg(&dir),
            Name::Extract => run.args(["-p", "etl", "--example", "bench_extract", "--"]),
            Name::Line => {
                let build = workspace.build(&["spider", "etl", "mine"]);
                build.line.print();
                build.run()?;
                run.args(["-p", "bench", "--", "line"])
            }
        };
        std::fs::create_dir_all(&dir)?;
        let line = line.args(&self.rest);
        line.print();
        process::run_well(&line)?;
        Ok(exit::DONE)
    }
}
