//! Processes: started in a group of their own, stopped by their own id when they are dropped, killed or interrupted.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use crate::interrupt;
use crate::line::Line;

/// How long a program may take to drain before it is killed.
const DRAIN: Duration = Duration::from_secs(20);

/// A process under way.
#[derive(Debug)]
pub(crate) struct Process {
    line: String,
    child: Child,
    pid: Pid,
    ended: Option<ExitStatus>,
}

/// Where the output of a process goes.
pub(crate) enum Output {
    /// Where ours goes.
    Shown,
    /// Standard output is piped, standard error is shown.
    Piped,
    /// Standard output is piped, standard error goes to this file.
    PipedWithLog(File),
    /// Both are piped.
    BothPiped,
    /// Both go to this file.
    File(File),
}

impl Process {
    /// Starts it.
    pub(crate) fn start(line: &Line, output: Output) -> anyhow::Result<Process> {
        use std::os::unix::process::CommandExt;
        let mut command = line.command();
        command.process_group(0);
        match output {
            Output::Shown => {}
            Output::Piped => {
                command.stdout(Stdio::piped());
            }
            Output::PipedWithLog(file) => {
                command.stdout(Stdio::piped()).stderr(file);
            }
            Output::BothPiped => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
            Output::File(file) => {
                command.stdout(file.try_clone().context("cannot share the log file")?).stderr(file);
            }
        }
        // the lock spans start and entry, so that no signal comes between them and is missed
        let mut groups = interrupt::groups();
        interrupt::check()?;
        let child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
        let pid = Pid::from_child(&child);
        groups.push(pid);
        Ok(Process { line: line.to_string(), child, pid, ended: None })
    }

    /// Standard output, once.
    pub(crate) fn stdout(&mut self) -> Option<impl Read + Send + use<>> {
        self.child.stdout.take()
    }

    /// Standard error, once.
    pub(crate) fn stderr(&mut self) -> Option<impl Read + Send + use<>> {
        self.child.stderr.take()
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            let mut groups = interrupt::groups();
            self.ended = self.child.try_wait().with_context(|| format!("cannot watch `{}`", self.line))?;
            if self.ended.is_some() {
                groups.retain(|pid| *pid != self.pid);
            }
        }
        Ok(self.ended)
    }

    /// Waits until it ends.
    pub(crate) fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // waits without reaping: the id stays ours until the lock on the groups is held
        while let Err(e) = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            anyhow::ensure!(e == rustix::io::Errno::INTR, "cannot wait for `{}`: {e}", self.line);
        }
        self.ended()?.with_context(|| format!("`{}` has ended, but how is not known", self.line))
    }

    /// Sends it a signal, if it has not ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if matches!(self.ended(), Ok(None)) {
            // it cannot be reaped by another, so the id is still its own
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Kills it at once (SIGKILL) and reaps it.
    pub(crate) fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        if self.ended()?.is_none() {
            // it cannot be reaped by another, so the id is still its own
            let _ = kill_process(self.pid, Signal::KILL);
        }
        self.wait()
    }

    /// Asks it to drain (SIGTERM), waits, and kills it when it takes too long.
    pub(crate) fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if self.ended()?.is_none() {
            let _ = kill_process_group(self.pid, Signal::TERM);
            let until = Instant::now() + DRAIN;
            while self.ended()?.is_none() {
                if Instant::now() >= until {
                    eprintln!("xtask: `{}` did not drain within {} s and is killed", self.line, DRAIN.as_secs());
                    let _ = kill_process_group(self.pid, Signal::KILL);
                    break;
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("xtask: {error:#}");
        }
    }
}

/// Runs it to its end with its output shown.
pub(crate) fn run(line: &Line) -> anyhow::Result<ExitStatus> {
    Process::start(line, Output::Shown)?.wait()
}

/// Runs it and fails unless it ends well.
pub(crate) fn run_well(line: &Line) -> anyhow::Result<()> {
    let status = run(line)?;
    anyhow::ensure!(status.success(), "`{line}` failed: {}", told(status));
    Ok(())
}

/// Runs it and gives what it wrote to standard output; standard error is shown.
pub(crate) fn capture(line: &Line) -> anyhow::Result<(ExitStatus, String)> {
    let mut process = Process::start(line, Output::Piped)?;
    let mut text = Vec::new();
    if let Some(mut stdout) = process.stdout() {
        stdout.read_to_end(&mut text).with_context(|| format!("cannot read from `{line}`"))?;
    }
    Ok((process.wait()?, String::from_utf8_lossy(&text).into_owned()))
}

/// As [`capture`], and the largest resident memory that was seen, in bytes (looked at every 20 ms).
pub(crate) fn capture_measured(line: &Line) -> anyhow::Result<(ExitStatus, String, Option<u64>)> {
    let mut process = Process::start(line, Output::Piped)?;
    let text = process.stdout().map(|mut from| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            from.read_to_end(&mut text).map(|_| text)
        })
    });
    let mut peak = None;
    let status = loop {
        if let Some(status) = process.ended()? {
            break status;
        }
        peak = peak.max(peak_memory(process.pid));
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let text = match text.map(JoinHandle::join) {
        Some(Ok(text)) => text.with_context(|| format!("cannot read from `{line}`"))?,
        _ => Vec::new(),
    };
    Ok((status, String::from_utf8_lossy(&text).into_owned(), peak))
}

/// Peak resident memory of a process so far (VmHWM), in bytes.
pub(crate) fn peak_memory(pid: Pid) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Runs it and fails unless it ends well; gives its standard output.
pub(crate) fn capture_well(line: &Line) -> anyhow::Result<String> {
    let (status, text) = capture(line)?;
    anyhow::ensure!(status.success(), "`{line}` failed: {}", told(status));
    Ok(text)
}

/// Runs it and hands each line of standard output and of standard error to a function of its own, as they come.
pub(crate) fn follow(
    line: &Line,
    out: impl FnMut(&str),
    err: impl FnMut(&str) + Send + 'static,
) -> anyhow::Result<ExitStatus> {
    let mut process = Process::start(line, Output::BothPiped)?;
    let errors: Option<JoinHandle<()>> = process.stderr().map(|from| std::thread::spawn(move || each_line(from, err)));
    if let Some(from) = process.stdout() {
        each_line(from, out);
    }
    if let Some(errors) = errors {
        let _ = errors.join();
    }
    process.wait()
}

fn each_line(from: impl Read, mut take: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        take(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
}

/// How a process ended, for a person.
pub(crate) fn told(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn alive(pid: Pid) -> bool {
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn a_dropped_process_is_stopped() {
        let process = Process::start(&Line::new("sleep").arg("1000"), Output::Shown).unwrap();
        let pid = process.pid;
        assert!(alive(pid));
        drop(process);
        assert!(!alive(pid));
        assert!(!interrupt::groups().contains(&pid));
    }

    #[test]
    fn a_killed_process_says_so() {
        let mut process = Process::start(&Line::new("sleep").arg("1000"), Output::Shown).unwrap();
        assert_eq!(told(process.kill().unwrap()), "ended by signal 9");
        assert_eq!(told(process.wait().unwrap()), "ended by signal 9", "asking again is no error");
    }

    #[test]
    fn output_is_captured_and_followed() {
        let line = Line::new("sh").args(["-c", "echo one; echo two >&2; printf three; exit 3"]);
        let (status, text) = capture(&line).unwrap();
        assert_eq!((status.code(), text.as_str()), (Some(3), "one\nthree"));
        let mut seen = Vec::new();
        follow(&line, |line| seen.push(line.to_string()), |line| assert_eq!(line, "two")).unwrap();
        assert_eq!(seen, ["one", "three"]);
        assert!(run_well(&line).unwrap_err().to_string().contains("exit code 3"));
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = Process::start(&Line::new("/no/such/program"), Output::Shown).unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot start `/no/such/program`"), "{error:#}");
    }
}
