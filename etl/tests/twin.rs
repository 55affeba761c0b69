//! Two stagers of one instance name on Kafka: one ends with 75 and says why, the other goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xtask::services::{Kafka, Kind, Life};

/// How long the broker may take to tell them.
const PATIENCE: Duration = Duration::from_secs(120);

fn stager(url: &str, data: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
    command.args(["stage", "--instance", "same", "--bus", url, "--data"]).arg(data);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn of_two_stagers_of_one_name_one_ends_with_75() {
    if Command::new("java").arg("-version").output().is_err() {
        eprintln!("not run: of_two_stagers_of_one_name_one_ends_with_75: java is not installed");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "java is needed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(Kind::Kafka, folder.path(), Life::Guarded).unwrap();
    let mut both = ["one", "two"].map(|name| stager(kafka.url(), &folder.path().join(name)));
    let started = Instant::now();
    let ended = loop {
        if let Some(at) = both.iter_mut().position(|child| child.try_wait().unwrap().is_some()) {
            break at;
        }
        assert!(started.elapsed() < PATIENCE, "neither ended");
        std::thread::park_timeout(Duration::from_millis(100));
    };
    let [first, second] = both;
    let (ended, mut other) = if ended == 0 { (first, second) } else { (second, first) };
    let output = ended.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("same instance name `same`") && said.contains("--instance"), "{said}");
    assert_eq!(other.try_wait().unwrap(), None, "the other goes on");
    assert!(Command::new("kill").args(["-INT", &other.id().to_string()]).status().unwrap().success());
    let output = other.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}
