//! `cargo xtask serve` and the other small chores, as a user runs them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args);
    command
}

#[test]
fn a_folder_is_served_with_a_log_until_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.html"), "<p>page</p>").unwrap();
    let log = folder.path().join("log.jsonl");
    let mut command = xtask(&["serve", "--port", "0", "--site"]);
    let command = command.arg(folder.path()).arg("--log").arg(&log).stdout(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let address = url.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_string();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /a.html HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("<p>page</p>"), "{answer}");

    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", server.id())]).status().unwrap();
    assert!(kill.success());
    assert_eq!(server.wait().unwrap().code(), Some(130));
    let events = site::read_log(&log).unwrap();
    assert!(events.iter().any(|event| matches!(event, site::Event::Request(it) if it.path == "/a.html")));
}

#[test]
fn mistakes_end_with_one_line_that_says_what_to_do() {
    let cases: [(&[&str], i32, &str); 4] = [
        (&["serve", "--site", "/no/such/folder"], 1, "/no/such/folder"),
        (&["services", "up", "nothing"], 2, "possible values"),
        (&["bench", "nothing"], 2, "possible values"),
        (&["ci", "nothing"], 2, "possible values"),
    ];
    for (args, code, text) in cases {
        let output = xtask(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.contains(text), "{args:?}: {error}");
    }
}

#[test]
fn outside_the_workspace_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let output = xtask(&["docs", "--check"]).current_dir(folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("not inside the workspace?"), "{error}");
}

#[test]
fn the_ci_script_is_sound_and_executable() {
    use std::os::unix::fs::PermissionsExt;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/run");
    assert!(script.metadata().unwrap().permissions().mode() & 0o111 != 0);
    if site::need_tool("the_ci_script_is_sound_and_executable", "bash").is_some() {
        assert!(Command::new("bash").arg("-n").arg(&script).status().unwrap().success());
    }
}
