//! `etl verify --archive`: damage at rest is found, set aside, and mended or recorded as a loss.

use std::path::{Path, PathBuf};

use crate::night::*;
use crate::support::*;

/// Exit code and report.
fn verify_archive(world: &World, more: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = world.etl(&["verify", "--archive", "--json"]).args(more).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output))))
}

fn count(report: &serde_json::Value, key: &str) -> usize {
    report[key].as_array().map_or_else(|| report[key].as_u64().unwrap() as usize, Vec::len)
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle - 60..middle].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
}

fn ids(world: &World) -> Vec<String> {
    let rows = world.segments().iter().flat_map(|path| rows(path)).map(|row| string(&row, "id")).collect::<Vec<_>>();
    let mut rows = rows;
    rows.sort();
    rows
}

/// One partition in three segments, extracted; the day is over.
fn three_segments() -> (World, Vec<PathBuf>) {
    let world = World::new();
    for _ in 0..3 {
        world.append(3, artefacts(4));
        world.ok(&["stage", "--once"]);
    }
    finish_day(&world, NOON);
    let segments = world.segments();
    assert_eq!(segments.len(), 3);
    (world, segments)
}

#[test]
fn every_kind_of_damage_is_found_and_staged_again() {
    let whole = ids(&three_segments().0).len();
    for kind in ["bytes", "cut", "empty", "renamed", "gone", "first gone", "last gone", "all gone", "pages"] {
        let (world, segments) = three_segments();
        let before = ids(&world);
        assert_eq!(before.len(), whole);
        let victim = &segments[1];
        let mut expected = ("damaged", 1);
        match kind {
            "bytes" => damage(victim),
            "cut" => std::fs::write(victim, &std::fs::read(victim).unwrap()[..200]).unwrap(),
            "empty" => std::fs::write(victim, "").unwrap(),
            // the name says other offsets than the footer
            "renamed" => {
                let name = victim.file_name().unwrap().to_str().unwrap().replace("0008.parquet", "0007.parquet");
                std::fs::rename(victim, victim.with_file_name(name)).unwrap();
            }
            "gone" | "first gone" | "last gone" | "all gone" => {
                let gone = match kind {
                    "gone" => 1..2,
                    "first gone" => 0..1,
                    "last gone" => 2..3,
                    _ => 0..3,
                };
                expected = ("missing", gone.len());
                segments[gone].iter().for_each(|segment| std::fs::remove_file(segment).unwrap());
            }
            _ => damage(&files(&world.path().join("pages"))[1]),
        }
        let (code, report) = verify_archive(&world, &["--dry-run"]);
        assert_eq!((code, count(&report, expected.0)), (Some(3), expected.1), "{kind}: {report}");
        assert!(!world.path().join("quarantine").exists(), "{kind}: a dry run changes nothing");
        let (code, report) = verify_archive(&world, &[]);
        assert_eq!((code, count(&report, "lost"), count(&report, "waiting")), (Some(0), 0, 0), "{kind}: {report}");
        let (code, report) = verify_archive(&world, &[]);
        assert_eq!((code, count(&report, "damaged"), count(&report, "missing")), (Some(0), 0, 0), "{kind}: {report}");
        assert_eq!(ids(&world), before, "{kind}");
        world.staged();
        let pages: usize = files(&world.path().join("pages")).iter().map(|path| rows(path).len()).sum();
        assert_eq!(pages, whole, "{kind}");
        let aside = files(&world.path().join("quarantine")).len();
        assert_eq!(aside, usize::from(!kind.ends_with("gone")), "{kind}: what was damaged is kept");
    }
}

#[test]
fn segments_that_are_gone_are_missed_by_the_seals_of_the_bus_alone() {
    for (kind, gone) in [("the last", 2..3), ("the last two", 1..3), ("the first", 0..1), ("all", 0..3)] {
        let world = World::new();
        for _ in 0..3 {
            world.append(3, artefacts(4));
            world.append(5, artefacts(1));
            world.ok(&["stage", "--once"]);
        }
        let before = ids(&world);
        // nothing is extracted, nothing uploaded: only the bus knows
        let segments = world.segments();
        segments[gone].iter().for_each(|segment| std::fs::remove_file(segment).unwrap());
        let (code, report) = verify_archive(&world, &["--dry-run"]);
        assert!(code == Some(3) && count(&report, "missing") > 0, "{kind}: {report}");
        let (code, report) = verify_archive(&world, &[]);
        assert_eq!((code, count(&report, "lost"), count(&report, "waiting")), (Some(0), 0, 0), "{kind}: {report}");
        assert_eq!(ids(&world), before, "{kind}");
        world.staged();
        let (code, report) = verify_archive(&world, &[]);
        assert_eq!((code, count(&report, "missing")), (Some(0), 0), "{kind}: {report}");
        // staging goes on where it was
        world.append(3, artefacts(2));
        world.ok(&["stage", "--once"]);
        assert_eq!(ids(&world).len(), before.len() + 2, "{kind}");
    }
}

#[test]
fn a_last_segment_that_is_gone_and_that_the_bus_has_no_more_is_a_recorded_loss() {
    for extracted in [false, true] {
        let (world, segments) = three_segments();
        if !extracted {
            ["pages", "links", "scripts"].iter().for_each(|set| {
                let _ = std::fs::remove_dir_all(world.path().join(set));
            });
        }
        world.at(NOON + 40 * DAY);
        while world.bus.maintain().unwrap() {}
        // the first is known by nothing but that this archive has sealed everything from 0 on
        std::fs::remove_file(&segments[2]).unwrap();
        std::fs::remove_file(&segments[0]).unwrap();
        let (code, report) = verify_archive(&world, &["--dry-run"]);
        assert_eq!((code, count(&report, "missing"), count(&report, "lost")), (Some(3), 2, 0), "{report}");
        let (code, report) = verify_archive(&world, &[]);
        assert_eq!((code, count(&report, "missing"), count(&report, "lost")), (Some(3), 2, 8), "{report}");
        // told once: from now on it is known, and staging goes on
        let (code, report) = verify_archive(&world, &[]);
        assert_eq!((code, count(&report, "missing"), count(&report, "gaps")), (Some(0), 0, 0), "{report}");
        world.append(3, artefacts(2));
        world.ok(&["stage", "--once"]);
        assert_eq!(ids(&world).len(), 6);
    }
}

#[test]
fn a_day_of_which_a_segment_is_gone_is_not_uploaded_until_it_is_back() {
    let (world, segments) = three_segments();
    let before = ids(&world);
    std::fs::remove_file(&segments[2]).unwrap();
    let output = run_upload(&world, "mongodb://127.0.0.1:9/night", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("is gone; run `etl verify --archive`"), "{}", text(&output));
    let status = text(&world.etl(&["status"]).output().unwrap());
    assert!(status.contains("etl verify --archive"), "{status}");
    // nor is more staged after it
    let output = world.etl(&["stage", "--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("`etl verify --archive`"), "{}", text(&output));
    // with no bus it is known by what was extracted from it, and waits for one
    let nowhere = world.path().join("nowhere");
    let output = world.etl_at(world.path(), &nowhere, &["verify", "--archive"]).output().unwrap();
    assert!(output.status.code() == Some(3) && text(&output).contains("waiting: "), "{}", text(&output));
    let (code, report) = verify_archive(&world, &[]);
    assert_eq!((code, count(&report, "staged_again")), (Some(0), 4), "{report}");
    assert_eq!(ids(&world), before);
}

#[test]
fn what_the_bus_has_no_more_becomes_a_recorded_loss() {
    let Some(server) = server("what_the_bus_has_no_more_becomes_a_recorded_loss") else { return };
    let (world, segments) = three_segments();
    world.at(NOON + 40 * DAY);
    while world.bus.maintain().unwrap() {}
    damage(&segments[1]);
    let (code, report) = verify_archive(&world, &[]);
    assert_eq!((code, count(&report, "damaged"), count(&report, "lost")), (Some(3), 1, 4), "{report}");
    // told once: from now on it is known
    let (code, report) = verify_archive(&world, &[]);
    assert_eq!((code, count(&report, "damaged"), count(&report, "gaps")), (Some(0), 0, 0), "{report}");
    assert_eq!(ids(&world).len(), 8);
    let status: serde_json::Value =
        serde_json::from_slice(&world.etl(&["status", "--days", "60", "--json"]).output().unwrap().stdout).unwrap();
    assert_eq!(status["lost"].as_i64(), Some(4), "{status}");
    // the day is uploaded without what is lost
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
    assert_equal(world.path(), &server.look());
}

#[test]
fn without_a_bus_what_was_set_aside_waits_for_one() {
    let (world, segments) = three_segments();
    let before = ids(&world);
    damage(&segments[0]);
    let nowhere = world.path().join("nowhere");
    let output = world.etl_at(world.path(), &nowhere, &["verify", "--archive"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains("waiting: ") && text(&output).contains("there is no bus"), "{}", text(&output));
    // the day is not complete until then, and says what to do
    let output = run_upload(&world, "mongodb://127.0.0.1:9/night", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("etl verify --archive"), "{}", text(&output));
    let (code, report) = verify_archive(&world, &[]);
    assert_eq!((code, count(&report, "staged_again")), (Some(0), 4), "{report}");
    assert_eq!(ids(&world), before);
}
