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

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["line", rest @ ..] => line::run(rest),
        ["crawl", rest @ ..] => crawl::run(rest),
        ["bare", url, concurrency] => bare::run(url, concurrency),
        _ => {
            eprintln!(
                "usage: bench line [--rounds N] [--spider FILE] [--peer FILE] | bench bare URL CONCURRENCY | \
                 bench crawl --kafka URL [--rounds N] [--spider FILE]"
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: error: {e:#}");
            ExitCode::FAILURE
        }
    }
}
