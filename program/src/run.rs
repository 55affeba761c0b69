//! From `main` to an exit code: parse, configure, log, run, report the error in one line.

use std::backtrace::BacktraceStatus;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::error::ErrorKind;

use crate::settings::{self, Refusal};
use crate::{Common, Exit, Misuse, Shutdown, builtin, log, panic, progress};

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
///
/// Wrong usage ends with 2, an error with 1 or what [`Program::exit_of`] says, each told in one line on standard error. A
/// panic on any thread ends the process with 1. A closed standard output (`… | head`) ends it quietly.
pub fn main<P: Program>() -> ExitCode {
    panic::install(P::NAME);
    let code = match parse::<P>() {
        Ok(Parsed::Program(program)) => {
            let verbose = program.common().verbose;
            let ended = start(program.common()).and_then(|shutdown| program.run(shutdown));
            end::<P>(ended.and_then(flushed), verbose)
        }
        Ok(Parsed::Builtin(ended)) => end::<P>(ended.and_then(flushed), 0),
        Err(Refusal::Clap(error)) => {
            // To standard output for --help and --version, else to standard error. Neither may be there any more.
            drop(error.print());
            if error.use_stderr() { Exit::USAGE } else { Exit::Done.code() }
        }
        Err(Refusal::Misuse(misuse)) => end::<P>(Err(misuse.into()), 0),
    };
    ExitCode::from(code)
}

enum Parsed<P> {
    Program(P),
    Builtin(anyhow::Result<Exit>),
}

/// From the command line, the environment and the configuration file to the program's own arguments.
fn parse<P: Program>() -> Result<Parsed<P>, Refusal> {
    let command = builtin::command::<P>();
    let argv: Vec<OsString> = std::env::args_os().collect();
    let matches = match command.clone().try_get_matches_from(&argv) {
        Ok(matches) => matches,
        // What is missing may come from outside.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            command.clone().ignore_errors(true).try_get_matches_from(&argv)?
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(ended) = builtin::run(&command, &argv, &matches)? {
        return Ok(Parsed::Builtin(ended));
    }
    let mut matches = settings::resolve(&command, &argv, &matches)?;
    let program = P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command.clone()))?;
    Ok(Parsed::Program(program))
}

fn flushed(exit: Exit) -> anyhow::Result<Exit> {
    io::stdout().flush().context("cannot write to standard output")?;
    Ok(exit)
}

fn end<P: Program>(ended: anyhow::Result<Exit>, verbose: u8) -> u8 {
    ended.map_or_else(|error| report::<P>(&error, verbose), Exit::code)
}

/// Logging, progress and signals, in this order: a signal that comes early is drained and logged as any other.
fn start(common: &Common) -> anyhow::Result<Shutdown> {
    common.check()?;
    progress::enable(common);
    log::start(common)?;
    let shutdown = Shutdown::default();
    shutdown.listen()?;
    Ok(shutdown)
}

/// Prints an error, and gives its exit code.
fn report<P: Program>(error: &anyhow::Error, verbose: u8) -> u8 {
    if is_broken_pipe(error) {
        return Exit::Done.code();
    }
    log::print_error(P::NAME, &line(error));
    if verbose > 1 && error.backtrace().status() == BacktraceStatus::Captured {
        progress::aside(|| writeln!(io::stderr(), "{}", error.backtrace())).unwrap_or_default();
    }
    if let Some(exit) = P::exit_of(error) {
        return exit.code();
    }
    if error.chain().any(|cause| cause.is::<Misuse>()) { Exit::USAGE } else { Exit::FAILED }
}

/// An error and its causes in one line; a cause that the error before it already ends with is not said twice.
fn line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line = line + ": " + &cause;
        }
    }
    line
}

/// True when the reader of standard output went away, as `head` does: nothing is wrong then. A broken connection to a
/// server is the same kind of error, so standard output itself is asked.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        // serde_json keeps what went wrong below it to itself
        let json = || cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or_else(json) == Some(io::ErrorKind::BrokenPipe)
    };
    if !error.chain().any(broken) {
        return false;
    }
    let stdout = io::stdout();
    let mut fds = [PollFd::new(&stdout, PollFlags::OUT)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::ERR)
}

/// Ends the process here and now, from whichever thread.
pub(crate) fn leave(code: u8) -> ! {
    signal_hook::low_level::exit(i32::from(code))
}
