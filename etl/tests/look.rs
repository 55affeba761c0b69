//! `etl ls`, `etl get` and `etl tail` as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use bus::payload::Artefact;
use support::*;

fn fixed(n: u128, url: &str, body: &str) -> Artefact {
    Artefact { id: uuid::Uuid::from_u128(0x0193_4c5b_0000_7000_8000_0000_0000_0000 + n), ..artefact(url, body) }
}

fn staged_world() -> World {
    let world = World::new();
    let mut newer = fixed(2, "http://example.org/a", "newer body");
    newer.fetched_at += 60_000_000;
    world.append(
        7,
        vec![fixed(1, "http://example.org/a", "older body"), newer, fixed(3, "http://example.org/b", "b\0\u{ff}")],
    );
    world.at(NOON + DAY);
    let mut unchanged = fixed(4, "http://example.org/b", "");
    (unchanged.status, unchanged.fetched_at) = (Some(304), (NOON + DAY) * 1000);
    world.append(7, vec![unchanged]);
    world.ok(&["stage", "--once"]);
    world
}

#[test]
fn get_gives_the_newest_body_byte_for_byte() {
    let world = staged_world();
    assert_eq!(world.ok(&["get", "HTTP://Example.org:80/a#fragment"]), "newer body");
    assert_eq!(world.ok(&["get", "http://example.org/a", "--at", "2026-11-21T12:00:30Z"]), "older body");
    assert_eq!(world.ok(&["get", "http://example.org/b"]), "b\0\u{ff}", "a 304 stands for the body before it");
    assert_eq!(world.ok(&["get", "--id", "01934c5b-0000-7000-8000-000000000001"]), "older body");
}

#[test]
fn get_says_why_it_finds_nothing() {
    let world = staged_world();
    let fails = |args: &[&str], code: i32, words: &[&str]| {
        let output = world.etl(args).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(output.stdout.is_empty() && words.iter().all(|word| error.contains(word)), "{error}");
    };
    fails(&["get", "http://example.org/none"], 1, &["no artefact of http://example.org/none", "etl ls"]);
    fails(&["get", "http://example.org/a", "--at", "2020-01-01"], 1, &["at 2020-01-01"]);
    fails(&["get", "--id", "01934c5b-0000-7000-8000-00000000ffff"], 1, &["no artefact with id"]);
    fails(&["get", "not a url"], 2, &["not a url"]);
    fails(&["get", "--id", "17"], 2, &["17"]);
    fails(&["get"], 2, &["URL"]);
    let partition = bus::topic::partition_of(b"example.org", 16);
    world.append(partition, vec![fixed(9, "http://example.org/fresh", "x")]);
    fails(&["get", "http://example.org/fresh"], 1, &["on the bus", "etl stage --once"]);
    fails(&["get", "http://example.org/fresh", "--at", "2026-11-22"], 1, &["on the bus", "etl stage --once"]);
    // the one on the bus is of a later time
    fails(&["get", "http://example.org/fresh", "--at", "2020-01-01"], 1, &["at 2020-01-01", "etl ls"]);
}

#[test]
fn get_goes_on_where_a_segment_is_damaged() {
    let world = staged_world();
    // its only segment of the first day is cut, so what it held is not known; the second day is whole
    let damaged = &world.segments()[0];
    std::fs::write(damaged, &std::fs::read(damaged).unwrap()[..200]).unwrap();
    let found = world.etl(&["get", "--id", "01934c5b-0000-7000-8000-000000000004", "--headers"]).output().unwrap();
    assert_eq!(found.status.code(), Some(0), "{}", text(&found));
    let warned = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(warned.contains("WARN") && warned.contains("etl verify --archive"), "{warned}");
    let output = world.etl(&["get", "http://example.org/a"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{}", text(&output));
    assert!(text(&output).contains("1 segments cannot be read"), "{}", text(&output));
    // today counts too: it is said before the day is over
    std::fs::write(&world.segments()[1], "").unwrap();
    let today = world.etl(&["status", "--json"]).output().unwrap();
    let days: serde_json::Value = serde_json::from_slice(&today.stdout).unwrap();
    assert_eq!((today.status.code(), &days["days"][1]["next"]), (Some(3), &"etl verify --archive".into()), "{days}");
    // staging does not build on a damaged last segment, and says what mends it
    let output = world.etl(&["stage", "--once", "--quiet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("etl verify --archive"), "{}", text(&output));
}

#[test]
fn get_headers_prints_what_is_known() {
    let world = staged_world();
    assert_eq!(
        world.ok(&["get", "http://example.org/a", "--headers"]),
        "id: 01934c5b-0000-7000-8000-000000000002\n\
         crawl: main\n\
         url: http://example.org/a\n\
         host: example.org\n\
         site: example.org\n\
         fetched_at: 2026-11-21T12:01:00.000007Z\n\
         appended_at: 2026-11-21T12:00:00Z\n\
         status: 200\n\
         content_type: text/html; charset=utf-8\n\
         charset: utf-8\n\
         body_sha256: 93baecffab7a8c1bb446c1ab03d6ddffbb33a1cf93c1762fb99a62459a06582c\n\
         body_bytes: 10\n\
         truncated: false\n\
         via: http://example.org/\n\
         depth: 1\n\
         hops: 0\n\
         elapsed_ms: 12\n\
         remote: 127.0.0.1:80\n\
         partition: 7\n\
         offset: 1\n\
         \n\
         Content-Type: text/html; charset=utf-8\n\
         X-Test: a: b\n"
    );
    let json: serde_json::Value = serde_json::from_str(&world.ok(&["get", "http://example.org/a", "--json"])).unwrap();
    assert_eq!((json["status"].as_i64(), json["headers"][1][1].as_str()), (Some(200), Some("a: b")));
}

#[test]
fn ls_shows_days_segments_gaps_and_damage() {
    let world = staged_world();
    world.ok(&["extract", "--day", "2026-11-21"]);
    let sizes = regex::Regex::new(r"[\d.]+ k?B").unwrap();
    let columns = |text: &str| -> Vec<String> {
        let line = |line: &str| sizes.replace_all(line, "SIZE").split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(line).collect()
    };
    assert_eq!(
        columns(&world.ok(&["ls"])),
        [
            "day data set segments rows bytes state",
            "2026-11-21 artefacts 1 3 SIZE complete",
            "2026-11-21 pages 1 3 SIZE complete",
            "2026-11-21 links 1 0 SIZE complete",
            "2026-11-21 scripts 1 0 SIZE complete",
            "2026-11-22 artefacts 1 1 SIZE open",
        ]
    );
    assert_eq!(
        columns(&world.ok(&["ls", "--day", "2026-11-21"]))[1],
        "artefacts-p007-00000000000000000000-00000000000000000003.parquet 3 SIZE 2026-11-21T12:00:00.000Z 2026-11-21T12:00:00.000Z"
    );
    let json: serde_json::Value = serde_json::from_str(&world.ok(&["ls", "--json"])).unwrap();
    assert_eq!(json["days"][0]["sets"]["artefacts"]["rows"], 3);
    assert_eq!((&json["days"][0]["complete"], &json["days"][1]["complete"]), (&true.into(), &false.into()));

    let damaged = &world.segments()[1];
    std::fs::write(damaged, "PAR1").unwrap();
    let output = world.etl(&["ls"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains("damaged"), "{}", text(&output));
}

#[test]
fn a_data_directory_that_does_not_exist_is_an_error_of_what_only_looks_and_is_not_made() {
    let empty = tempfile::tempdir().unwrap();
    let data = empty.path().join("typo");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_etl"));
        command.args(args).arg("--data").arg(&data).output().unwrap()
    };
    for args in [
        &["ls"][..],
        &["ls", "--json"],
        &["extract"],
        &["status"],
        &["verify", "--archive"],
        &["get", "http://a.example/"],
    ] {
        let output = run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?}: {}", text(&output));
        let told = text(&output);
        assert!(told.lines().count() == 1 && told.contains("there is no data directory at "), "{args:?}: {told}");
    }
    assert_eq!(run(&["stage", "--dry-run"]).status.code(), Some(0));
    assert!(!data.exists());
    // what makes one says so, once
    let made = format!("made a new archive at {}", data.display());
    for told in [true, false] {
        let output = run(&["stage", "--once"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stderr).contains(&made), told, "{}", text(&output));
    }
    // an empty one is no error
    assert_eq!(run(&["ls"]).status.code(), Some(0));
}

#[test]
fn tail_shows_records_in_order_of_time() {
    let world = World::new();
    world.append(3, vec![fixed(1, "http://example.org/1", "<p>one</p>")]);
    world.at(NOON + 1000);
    world.append(1, vec![fixed(2, "http://example.org/2", "bin\0ary")]);
    world.at(NOON + 2000);
    world.append(3, vec![fixed(3, "http://example.org/3", "three")]);
    let places = |args: &[&str]| -> Vec<String> {
        let lines = world.ok(args);
        lines.lines().filter(|l| l.starts_with("artefacts-")).map(|l| l.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(places(&["tail", "artefacts"]), ["artefacts-3@0", "artefacts-1@0", "artefacts-3@1"]);
    assert_eq!(places(&["tail", "artefacts", "-n", "2"]), ["artefacts-1@0", "artefacts-3@1"]);
    assert_eq!(places(&["tail", "artefacts", "--from", "2026-11-21T12:00:01Z"]), ["artefacts-1@0", "artefacts-3@1"]);
    assert_eq!(places(&["tail", "artefacts", "--from", "2h", "-n", "1"]), ["artefacts-3@0"]);
    assert_eq!(places(&["tail", "artefacts", "--partition", "1"]), ["artefacts-1@0"]);
    for pattern in ["org/2$", "^ce_id: .*002$", "^bin"] {
        let want: &[&str] = if pattern == "^bin" { &[] } else { &["artefacts-1@0"] };
        assert_eq!(places(&["tail", "artefacts", "--match", pattern]), want, "{pattern}");
    }
    assert_eq!(places(&["tail", "artefacts", "--match", "one|three"]), ["artefacts-3@0", "artefacts-3@1"]);
}

#[test]
fn tail_makes_json_readable_and_binary_short() {
    let world = World::new();
    world.append(1, vec![fixed(2, "http://example.org/\u{1b}[2J", "bin\0ary")]);
    world.ok(&["stage", "--once"]);
    let seals = world.ok(&["tail", "seals"]);
    assert!(seals.contains("\n    \"from\": 0,\n") || seals.contains("\n  \"from\": 0,\n"), "{seals}");
    let shown = world.ok(&["tail", "artefacts"]);
    assert!(shown.contains("binary, SHA-256") && !shown.contains('\u{1b}'), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&world.ok(&["tail", "artefacts", "--json"])).unwrap();
    assert_eq!((json["offset"].as_i64(), json["value"]["bytes"].as_i64()), (Some(0), Some(7)));
    let output = world.etl(&["tail", "nothing"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("it has artefacts, "), "{}", text(&output));
}

#[test]
fn tail_follows_what_comes() {
    use std::io::BufRead;
    let world = World::new();
    world.append(1, artefacts(1));
    let mut child =
        world.etl(&["tail", "artefacts", "--follow", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut offset = || -> (i64, i64) {
        let json: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        (json["partition"].as_i64().unwrap(), json["offset"].as_i64().unwrap())
    };
    assert_eq!(offset(), (1, 0));
    world.append(5, artefacts(1));
    assert_eq!(offset(), (5, 0));
    world.append(1, artefacts(1));
    assert_eq!(offset(), (1, 1));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Lets a folder be read only, as long as it lives; none where that cannot be done, which is told.
struct ReadOnly(std::path::PathBuf);

impl ReadOnly {
    fn new(folder: &std::path::Path, test: &str) -> Option<ReadOnly> {
        if !have("mount", test) || !have("umount", test) {
            return None;
        }
        let mount = |options: &[&str]| {
            let mut mount = std::process::Command::new("mount");
            mount.args(options).arg(folder).stderr(std::process::Stdio::null());
            mount.status().is_ok_and(|status| status.success())
        };
        if !mount(&["--bind", folder.to_str().unwrap()]) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs the right to mount");
            eprintln!("not run: {test}: mounting needs root");
            return None;
        }
        let mounted = ReadOnly(folder.to_owned());
        assert!(mount(&["-o", "remount,bind,ro"]));
        Some(mounted)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
    }
}

#[test]
fn a_read_only_disk_can_be_looked_at() {
    let name = "a_read_only_disk_can_be_looked_at";
    let mut world = staged_world();
    let elsewhere = World::new();
    let read = |folder: &std::path::Path, args: &[&str], code: i32| {
        let output = elsewhere.etl_at(folder, &folder.join("bus.db"), args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output));
        text(&output)
    };
    let looks = |folder: &std::path::Path| -> (usize, bool) {
        assert!(read(folder, &["ls"], 0).contains("complete"));
        read(folder, &["status", "--days", "1"], 0);
        read(folder, &["get", "http://example.org/none"], 1);
        let refused = read(folder, &["stage", "--once", "--quiet"], 1);
        assert!(refused.contains("Read-only file system") || refused.contains("cannot be written"), "{refused}");
        let tail = read(folder, &["tail", "artefacts"], 0);
        (tail.matches("artefacts-").count(), tail.contains("are not seen"))
    };
    // closed: nothing lies beside the log
    world.bus = bus::Bus::open(elsewhere.path().join("other.db").to_str().unwrap(), &bus::Options::default()).unwrap();
    let Some(mounted) = ReadOnly::new(world.path(), name) else { return };
    assert_eq!(looks(world.path()), (4, false));
    drop(mounted);
    // while somebody else writes it
    let log = world.path().join("bus.db");
    world.bus = bus::Bus::open(log.to_str().unwrap(), &bus::Options::default()).unwrap();
    world.append(7, vec![fixed(9, "http://example.org/fresh", "x")]);
    let mounted = ReadOnly::new(world.path(), name).unwrap();
    assert_eq!(looks(world.path()), (5, false));
    drop(mounted);
    // a copy of what a crash leaves, without the shared memory: what is in the file is seen, and the rest is told
    let copy = tempfile::tempdir().unwrap();
    for file in ["bus.db", "bus.db-wal"] {
        std::fs::copy(world.path().join(file), copy.path().join(file)).unwrap();
    }
    let _mounted = ReadOnly::new(copy.path(), name).unwrap();
    let tail = read(copy.path(), &["tail", "artefacts"], 0);
    assert_eq!((tail.matches("artefacts-").count(), tail.matches("are not seen").count()), (4, 1), "{tail}");
}
