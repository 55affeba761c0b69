//! Two stagers of one instance name on Kafka: one ends with 75 and says why, the other goes on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{have, text, wait_for};
use xtask::services::{Kafka, Kind, Life};

fn stager(url: &str, data: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
    command.args(["stage", "--instance", "same", "--bus", url, "--data"]).arg(data);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn of_two_stagers_of_one_name_one_ends_with_75() {
    if !have("java", "of_two_stagers_of_one_name_one_ends_with_75") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(Kind::Kafka, folder.path(), Life::Guarded).unwrap();
    let mut both = ["one", "two"].map(|name| stager(kafka.url(), &folder.path().join(name)));
    wait_for(|| both.iter_mut().any(|child| child.try_wait().unwrap().is_some()));
    let [mut first, second] = both;
    let (ended, mut other) = if first.try_wait().unwrap().is_some() { (first, second) } else { (second, first) };
    let output = ended.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("same instance name `same`") && said.contains("--instance"), "{said}");
    assert_eq!(other.try_wait().unwrap(), None, "the other goes on");
    // what keeps its memory bounded beside librdkafka is read from the environment before main
    let environment = std::fs::read(format!("/proc/{}/environ", other.id())).unwrap();
    let bounded = environment.split(|byte| *byte == 0).any(|one| one == b"MALLOC_ARENA_MAX=8");
    assert!(bounded, "it has not started itself again");
    assert!(Command::new("kill").args(["-INT", &other.id().to_string()]).status().unwrap().success());
    let output = other.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
}
