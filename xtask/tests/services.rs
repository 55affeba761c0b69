//! `cargo xtask services up|down kafka` as a user runs it, and interrupts it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn services(action: &str, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["services", action, "kafka", "--dir"]).arg(dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn what_was_interrupted_while_it_started_is_found_and_stopped_and_two_do_not_start_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let noted = dir.path().join("running.json");
    let mut first = services("up", dir.path()).spawn().unwrap();
    let start = Instant::now();
    while !noted.exists() {
        assert!(start.elapsed() < Duration::from_secs(120) && first.try_wait().unwrap().is_none(), "it did not start");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let second = services("up", dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("another command is starting kafka"), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    let text = std::fs::read_to_string(&noted).unwrap();
    let pid = text.split("\"pid\":").nth(1).unwrap().split(['}', ',']).next().unwrap().to_owned();
    let runs =
        || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("kafka.Kafka"));
    assert!(runs(), "{text}");
    let down = services("down", dir.path()).output().unwrap();
    assert!(down.status.success() && String::from_utf8_lossy(&down.stderr).contains("stopped"), "{down:?}");
    assert!(!runs());
}
