//! Exit codes, the one line that an error is, panics, and a standard output that goes away.

use std::fs::OpenOptions;
use std::io::Read;
use std::process::Stdio;

use crate::{Ended, Place, Running};

#[test]
fn each_way_to_end_has_its_code() {
    let place = Place::new();
    for (way, code) in [("done", 0), ("partly", 3), ("busy", 75), ("interrupted", 130)] {
        let ended = place.run(&["end", way], &[]);
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""), "{way}");
    }
    for (way, code, line) in [
        ("failed", 1, "sample: error: no such disk"),
        ("misuse", 2, "sample: error: cannot read seeds: not a seed: mongodb://ann:***@db/x"),
        ("locked", 75, "sample: error: cannot begin: the lock is held"),
        ("disconnected", 1, "sample: error: the server left: broken pipe"),
    ] {
        assert_eq!(place.run(&["end", way], &[]).refused(code), line);
    }
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let place = Place::new();
    for arguments in [["--nonsense"].as_slice(), &["crwal"], &["end"], &["config"], &["completions", "tcsh"], &[]] {
        let ended = place.run(arguments, &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!ended.stderr.is_empty());
    }
    for arguments in
        [["--help"].as_slice(), &["--version"], &["crawl", "-h"], &["help", "crawl"], &["manual", "--help"]]
    {
        let ended = place.run(arguments, &[]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!ended.stdout.is_empty());
    }
    // Help does not need a configuration that is right.
    assert!(Place::with("nonsense").run(&["--help"], &[]).done().contains("Usage: sample"));
}

#[test]
fn a_panic_on_any_thread_is_one_line_and_code_1() {
    let place = Place::new();
    for (way, thread, message) in [("panic", "main", "at once"), ("worker", "worker", "in a worker")] {
        let refused = place.run(&["end", way], &[]).refused(1);
        assert!(
            refused.starts_with(&format!("sample: error: panic, which is a bug, in thread {thread} at ")),
            "{refused}"
        );
        assert!(refused.ends_with(message), "{refused}");
    }
    let ended = place.run(&["end", "contained"], &[]);
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "Some(\"in foreign code\")\n", ""));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    for way in [["lines", "1000000"].as_slice(), &["lines", "1000000", "--println"], &["lines", "1000000", "--serde"]] {
        let mut running = Running::start(&mut Place::new().command(way));
        assert_eq!(running.line(), "0");
        // Closes the pipe: the child's next write fails.
        drop(std::mem::replace(&mut running.lines, empty_lines()));
        assert_eq!(running.code(), 0);
        let mut told = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(told, "");
    }
}

/// The output of a process that has none.
fn empty_lines() -> std::io::Lines<std::io::BufReader<std::process::ChildStdout>> {
    let mut child = std::process::Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()))
}

#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = Ended::of(Place::new().command(&["lines", "3"]).stdout(full));
    assert_eq!(ended.refused(1), "sample: error: cannot print: No space left on device (os error 28)");
    for way in [["config", "show"].as_slice(), &["lines", "3", "--println"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = Ended::of(Place::new().command(way).stdout(full));
        assert_eq!(
            ended.refused(1),
            "sample: error: cannot write to standard output: No space left on device (os error 28)"
        );
    }
}
