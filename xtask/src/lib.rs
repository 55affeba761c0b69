//! The workspace's own chores: demo, serve, test, bench, services, chaos, ci, docs.
//!
//! Nothing here is reached by a program. It stays cheap to build (no Polars, no HTTP client), since whoever clones the
//! repository waits for it first. Every process that a chore starts is stopped by its own id when the chore ends,
//! whatever the reason; the first Ctrl-C is passed on to it, so that it drains.

mod bench;
mod chaos;
mod ci;
mod cli;
mod clock;
mod demo;
mod docs;
mod interrupt;
mod line;
mod long;
mod process;
mod serve;
pub mod services;
mod suite;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// Exit codes, as every executable of the project has them.
pub(crate) mod exit {
    pub(crate) const DONE: u8 = 0;
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const PARTLY: u8 = 3;
    pub(crate) const BUSY: u8 = 75;
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// Parses, runs, reports the error in one line, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let ended = interrupt::listen().and_then(|()| cli.run());
    match ended {
        _ if interrupt::count() > 0 => ExitCode::from(exit::INTERRUPTED),
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::from(exit::FAILED)
        }
    }
}
