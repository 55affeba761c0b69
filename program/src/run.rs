//! From `main` to an exit code: parse, configure, log, run, report the error in one line.

use std::process::ExitCode;

use crate::{Common, Exit, Shutdown};

/// An executable's command line.
pub trait Program: clap::Parser {
    /// Name of the executable, and of its table in kafkaspider.toml.
    const NAME: &'static str;

    /// The shared flags.
    fn common(&self) -> &Common;

    /// Runs the command.
    fn run(self, shutdown: Shutdown) -> anyhow::Result<Exit>;

    /// Exit code of an error; programs map their own (for example a busy lock to 75).
    fn exit_of(_error: &anyhow::Error) -> Option<Exit> {
        None
    }
}

/// Whole life of an executable. Also serves `config show`, `completions SHELL` and `manual DIR` for each of them.
pub fn main<P: Program>() -> ExitCode {
    todo!()
}
