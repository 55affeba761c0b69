//! The crontab lines and systemd units of cron/ are well formed, and their commands are ones that etl takes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{have, text};

fn cron() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cron")
}

/// A line of a crontab: five fields and a command.
fn parse(line: &str) -> Result<([Vec<u32>; 5], String), String> {
    let mut rest = line.trim_start();
    let mut fields: Vec<Vec<u32>> = Vec::new();
    for (name, least, most) in [("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7)]
    {
        let (text, more) = rest.split_once(char::is_whitespace).ok_or_else(|| format!("no {name} in {line:?}"))?;
        rest = more.trim_start();
        let mut values = Vec::new();
        for part in text.split(',') {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let step: usize = step.parse().map_err(|_| format!("{name} {part:?}"))?;
            let (from, to) = match range {
                "*" => (least, most),
                _ => {
                    let (a, b) = range.split_once('-').unwrap_or((range, range));
                    (
                        a.parse().map_err(|_| format!("{name} {part:?}"))?,
                        b.parse().map_err(|_| format!("{name} {part:?}"))?,
                    )
                }
            };
            if step == 0 || from < least || to > most || from > to {
                return Err(format!("{name} {part:?} is out of range"));
            }
            values.extend((from..=to).step_by(step));
        }
        fields.push(values);
    }
    // a bare % ends the command and begins its standard input
    let mut command = String::new();
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'%') => command.extend(chars.next()),
            '%' => return Err(format!("a bare % in {line:?}")),
            c => command.push(c),
        }
    }
    if command.is_empty() {
        return Err(format!("no command in {line:?}"));
    }
    Ok((fields.try_into().unwrap(), command))
}

#[test]
fn the_crontab_parser_refuses_what_cron_refuses() {
    for line in [
        "",
        "* * * *",
        "60 * * * * x",
        "* 24 * * * x",
        "*/0 * * * * x",
        "5-1 * * * * x",
        "* * * * * date +%F",
        "a * * * * x",
    ] {
        assert!(parse(line).is_err(), "{line:?}");
    }
    let (fields, command) = parse("*/20 1,3-4 * * 0 date +\\%F").unwrap();
    assert_eq!((fields[0].clone(), fields[1].clone(), fields[4].clone()), (vec![0, 20, 40], vec![1, 3, 4], vec![0]));
    assert_eq!(command, "date +%F");
}

#[test]
fn the_crontab_is_well_formed_and_its_commands_are_taken() {
    let text_of = std::fs::read_to_string(cron().join("crontab")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut commands = 0;
    let mut variables = 0;
    for line in text_of.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some((name, _)) =
            line.split_once('=').filter(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        {
            variables += 1;
            assert!(!name.is_empty());
            continue;
        }
        let (_, command) = parse(line).unwrap();
        commands += 1;
        let Some(rest) = command.strip_prefix("etl ") else {
            assert!(command.starts_with("mine "), "{command}");
            continue;
        };
        // `etl` is ours; nothing is changed, and a command line that is not taken ends with 2
        let script = format!("{} {rest} {}", env!("CARGO_BIN_EXE_etl"), "--dry-run");
        let output = Command::new("sh")
            .args(["-c", &script])
            .env("KAFKASPIDER_DATA", dir.path())
            .env("KAFKASPIDER_MONGODB", "mongodb://127.0.0.1:9/x")
            .output()
            .unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{script}: {}", text(&output));
    }
    assert!(commands >= 5 && variables >= 2, "{commands} commands");
}

#[test]
fn systemd_takes_the_units() {
    if !have("systemd-analyze", "systemd_takes_the_units") {
        return;
    }
    // the executables stand where this build has put them
    let dir = tempfile::tempdir().unwrap();
    let mut timers = 0;
    for entry in std::fs::read_dir(cron().join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let unit = std::fs::read_to_string(&path).unwrap();
        let etl = env!("CARGO_BIN_EXE_etl");
        let unit = unit
            .replace("/usr/local/bin/etl", etl)
            .replace("/usr/local/bin/mine", etl)
            .replace("User=kafkaspider", "User=root");
        for line in unit.lines().filter_map(|line| line.strip_prefix("OnCalendar=")) {
            timers += 1;
            let output = Command::new("systemd-analyze").args(["calendar", line]).output().unwrap();
            assert!(output.status.success(), "{line}: {}", text(&output));
        }
        std::fs::write(dir.path().join(path.file_name().unwrap()), unit).unwrap();
    }
    assert_eq!(timers, 3);
    let units: Vec<PathBuf> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let output = Command::new("systemd-analyze").arg("verify").args(&units).output().unwrap();
    let said = text(&output);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("kafkaspider")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
    // a unit with a fault is found out
    std::fs::write(dir.path().join("kafkaspider-bad.service"), "[Service]\nExecStart=/no/such/program\nTypo=1\n")
        .unwrap();
    let output =
        Command::new("systemd-analyze").arg("verify").arg(dir.path().join("kafkaspider-bad.service")).output().unwrap();
    assert!(text(&output).contains("kafkaspider-bad"), "{}", text(&output));
}
