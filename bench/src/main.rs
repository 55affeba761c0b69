//! Benchmarks that need a peer beside the program: `bench line`, the bare loop that it compares with, and `bench crawl`.
//!
//! Run through `cargo xtask bench line` and `crawl`, which build the executables first. Every figure is a ratio against a peer
//! measured in the same run.

mod bare;
mod child;
mod crawl;
mod line;
mod nginx;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Benchmarks that need a peer beside the program")]
enum Bench {
    /// Crawl beside a bare loop and the crate `spider`
    Line(line::Flags),
    /// The bare loop
    Bare {
        /// Where it begins
        url: String,
        /// Requests at once
        concurrency: usize,
    },
    /// Crawl on Kafka beside the embedded log
    Crawl(crawl::Flags),
}

fn main() -> ExitCode {
    let result = match Bench::parse() {
        Bench::Line(flags) => line::run(&flags),
        Bench::Bare { url, concurrency } => bare::run(&url, concurrency),
        Bench::Crawl(flags) => crawl::run(&flags),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
