//! Diagnostics: levels, JSON, colour, progress.

use std::process::Command;

use serde_json::Value;

use crate::{Ended, Place, executable, need_tool};

fn levels(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let ended = Place::new().run(&[&["log"], arguments].concat(), environment);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    ended.stderr.lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn verbosity_chooses_the_levels() {
    let all = ["ERROR", "WARN", "INFO"];
    assert_eq!(levels(&["-q"], &[]), all[..2]);
    assert_eq!(levels(&[], &[]), all);
    assert_eq!(levels(&["-v"], &[]), ["ERROR", "WARN", "INFO", "DEBUG", "DEBUG"]);
    assert_eq!(levels(&["-vv"], &[]), ["ERROR", "WARN", "INFO", "DEBUG", "DEBUG", "TRACE"]);
    assert_eq!(levels(&["-vv"], &[("KAFKASPIDER_LOG", "error")]), all[..1]);
    assert_eq!(levels(&["-q"], &[("KAFKASPIDER_LOG", "warn,sample=info")]), all);
    let refused = Place::new().run(&["log"], &[("KAFKASPIDER_LOG", "sample=loud")]).refused(2);
    assert!(refused.starts_with("sample: error: KAFKASPIDER_LOG: sample=loud: "), "{refused}");
}

#[test]
fn text_is_time_level_message_fields() {
    let ended = Place::new().run(&["log"], &[]);
    let line = ended.stderr.lines().find(|line| line.contains("INFO")).unwrap();
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(rest, " INFO a message pages=7");
    assert!(time.len() == "2026-11-22T04:04:00.561Z".len() && time.ends_with('Z'), "{time}");
}

#[test]
fn what_a_page_says_moves_no_cursor() {
    let told = Place::new().run(&["log", "-v"], &[]).stderr;
    let line = told.lines().find(|line| line.contains("a title")).unwrap();
    assert!(!line.contains(char::is_control) && line.contains("shown=cle�[2Jar�2J"), "{line:?}");
}

#[test]
fn json_is_one_object_a_line_and_an_error_is_one_too() {
    let ended = Place::new().run(&["log", "-vv", "--log-format", "json"], &[]);
    let lines: Vec<Value> = ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["target"] == "sample"));
    assert_eq!(
        (&lines[2]["level"], &lines[2]["message"], &lines[2]["pages"]),
        (&"INFO".into(), &"a message".into(), &7.into())
    );
    let refused = Place::new().run(&["end", "locked", "--log-format=json"], &[]).refused(75);
    let error: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!((&error["level"], &error["message"]), (&"ERROR".into(), &"cannot begin: the lock is held".into()));
}

/// Runs it on a terminal of its own, with `script`.
fn on_a_terminal(arguments: &str, environment: &[(&str, &str)]) -> String {
    let line = format!("'{}' {arguments}", executable().display());
    let place = Place::new();
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(place.0.path())
        .env_clear()
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(std::process::Stdio::null());
    Ended::of(command.envs(environment.iter().copied())).done()
}

#[test]
fn colour_is_for_terminals_and_for_those_who_want_it() {
    if !need_tool("colour_is_for_terminals_and_for_those_who_want_it", "script") {
        return;
    }
    assert!(on_a_terminal("log", &[]).contains("\x1b[31mERROR"));
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_a_terminal("log", &[environment]);
        assert!(shown.contains("ERROR") && !shown.contains('\x1b'), "{environment:?}: {shown}");
    }
    assert!(!Place::new().run(&["log"], &[]).stderr.contains('\x1b'));
}

#[test]
fn progress_is_drawn_on_a_terminal_only_and_leaves_log_lines_whole() {
    let piped = Place::new().run(&["progress"], &[]);
    assert!(
        piped.stderr.ends_with(" INFO a line in between\n") && piped.stderr.lines().count() == 1,
        "{}",
        piped.stderr
    );
    if !need_tool("progress_is_drawn_on_a_terminal_only_and_leaves_log_lines_whole", "script") {
        return;
    }
    let shown = on_a_terminal("progress", &[("NO_COLOR", "1")]);
    assert!(shown.contains("counting") && shown.contains("500/1,000 steps") && shown.contains("half way"), "{shown:?}");
    assert!(shown.contains(" INFO a line in between\r\n"), "{shown:?}");
    for quiet in ["progress -q", "progress --log-format json"] {
        assert!(!on_a_terminal(quiet, &[]).contains("counting"));
    }
}
