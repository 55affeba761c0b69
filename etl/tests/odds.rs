//! What is not as it should be: records that are none, records that are gone, a bus and an archive that do not fit together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use archive::{DataDir, Loss, Source};
use bus::{Batch, Cover, Event, Headers, Output, Record, topic};
use support::*;

fn append_raw(world: &World, partition: u32, record: Record) {
    world.bus.append(&[Output { topic: topic::ARTEFACTS.into(), partition, record }]).unwrap();
}

fn garbage(size: usize) -> Record {
    Record { key: "k".into(), value: Some(vec![7; size].into()), headers: Headers(vec![("x".into(), "y".into())]) }
}

fn dead_letters(world: &World) -> Vec<Record> {
    let mut scan = world.bus.scan(topic::DEAD_LETTERS, 0, 0).unwrap();
    let mut found = Vec::new();
    loop {
        let batch = scan.next_batch().unwrap();
        if batch.is_empty() {
            return found;
        }
        found.extend(batch.into_iter().map(|d| d.record));
    }
}

#[test]
fn records_that_are_no_artefacts_become_dead_letters_and_staging_goes_on() {
    let world = World::new();
    world.append(0, artefacts(1));
    append_raw(&world, 0, garbage(3));
    let mut wrong_hash = artefact("http://example.org/wrong", "body");
    wrong_hash.sha256 = "00".repeat(32);
    let mut no_url = artefact("http://example.org/none", "body");
    no_url.url = "mailto:x".into();
    world.append(0, vec![wrong_hash, no_url]);
    append_raw(&world, 0, Record { key: "gone".into(), value: None, headers: Headers::default() });
    world.append(0, artefacts(1));
    append_raw(&world, 1, garbage(10));
    let output = world.etl(&["stage", "--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));

    let offsets: Vec<i64> = world.staged()[&0].iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [0, 5]);
    assert_eq!(world.committed()[..2], [6, 1]);
    let letters = dead_letters(&world);
    let places: Vec<(&str, &str)> = letters
        .iter()
        .map(|r| (r.headers.text("dl_partition").unwrap(), r.headers.text("dl_offset").unwrap()))
        .collect();
    assert_eq!(places, [("0", "1"), ("0", "2"), ("0", "3"), ("0", "4"), ("1", "0")]);
    assert_eq!((letters[0].key.as_ref(), letters[0].value.as_deref()), (&b"k"[..], Some(&[7, 7, 7][..])));
    assert_eq!(letters[0].headers.text("x"), Some("y"));
    assert!(letters[1].headers.text("dl_error").unwrap().contains("SHA-256"), "{:?}", letters[1].headers);
    assert!(letters[2].headers.text("dl_error").unwrap().contains("mailto"), "{:?}", letters[2].headers);
    world.ok(&["stage", "--once"]);
    assert_eq!(dead_letters(&world).len(), 5);
}

#[test]
fn many_and_large_dead_letters_fit_into_their_publishes() {
    let world = World::new();
    for _ in 0..3 {
        append_raw(&world, 0, garbage(1000));
        append_raw(&world, 0, garbage((16 << 20) - 100));
    }
    let small: Vec<Output> =
        (0..1000).map(|_| Output { topic: topic::ARTEFACTS.into(), partition: 0, record: garbage(1) }).collect();
    world.bus.append(&small).unwrap();
    world.bus.append(&small).unwrap();
    assert_eq!(world.etl(&["stage", "--once"]).output().unwrap().status.code(), Some(3));
    assert_eq!(world.committed()[0], 2006);
    assert_eq!(dead_letters(&world).len(), 2006);
}

#[test]
fn what_expired_before_it_was_staged_is_a_recorded_loss() {
    let world = World::new();
    world.append(2, artefacts(3));
    world.append(3, artefacts(1));
    world.ok(&["stage", "--once"]);
    world.append(2, artefacts(4));
    world.at(NOON + 40 * DAY);
    world.append(2, artefacts(2));
    while world.bus.maintain().unwrap() {}
    assert_eq!(world.bus.offsets(topic::ARTEFACTS, 2).unwrap().start, 7, "the test expects retention to have worked");
    let output = world.etl(&["stage", "--once", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("4 offsets expired"), "{}", text(&output));
    let losses = Loss::list(&DataDir::new(world.path())).unwrap();
    let losses: Vec<_> = losses.iter().map(|l| (l.source.clone(), l.from, l.next)).collect();
    assert_eq!(losses, [(Source::Partition(2), 3, 7)]);
    let intervals: Vec<(String, String)> = world
        .segments()
        .iter()
        .map(|p| facts(p))
        .filter(|f| f["partition"] == "2")
        .map(|f| (f["from"].clone(), f["next"].clone()))
        .collect();
    assert_eq!(intervals, [("0".into(), "3".into()), ("7".into(), "9".into())]);
    let listed = world.ok(&["ls"]);
    assert!(listed.contains("lost: p002 offsets 3 to 7") && !listed.contains("gap:"), "{listed}");
}

#[test]
fn a_new_archive_says_where_it_starts_and_takes_all_there_is_from_the_start() {
    let world = World::new();
    world.append(0, artefacts(3));
    world.append(1, artefacts(2));
    world.ok(&["stage", "--once"]);
    let first = world.staged();

    let second = tempfile::tempdir().unwrap();
    let run = |data: &std::path::Path, args: &[&str]| {
        let output = world.etl_on(data, &[&["stage", "--once"], args].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(second.path(), &[]).contains("--from-start"));
    world.append(0, artefacts(1));
    run(second.path(), &[]);
    assert_eq!(staged(second.path())[&0].len(), 1);
    run(second.path(), &["--from-start"]);
    assert_eq!(staged(second.path())[&0].len(), 4);
    assert_eq!(staged(second.path())[&1], first[&1]);
    let before = files(&second.path().join("artefacts"));
    run(second.path(), &["--from-start"]);
    assert_eq!(files(&second.path().join("artefacts")), before);

    let third = tempfile::tempdir().unwrap();
    run(third.path(), &["--from-start", "--segment-rows", "2"]);
    assert_eq!(staged(third.path()), staged(second.path()));
    // The first archive goes on as if nothing had been: its own history has a gap, which it says.
    world.append(0, artefacts(1));
    world.ok(&["stage", "--once"]);
    assert!(world.ok(&["ls"]).contains("gap: p000 lacks offsets 3 to 4"));
}

#[test]
fn a_segment_that_is_missing_is_staged_again_while_the_bus_has_its_records() {
    for remedy in ["--from-start", "--accept-loss"] {
        let world = World::new();
        for _ in 0..3 {
            world.append(0, artefacts(2));
            world.ok(&["stage", "--once"]);
        }
        let before = world.staged();
        std::fs::remove_file(&world.segments()[2]).unwrap();
        world.append(0, artefacts(1));
        let output = world.etl(&["stage", "--once", "--quiet"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.lines().count() == 1 && error.contains("offsets 4 to 6"), "{error}");
        let (again, lost) = (error.find("--from-start").unwrap(), error.find("--accept-loss").unwrap());
        assert!(again < lost, "what loses nothing comes first: {error}");
        world.ok(&["stage", "--once", remedy]);
        let staged = world.staged();
        assert_eq!((&staged[&0][..6], staged[&0].len()), (&before[&0][..], 7), "{remedy}");
        assert_eq!(Loss::list(&DataDir::new(world.path())).unwrap(), [], "{remedy}");
        world.append(0, artefacts(1));
        world.ok(&["stage", "--once"]);
        assert_eq!(world.staged()[&0].len(), 8, "{remedy}");
    }
}

#[test]
fn of_a_segment_that_is_missing_only_what_the_bus_has_no_more_is_lost() {
    let world = World::new();
    world.append(0, artefacts(3));
    world.ok(&["stage", "--once"]);
    std::fs::remove_file(&world.segments()[0]).unwrap();
    world.at(NOON + 40 * DAY);
    while world.bus.maintain().unwrap() {}
    world.append(0, artefacts(1));
    let output = world.etl(&["stage", "--once", "--from-start", "--quiet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("0 to 3 no more") && text(&output).contains("--accept-loss"), "{}", text(&output));
    world.ok(&["stage", "--once", "--accept-loss"]);
    let losses = Loss::list(&DataDir::new(world.path())).unwrap();
    assert_eq!(losses.iter().map(|l| (l.from, l.next)).collect::<Vec<_>>(), [(0, 3)]);
    assert_eq!(world.segments().len(), 1);
    world.ok(&["stage", "--once"]);
    // of the next one the bus has the second half
    world.at(NOON + 41 * DAY);
    world.append(1, artefacts(2));
    world.at(NOON + 41 * DAY + 3_600_000);
    world.append(1, artefacts(2));
    world.ok(&["stage", "--once"]);
    let segment = world.segments().into_iter().find(|path| facts(path)["partition"] == "1").unwrap();
    std::fs::remove_file(segment).unwrap();
    world.at(NOON + 71 * DAY + 1_800_000);
    while world.bus.maintain().unwrap() {}
    assert_eq!(world.bus.offsets(topic::ARTEFACTS, 1).unwrap().start, 2, "the test expects retention to have worked");
    world.ok(&["stage", "--once", "--accept-loss"]);
    let losses = Loss::list(&DataDir::new(world.path())).unwrap();
    assert_eq!(losses.iter().map(|l| (l.from, l.next)).collect::<Vec<_>>(), [(0, 3), (0, 2)]);
    let segment = world.segments().into_iter().find(|path| facts(path)["partition"] == "1").unwrap();
    assert_eq!(rows(&segment).iter().map(|row| int(row, "offset")).collect::<Vec<_>>(), [2, 3]);
    world.ok(&["stage", "--once"]);
}

#[test]
fn a_group_that_something_else_moved_stops_staging() {
    let world = World::new();
    world.append(0, artefacts(2));
    world.ok(&["stage", "--once"]);
    world.append(0, artefacts(2));
    {
        let (mut reader, mut writer) = world.bus.join(topic::STAGE_GROUP, "other", &[topic::ARTEFACTS]).unwrap();
        let epoch = loop {
            if let Event::Assigned(list) = reader.poll(std::time::Duration::from_secs(1)).unwrap() {
                break list.iter().find(|a| a.partition == 0).unwrap().epoch;
            }
        };
        let cover = Cover { topic: topic::ARTEFACTS.into(), partition: 0, next: 4, epoch };
        writer.publish(&Batch { outputs: vec![], covers: vec![cover] }).unwrap();
    }
    let output = world.etl(&["stage", "--once", "--quiet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("committed offset 4") && error.contains("seals end at 2"), "{error}");
}

#[test]
fn an_archive_of_another_bus_is_not_mixed_with_this_one() {
    let world = World::new();
    world.append(0, artefacts(2));
    world.ok(&["stage", "--once"]);
    let other = World::new();
    other.append(0, artefacts(5));
    let output = other.etl_on(world.path(), &["stage", "--once", "--quiet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("another bus"), "{}", text(&output));
    assert_eq!(world.staged()[&0].len(), 2);
}
