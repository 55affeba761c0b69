//! `cargo xtask services up|down mongodb` as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use xtask::services::ferretdb;

fn services(action: &str, dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["services", action, "mongodb", "--run", "test", "--dir"]).arg(dir).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn mongodb_goes_up_and_down_and_keeps_its_data() {
    if let Err(error) = ferretdb::program() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{error:#}");
        eprintln!("not run: mongodb_goes_up_and_down_and_keeps_its_data: FerretDB cannot be built: {error:#}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let up = services("up", dir.path());
    assert_eq!(up.status.code(), Some(0), "{}", text(&up));
    let url = String::from_utf8(up.stdout.clone()).unwrap();
    let address = url.trim().strip_prefix("mongodb://").unwrap().split('/').next().unwrap().to_owned();
    TcpStream::connect(&address).unwrap();
    // up already: named again, not started twice
    let again = services("up", dir.path());
    assert_eq!((again.status.code(), &again.stdout), (Some(0), &up.stdout), "{}", text(&again));
    assert!(text(&again).contains("up already"), "{}", text(&again));

    let down = services("down", dir.path());
    assert_eq!(down.status.code(), Some(0), "{}", text(&down));
    assert!(TcpStream::connect(&address).is_err(), "it still listens");
    assert!(dir.path().join("sqlite").is_dir(), "its data is gone");
    let down = services("down", dir.path());
    assert_eq!(down.status.code(), Some(0));
    assert!(text(&down).contains("not up"), "{}", text(&down));

    // one that was killed is not taken for one that runs
    assert_eq!(services("up", dir.path()).status.code(), Some(0));
    let noted = std::fs::read_to_string(dir.path().join("running.json")).unwrap();
    let noted: serde_json::Value = serde_json::from_str(&noted).unwrap();
    let pid = noted["processes"][0]["pid"].to_string();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    while Path::new(&format!("/proc/{pid}/exe")).exists() {
        std::thread::yield_now();
    }
    let up = services("up", dir.path());
    assert_eq!(up.status.code(), Some(0), "{}", text(&up));
    assert!(!text(&up).contains("up already"), "{}", text(&up));
    assert_eq!(services("down", dir.path()).status.code(), Some(0));
}
