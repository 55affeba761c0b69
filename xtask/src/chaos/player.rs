//! A program that is killed and started again, always with the same command line.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::Signal;

use crate::line::Line;
use crate::process::{self, Output, Process};

/// A process this young may not listen to signals yet.
const YOUNG: Duration = Duration::from_secs(5);

/// Spider or stager.
#[derive(Debug)]
pub(crate) struct Player {
    name: String,
    line: Line,
    log: PathBuf,
    process: Process,
    started: Instant,
    /// When it goes on, while it is suspended.
    until: Option<Instant>,
    /// How often it was killed.
    pub(crate) kills: usize,
    /// How often it was suspended.
    pub(crate) stops: usize,
}

impl Player {
    /// Starts it for the first time. Its output goes to `<folder>/<name>.log`.
    pub(crate) fn start(name: &str, line: Line, folder: &Path) -> anyhow::Result<Player> {
        let log = folder.join(format!("{name}.log"));
        let process = launch(&line, &log, 0)?;
        Ok(Player { name: name.into(), line, log, process, started: Instant::now(), until: None, kills: 0, stops: 0 })
    }

    /// Suspends it (SIGSTOP) for a while.
    pub(crate) fn suspend(&mut self, time: Duration) -> anyhow::Result<()> {
        if self.process.ended()?.is_none() && self.until.is_none() {
            self.process.signal(Signal::STOP);
            self.until = Some(Instant::now() + time);
            self.stops += 1;
        }
        Ok(())
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.until.is_some()
    }

    /// Lets it go on when the time has come; true when it did so now.
    pub(crate) fn resume(&mut self) -> bool {
        let due = self.until.is_some_and(|until| Instant::now() >= until);
        if due {
            self.until = None;
            self.process.signal(Signal::CONT);
        }
        due
    }

    /// Kills it (-9), reaps it, and starts it again.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.until = None;
        self.kills += 1;
        self.process = launch(&self.line, &self.log, self.kills)?;
        self.started = Instant::now();
        Ok(())
    }

    /// Whether it has ended by itself, well. Any other end is an error.
    pub(crate) fn is_done(&mut self) -> anyhow::Result<bool> {
        match self.process.ended()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => anyhow::bail!(
                "{} ended by itself after {} kills: {}; see {}",
                self.name,
                self.kills,
                process::told(status),
                self.log.display()
            ),
        }
    }

    /// Asks it to drain; what it was asked to do ends with 0 or, as it should on a signal, with 130. One that was only
    /// just started may not listen to signals yet, and dies of it.
    pub(crate) fn drain(mut self) -> anyhow::Result<()> {
        if self.until.take().is_some() {
            self.process.signal(Signal::CONT);
        }
        let young = self.started.elapsed() < YOUNG;
        let status = self.process.stop()?;
        let well = status.success() || status.code() == Some(i32::from(crate::exit::INTERRUPTED));
        let well = well || (young && status.code().is_none());
        anyhow::ensure!(well, "{} did not drain: {}; see {}", self.name, process::told(status), self.log.display());
        Ok(())
    }
}

fn launch(line: &Line, log: &Path, kills: usize) -> anyhow::Result<Process> {
    let file = File::options().create(true).append(true).open(log);
    let mut file = file.with_context(|| format!("cannot write {}", log.display()))?;
    writeln!(file, "# after {kills} kills").with_context(|| format!("cannot write {}", log.display()))?;
    Process::start(line, Output::File(file))
}
