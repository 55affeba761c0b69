//! A short game of chaos in every run of the tests; the long one is `cargo xtask chaos --kills 100`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output};

/// Plays a game; `None` when the executables are not built.
fn play(test: &str, data: &Path, args: &[&str], env: &[(&str, &str)]) -> Option<Output> {
    let folder = Path::new(env!("CARGO_BIN_EXE_xtask")).parent().unwrap();
    if let Some(name) = ["spider", "etl", "examples/audit"].iter().find(|name| !folder.join(name).is_file()) {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test}: {name} is not built, and CI=true");
        eprintln!("not run: {test}: {name} is not built (cargo test --workspace builds it)");
        return None;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["chaos", "--built", "--data"]).arg(data).args(args).envs(env.iter().copied());
    Some(command.output().unwrap())
}

fn every_check_holds(test: &str, args: &[&str]) {
    let data = tempfile::tempdir().unwrap();
    let Some(output) = play(test, &data.path().join("chaos"), args, &[]) else { return };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        // the folder holds what a person needs to find out why
        let kept = data.keep();
        panic!("{out}\n{err}\nkept in {}", kept.display());
    }
    assert!(out.contains("every check holds"), "{out}");
}

#[test]
fn nothing_is_lost_or_twice_when_spider_and_stager_are_killed() {
    every_check_holds(
        "nothing_is_lost_or_twice_when_spider_and_stager_are_killed",
        &["--kills", "10", "--pages", "300"],
    );
}

#[test]
fn nothing_is_lost_or_twice_with_two_of_each_on_kafka() {
    let test = "nothing_is_lost_or_twice_with_two_of_each_on_kafka";
    if Command::new("java").arg("-version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test} needs java");
        eprintln!("not run: {test}: java is not installed");
        return;
    }
    every_check_holds(
        test,
        &["--bus", "kafka", "--spiders", "2", "--stagers", "2", "--kills", "20", "--pages", "1000"],
    );
}

#[test]
fn exactly_n_pages_are_archived_when_the_spider_is_killed_on_the_way() {
    let test = "exactly_n_pages_are_archived_when_the_spider_is_killed_on_the_way";
    every_check_holds(test, &["--kills", "6", "--pages", "300", "--limit", "150"]);
}

#[test]
fn a_spider_that_opens_several_connections_is_found_out() {
    let data = tempfile::tempdir().unwrap();
    let args = ["--kills", "2", "--pages", "100", "--delay", "0.05"];
    let rude = [("KAFKASPIDER_PER_HOST", "4")];
    let test = "a_spider_that_opens_several_connections_is_found_out";
    let Some(output) = play(test, &data.path().join("chaos"), &args, &rude) else { return };
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("requests of one spider overlap"), "{out}");
}
