//! Small files: the archive's id, marks, losses, reports; and that damage in them is told, not hidden.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use archive::{DataDir, Day, Error, FileEntry, Loss, Manifest, Mark, Run, RunDir, Span};
use tempfile::TempDir;

fn data() -> (TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path().join("data"));
    (folder, data)
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

#[test]
fn an_archive_has_one_id_whoever_asks_first() {
    let (_folder, data) = data();
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| data.archive_id().unwrap())).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 1);
    assert_eq!(ids.first(), Some(&data.archive_id().unwrap()));
    assert_eq!(std::fs::read_dir(data.root()).unwrap().count(), 1, "archive.json and nothing else");
}

#[test]
fn a_damaged_id_is_an_error_and_is_not_made_anew() {
    for damage in ["", "{}", "{\"id\": \"x\", \"created\": \"\"}", "\0\0\0\0"] {
        let (_folder, data) = data();
        data.archive_id().unwrap();
        let path = data.root().join("archive.json");
        std::fs::write(&path, damage).unwrap();
        let error = data.archive_id().unwrap_err().to_string();
        assert!(error.contains("archive.json: is damaged"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), damage);
    }
}

#[test]
fn a_mark_is_written_once_and_read_back() {
    let (_folder, data) = data();
    let today = day("2026-11-21");
    assert_eq!(Mark::read(&data, today).unwrap(), []);
    let marks = [Mark::new("artefacts", 0, 10), Mark::new("artefacts", 12, 0), Mark::new("test7.artefacts", 1, 5)];
    for mark in marks.iter().rev() {
        mark.write(&data, today).unwrap();
    }
    assert_eq!(Mark::read(&data, today).unwrap(), marks);
    assert_eq!(Mark::read(&data, today.next()).unwrap(), []);
    assert!(data.marks().join("day=2026-11-21/artefacts-p012.json").is_file());

    // the same again changes nothing, another offset does
    let again = Mark { at: "2030-01-01T00:00:00Z".into(), ..marks[0].clone() };
    again.write(&data, today).unwrap();
    assert_eq!(Mark::read(&data, today).unwrap(), marks);
    let further = Mark { next: 11, ..again };
    further.write(&data, today).unwrap();
    assert_eq!(Mark::read(&data, today).unwrap()[0], further);
}

#[test]
fn a_damaged_mark_is_told_and_can_be_written_anew() {
    let (_folder, data) = data();
    let (today, mark) = (day("2026-11-21"), Mark::new("artefacts", 0, 10));
    mark.write(&data, today).unwrap();
    let path = data.marks().join("day=2026-11-21/artefacts-p000.json");
    std::fs::write(&path, "{\"topic\": \"arte").unwrap();
    let error = Mark::read(&data, today).unwrap_err().to_string();
    assert!(error.contains("artefacts-p000.json: is damaged"), "{error}");
    mark.write(&data, today).unwrap();
    assert_eq!(Mark::read(&data, today).unwrap(), [mark]);
}

#[test]
fn a_loss_is_recorded_once_with_its_first_reason() {
    let (_folder, data) = data();
    assert_eq!(Loss::list(&data).unwrap(), []);
    let loss = Loss::of_partition("artefacts", 3, 100, 250, "expired on the bus before it was staged");
    assert!(loss.record(&data).unwrap());
    assert!(!Loss { reason: "another".into(), ..loss.clone() }.record(&data).unwrap());
    assert!(Loss::of_partition("artefacts", 3, 0, 7, "damaged").record(&data).unwrap());
    let losses = Loss::list(&data).unwrap();
    assert_eq!(losses.len(), 2);
    assert_eq!((losses[0].from, &losses[1]), (0, &loss));
    assert!(Loss::of_partition("artefacts", 3, 7, 7, "").record(&data).is_err());
    for name in ["", "..", "a/b", ".hidden", "a\0b", "ä"] {
        let error = Loss::of_partition(name, 0, 0, 1, "").record(&data).unwrap_err().to_string();
        assert!(error.ends_with("is not the name of a topic"), "{error}");
        assert!(Mark::new(name, 0, 0).write(&data, day("2026-11-21")).is_err());
    }
}

/// A manifest with every field set.
fn manifest() -> Manifest {
    let entry =
        |path: &str, rows| FileEntry { path: path.into(), sha256: "ab".into(), bytes: 7, rows, ..FileEntry::default() };
    Manifest {
        arguments: vec!["mine".into(), "terms".into()],
        versions: [("kafkaspider".to_owned(), "0.1.0".to_owned())].into(),
        seed: Some(42),
        inputs: vec![entry("pages/day=2026-11-21/pages-p000-…", Some(3))],
        outputs: vec![entry("terms.parquet", Some(2))],
        started: "2026-11-21T10:00:00Z".into(),
        finished: "2026-11-21T10:00:01Z".into(),
        wall_seconds: 1.25,
        cpu_seconds: 0.5,
        peak_memory: 1 << 20,
        ..Manifest::default()
    }
}

#[test]
fn a_run_is_listed_when_it_is_finished_and_not_before() {
    let (_folder, data) = data();
    let reports = data.all_reports();
    let span = Span::day(day("2026-11-21"));
    assert_eq!(Run::list(&data, None).unwrap(), []);
    let writing = RunDir::create(&reports, "terms", span).unwrap();
    std::fs::write(writing.path().join("terms.parquet"), "abc").unwrap();
    std::fs::create_dir(writing.path().join("more")).unwrap();
    std::fs::write(writing.path().join("more/terms.csv"), "").unwrap();
    assert_eq!(Run::list(&data, None).unwrap(), []);
    let run = writing.finish(manifest()).unwrap();
    assert_eq!(run.path, data.reports("terms").join("day=2026-11-21").join(format!("run={}", run.run)));
    assert!(run.path.join("_SUCCESS").is_file());

    let other = RunDir::create(&reports, "links", Span::new(day("2026-11-21"), day("2026-11-01"))).unwrap();
    let other = other.finish(Manifest::default()).unwrap();
    assert_eq!(other.span, "from=2026-11-01,to=2026-11-21");
    assert_eq!(Run::list(&data, None).unwrap(), [run.clone(), other.clone()]);
    assert_eq!(Run::list(&data, Some("terms")).unwrap(), std::slice::from_ref(&run));
    assert_eq!(Run::list(&data, Some("none")).unwrap(), []);

    // the manifest holds what was given, with the outputs hashed
    let written = run.manifest().unwrap();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let outputs = vec![
        FileEntry { path: "more/terms.csv".into(), sha256: empty.into(), bytes: 0, rows: None, ..FileEntry::default() },
        FileEntry { path: "terms.parquet".into(), sha256: abc.into(), bytes: 3, rows: Some(2), ..FileEntry::default() },
    ];
    assert_eq!(written, Manifest { miner: "terms".into(), run: run.run.clone(), outputs, ..manifest() });

    // one whose end was lost is not there
    std::fs::remove_file(other.path.join("_SUCCESS")).unwrap();
    assert_eq!(Run::list(&data, None).unwrap(), [run]);
}

#[test]
fn a_run_that_is_not_finished_leaves_nothing() {
    let (_folder, data) = data();
    let span = Span::day(day("2026-11-21"));
    let run = RunDir::create(&data.all_reports(), "terms", span).unwrap();
    std::fs::write(run.path().join("terms.parquet"), "abc").unwrap();
    drop(run);
    let folder = data.reports("terms").join("day=2026-11-21");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

    let run = RunDir::create(&data.all_reports(), "terms", span).unwrap();
    let error = run.finish(manifest()).unwrap_err().to_string();
    assert!(error.ends_with("terms.parquet: is listed as an output and is not there"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    assert!(RunDir::create(&data.all_reports(), "../terms", span).is_err());
}

#[test]
fn what_a_crashed_run_left_is_removed_by_the_next_and_a_living_one_is_not() {
    let (_folder, data) = data();
    let span = Span::day(day("2026-11-21"));
    let living = RunDir::create(&data.all_reports(), "terms", span).unwrap();
    let folder = living.path().parent().unwrap().to_path_buf();
    let crashed = folder.join(".run=0190a8e0-0000-7000-8000-000000000000.tmp");
    std::fs::create_dir(&crashed).unwrap();
    std::fs::write(crashed.join("terms.parquet"), "half").unwrap();
    let finished = RunDir::create(&data.all_reports(), "terms", span).unwrap().finish(Manifest::default()).unwrap();
    assert!(!crashed.exists());
    assert!(living.path().is_dir());
    drop(living);
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [finished.path]);
}

#[test]
fn a_manifest_of_another_version_is_read() {
    let (_folder, data) = data();
    let run = RunDir::create(&data.all_reports(), "terms", Span::day(day("2026-11-21"))).unwrap();
    let run = run.finish(Manifest::default()).unwrap();
    std::fs::write(run.path.join("manifest.json"), "{\"miner\": \"terms\", \"new\": 1}").unwrap();
    assert_eq!(run.manifest().unwrap().miner, "terms");
    std::fs::write(run.path.join("manifest.json"), "{\"miner\": ").unwrap();
    assert!(matches!(run.manifest(), Err(Error::Invalid { .. })));
}
