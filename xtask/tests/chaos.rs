//! A short game of chaos in every run of the tests; the long one is `cargo xtask chaos --kills 100`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

fn chaos(test: &str, args: &[&str]) {
    let folder = Path::new(env!("CARGO_BIN_EXE_xtask")).parent().unwrap();
    if let Some(name) = ["spider", "etl", "examples/audit"].iter().find(|name| !folder.join(name).is_file()) {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test}: {name} is not built, and CI=true");
        eprintln!("not run: {test}: {name} is not built (cargo test --workspace builds it)");
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output =
        command.args(["chaos", "--built", "--data"]).arg(data.path().join("chaos")).args(args).output().unwrap();
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
    chaos("nothing_is_lost_or_twice_when_spider_and_stager_are_killed", &["--kills", "10", "--pages", "300"]);
}

#[test]
fn exactly_n_pages_are_archived_when_the_spider_is_killed_on_the_way() {
    let test = "exactly_n_pages_are_archived_when_the_spider_is_killed_on_the_way";
    chaos(test, &["--kills", "6", "--pages", "300", "--limit", "150"]);
}
