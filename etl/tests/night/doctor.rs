//! `etl doctor`: each check, good and bad, with its remedy.

use std::path::Path;

use bus::topic::{Cleanup, TopicSpec};
use bus::{Bus, Options};
use serde_json::Value;

use crate::night::*;
use crate::support::*;

/// What was checked, whether it is well, what was found, and the remedy.
type Answer = (String, bool, String, String);

/// Exit code, and each check: good, found, remedy.
fn asked(world: &World, data: &Path, more: &[&str]) -> (Option<i32>, Vec<Answer>) {
    let output = world.etl_on(data, &["doctor", "--json"]).args(more).output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let word = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let checks = all["checks"].as_array().unwrap().iter();
    let checks =
        checks.map(|one| (word(one, "what"), one["good"].as_bool().unwrap(), word(one, "found"), word(one, "remedy")));
    (output.status.code(), checks.collect())
}

/// The bad checks, each with its remedy.
fn bad(checks: &[(String, bool, String, String)]) -> Vec<(&str, &str)> {
    let bad = checks.iter().filter(|(_, good, ..)| !good);
    bad.map(|(what, _, _, remedy)| (what.as_str(), remedy.as_str())).collect()
}

#[test]
fn what_is_well_is_said_to_be() {
    let Some(server) = server("what_is_well_is_said_to_be") else { return };
    let world = yesterday(3);
    let (code, checks) = asked(&world, world.path(), &["--mongodb", &server.url()]);
    assert_eq!((code, bad(&checks)), (Some(0), vec![]), "{checks:?}");
    let named: Vec<&str> = checks.iter().map(|(what, ..)| what.as_str()).collect();
    let want = ["configuration", "permissions", "space", "bus", "clock", "topic", "topic", "archive", "database"];
    assert_eq!(named, want);
    assert!(checks[8].2.contains("FerretDB"), "{checks:?}");
    let table = world.ok(&["doctor"]);
    assert!(table.contains("ok") && !table.contains("BAD"), "{table}");
}

#[test]
fn what_is_wrong_comes_with_a_remedy() {
    let world = World::new();
    world.append(0, artefacts(1));
    world.ok(&["stage", "--once"]);
    // the bus is two days ahead of this machine
    world.at(NOON + 2 * DAY);
    world.append(0, artefacts(1));
    world.at(NOON);
    // a segment was set aside and is not back, and what should be a folder is none
    let segment = &world.segments()[0];
    std::fs::write(segment, "no Parquet").unwrap();
    let nowhere = world.path().join("nowhere");
    let aside = world.etl_at(world.path(), &nowhere, &["verify", "--archive"]).output().unwrap();
    assert_eq!(aside.status.code(), Some(3), "{}", text(&aside));
    let tmp = world.path().join("tmp");
    std::fs::remove_dir_all(&tmp).unwrap();
    std::fs::write(&tmp, "").unwrap();

    let gone = ["--mongodb", "mongodb://127.0.0.1:9/night", "--retry-for", "1s", "--timeout", "1s"];
    let (code, checks) = asked(&world, world.path(), &gone);
    let bad = bad(&checks);
    let remedies = [
        ("permissions", "let the user of this program own"),
        ("clock", "NTP"),
        ("archive", "etl verify --archive"),
        ("database", "KAFKASPIDER_MONGODB_PASSWORD"),
    ];
    assert_eq!(code, Some(3));
    assert_eq!(bad.iter().map(|(what, _)| *what).collect::<Vec<_>>(), remedies.map(|(what, _)| what), "{checks:?}");
    for ((what, remedy), (_, words)) in bad.iter().zip(remedies) {
        assert!(remedy.contains(words), "{what}: {remedy}");
    }
    let output = world.etl(&["doctor"]).args(gone).output().unwrap();
    assert!(text(&output).contains("BAD") && text(&output).contains("NTP"), "{}", text(&output));
}

#[test]
fn missing_things_and_topics_of_another_shape_are_found() {
    let world = World::new();
    let none = world.path().join("none");
    let (code, checks) = asked(&world, &none, &[]);
    assert_eq!(code, Some(3));
    assert_eq!(bad(&checks)[0].0, "permissions", "{checks:?}");
    assert!(!none.exists(), "a doctor makes nothing");

    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("bus.db");
    let bus = Bus::open(other.to_str().unwrap(), &Options::default()).unwrap();
    bus.ensure(&[TopicSpec { name: "artefacts".into(), partitions: 3, cleanup: Cleanup::Delete }]).unwrap();
    drop(bus);
    let output = world.etl_at(world.path(), &other, &["doctor", "--json"]).output().unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(3));
    assert!(shown.contains("artefacts has 3 partitions") && shown.contains("it needs 16 partitions"), "{shown}");
    assert!(shown.contains("seals does not exist"), "{shown}");

    let output = world.etl_at(world.path(), &dir.path().join("no.db"), &["doctor", "--json"]).output().unwrap();
    assert!(text(&output).contains("there is no embedded log"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_disk_that_is_nearly_full_is_bad() {
    let dir = tempfile::tempdir().unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(dir.path()).stderr(std::process::Stdio::null());
    if !mount.status().is_ok_and(|status| status.success()) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "a_disk_that_is_nearly_full_is_bad needs root");
        eprintln!("not run: a_disk_that_is_nearly_full_is_bad: mounting a tmpfs needs root");
        return;
    }
    let world = World::new();
    let (code, checks) = asked(&world, dir.path(), &[]);
    std::process::Command::new("umount").arg("-l").arg(dir.path()).status().unwrap();
    assert_eq!(code, Some(3));
    let space = bad(&checks).into_iter().find(|(what, _)| *what == "space");
    assert!(space.is_some_and(|(_, remedy)| remedy.contains("make room")), "{checks:?}");
}
