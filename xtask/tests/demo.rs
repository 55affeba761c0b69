//! The demo as a user runs it, over the small site, with the real executables; and what it leaves in the archive.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROGRAMS: [&str; 4] = ["spider", "etl", "mine", "examples/audit"];

/// Whether the executables are there, which `cargo test --workspace` builds; else says that the test was not run.
fn are_built(test: &str) -> bool {
    let folder = Path::new(env!("CARGO_BIN_EXE_xtask")).parent().unwrap();
    let missing = PROGRAMS.iter().find(|name| !folder.join(name).is_file());
    if let Some(name) = missing {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test}: {name} is not built, and CI=true");
        eprintln!("not run: {test}: {name} is not built (cargo test --workspace builds it)");
    }
    missing.is_none()
}

fn demo(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["demo", "--built", "--data"]).arg(data).args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn site() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/site")
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn the_whole_line_runs_and_every_reachable_page_is_archived_once() {
    if !are_built("the_whole_line_runs_and_every_reachable_page_is_archived_once") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, port) = (folder.path().join("demo"), free_port());
    let site = site();
    let args = ["--site", site.to_str().unwrap(), "--port", &port];
    let first = demo(&data, &args);
    let text = out(&first);
    assert!(first.status.success(), "{text}\n{}", String::from_utf8_lossy(&first.stderr));

    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let verbs = ["spider crawl ", "etl stage --once ", "etl extract ", "mine terms ", "mine links "];
    assert_eq!(commands.len(), verbs.len(), "{commands:?}");
    for (command, verb) in commands.iter().zip(verbs) {
        assert!(command.contains(verb), "{command} is not {verb}");
    }
    for step in ["crawl", "stage", "extract", "terms", "links"] {
        let row = text.lines().find(|line| line.starts_with(&format!("{step} "))).unwrap();
        let records = row.split_whitespace().nth(1).unwrap();
        assert!(records.replace(',', "").parse::<u64>().is_ok_and(|n| n > 0), "no records in: {row}");
    }
    assert!(text.contains("Starts in ") && text.contains("Top terms:") && text.contains("Top pages by PageRank:"));
    let reports: Vec<&str> = text.lines().map(str::trim).filter(|line| line.ends_with("report.html")).collect();
    assert_eq!(reports.len(), 2, "{text}");
    assert!(reports.iter().all(|report| Path::new(report).is_file()), "{reports:?}");

    assert_eq!(archived(&data), listed(&port));

    let again = demo(&data, &args);
    assert!(again.status.success() && out(&again).contains("Continues in "), "{}", out(&again));
    assert_eq!(archived(&data), listed(&port), "running it again adds nothing and loses nothing");
}

/// Paths archived with status 200; each must be there once.
fn archived(data: &Path) -> BTreeSet<String> {
    let audit = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("examples").join("audit");
    let output = Command::new(audit).arg(data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut urls = BTreeSet::new();
    for line in out(&output).lines() {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        let row = &found["row"];
        if row["status"] == 200 && !row["url"].as_str().unwrap().ends_with("/robots.txt") {
            let url = row["url"].as_str().unwrap().to_string();
            assert!(urls.insert(url.clone()), "{url} is archived twice");
        }
    }
    urls
}

/// What data/site says is reachable.
fn listed(port: &str) -> BTreeSet<String> {
    let list = std::fs::read_to_string(site().join("reachable.txt")).unwrap();
    let paths = list.lines().filter(|line| !line.starts_with('#'));
    paths.map(|path| format!("http://127.0.0.1:{port}{path}")).collect()
}

#[test]
fn a_limit_on_pages_is_kept_exactly() {
    if !are_built("a_limit_on_pages_is_kept_exactly") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let site = site();
    let output = demo(&data, &["--site", site.to_str().unwrap(), "--port", &free_port(), "--pages", "25"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(archived(&data).len(), 25);
}

#[test]
fn the_first_ctrl_c_drains_the_step_under_way_and_ends_with_130() {
    if !are_built("the_first_ctrl_c_drains_the_step_under_way_and_ends_with_130") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    std::fs::create_dir(&site).unwrap();
    let tree = "[[rule]]\npath = \"/tree/*\"\ndoes.tree = { pages = 1000000 }\n";
    std::fs::write(site.join("site.toml"), tree).unwrap();
    std::fs::write(site.join("index.html"), "<a href=\"/tree/0.html\">a million pages</a>").unwrap();
    let data = folder.path().join("demo");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["demo", "--built", "--port", "0", "--pages", "1000000", "--site"])
        .arg(&site)
        .arg("--data")
        .arg(&data);
    let mut demo = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("spider crawl"))).unwrap().unwrap();
    // the crawl is under way once its log is there
    while !data.join("bus.db").exists() {
        assert!(demo.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        std::thread::yield_now();
    }
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", demo.id())]).status().unwrap();
    assert!(kill.success());
    assert!(lines.all(|line| !line.unwrap().contains("etl")), "no further step begins");
    let mut error = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(130), "{error}");
    assert!(error.contains("interrupted"), "{error}");
}

#[test]
fn a_folder_that_is_not_the_demos_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
    let site = site();
    let output = demo(folder.path(), &["--site", site.to_str().unwrap(), "--port", "0", "--fresh"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("not the demo's"), "{error}");
    assert!(folder.path().join("thesis.txt").exists());
}

#[test]
fn a_site_that_is_missing_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(&folder.path().join("demo"), &["--site", "/no/such/folder"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.starts_with("xtask: error: --site /no/such/folder") && error.lines().count() == 1, "{error}");
}
