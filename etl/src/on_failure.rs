//! `--on-failure COMMAND`: whoever sleeps at night is told in the morning what went wrong, and what to do.
//!
//! The command runs in a shell and gets a summary on standard input: the command line, the exit code, the machine, the
//! error, and what was noted while the command ran. Whether it succeeds does not change how we end.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use program::{Exit, human, redact};

use crate::world;

/// Lines for the summary.
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Most lines that are kept.
const MOST: usize = 200;
/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps a line for the summary.
pub fn note(line: &str) {
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    if notes.len() < MOST {
        notes.push(human::clean(&redact(line)).into_owned());
    }
}

/// Runs the command when something failed; an interruption is no failure.
pub fn tell(command: &str, ended: &anyhow::Result<Exit>, busy: bool) {
    let code = match ended {
        Ok(Exit::Done | Exit::Interrupted) => return,
        Ok(exit) => exit.code(),
        Err(_) if busy => Exit::Busy.code(),
        Err(_) => Exit::FAILED,
    };
    if let Err(error) = run(command, &summary(ended, code)) {
        tracing::warn!("--on-failure: cannot run the command: {error}");
    }
}

fn summary(ended: &anyhow::Result<Exit>, code: u8) -> String {
    let line: Vec<String> = std::env::args().collect();
    let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut text = format!(
        "{} ended with exit code {code} on {} at {at}\n",
        human::clean(&redact(&line.join(" "))),
        world::machine()
    );
    if let Err(error) = ended {
        text.push_str(&format!("error: {}\n", human::clean(&redact(&format!("{error:#}")))));
    }
    for note in NOTES.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        text.push_str(&format!("- {note}\n"));
    }
    text
}

fn run(command: &str, summary: &str) -> std::io::Result<()> {
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // a command that reads nothing closes its end
        let _ = input.write_all(summary.as_bytes());
    }
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                tracing::warn!("--on-failure: the command ended with {status}");
                return Ok(());
            }
            None if Instant::now() >= until => {
                child.kill()?;
                child.wait()?;
                tracing::warn!("--on-failure: the command did not end within {} s and was killed", PATIENCE.as_secs());
                return Ok(());
            }
            None => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}
