//! Benchmarks that need a peer beside the program: `bench line`, and the bare loop that it compares with.
//!
//! Run through `cargo xtask bench line`, which builds the executables first. Every figure is a ratio against a peer
//! measured in the same run.

mod bare;
mod child;
mod line;
mod nginx;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["line", rest @ ..] => line::run(rest),
        ["bare", url, concurrency] => bare::run(url, concurrency),
        _ => {
            eprintln!("usage: bench line [--rounds N] [--spider FILE] [--peer FILE] | bench bare URL CONCURRENCY");
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
