//! A program that is killed and started again, always with the same command line.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::line::Line;
use crate::process::{self, Output, Process};

/// A process this young may not listen to signals yet.
const YOUNG: Duration = Duration::from_secs(5);

/// Spider or stager.
#[derive(Debug)]
pub(crate) struct Player {
    name: &'static str,
    line: Line,
    log: PathBuf,
    process: Process,
    started: Instant,
    /// How often it was killed.
    pub(crate) kills: usize,
}

impl Player {
    /// Starts it for the first time. Its output goes to `<folder>/<name>.log`.
    pub(crate) fn start(name: &'static str, line: Line, folder: &Path) -> anyhow::Result<Player> {
        let log = folder.join(format!("{name}.log"));
        let process = launch(&line, &log, 0)?;
        Ok(Player { name, line, log, process, started: Instant::now(), kills: 0 })
    }

    /// Kills it (-9), reaps it, and starts it again.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
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
