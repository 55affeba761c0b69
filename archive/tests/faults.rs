//! A crash and an error at every write, fsync and rename of the small files: what is there afterwards is whole, and the
//! next run goes on. And the order of syncs and renames, which no crash of a process alone can show.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, ExitStatus};

use archive::{Catalogue, DataDir, Day, FileEntry, Loss, Manifest, Mark, Run, RunDir, Span, TmpDir};
use sha2::{Digest, Sha256};

/// When set, this process is a child of a test and writes there.
const ROLE: &str = "ARCHIVE_TEST_WRITES";

/// System calls that change what is on disk.
const CALLS: &str = "mkdir,write,fsync,ftruncate,rename,renameat2,unlink,unlinkat,rmdir,linkat";

fn today() -> Day {
    "2026-11-21".parse().unwrap()
}

/// Everything that this crate writes, once.
fn write_all(data: &DataDir) -> archive::Result<()> {
    data.archive_id()?;
    let _tmp = TmpDir::create(data, "stage")?;
    Mark::new("artefacts", 3, 10).write(data, today())?;
    Mark::new("artefacts", 3, 20).write(data, today())?;
    Loss::of_partition("artefacts", 3, 5, 10, "expired").record(data)?;
    let run = RunDir::create(&data.all_reports(), "terms", Span::day(today()))?;
    let table = run.path().join("terms.parquet");
    let made = std::fs::write(&table, "rows");
    made.map_err(|source| archive::Error::Io { action: "cannot write", path: table, source })?;
    let outputs = vec![FileEntry { path: "terms.parquet".into(), rows: Some(2), ..FileEntry::default() }];
    run.finish(Manifest { outputs, ..Manifest::default() })?;
    Ok(())
}

/// Not a test of its own: what the children of the others run.
#[test]
fn child_that_writes() {
    let Some(root) = std::env::var_os(ROLE) else { return };
    if let Err(error) = write_all(&DataDir::new(root)) {
        eprintln!("{error}");
        #[allow(clippy::disallowed_methods, reason = "the code is what the parent looks at")]
        std::process::exit(3);
    }
}

/// Runs the child under strace; `None` where there is no strace.
fn traced(test: &str, root: &Path, arguments: &[&str]) -> Option<ExitStatus> {
    let log = root.with_extension("log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-y", "-o"]).arg(&log).args(arguments).arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "child_that_writes"]).env(ROLE, root);
    match strace.output() {
        Ok(output) => Some(output.status),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test}: strace: {error}, and CI=true");
            eprintln!("not run: {test}: strace: {error}");
            None
        }
    }
}

/// What was written is whole or not there.
fn check(data: &DataDir, when: &str) {
    let marks = Mark::read(data, today()).unwrap_or_else(|error| panic!("{when}: {error}"));
    assert!(marks.is_empty() || marks.len() == 1 && [10, 20].contains(&marks[0].next), "{when}");
    assert!(Loss::list(data).unwrap_or_else(|error| panic!("{when}: {error}")).len() <= 1, "{when}");
    for run in Run::list(data, None).unwrap() {
        let outputs = run.manifest().unwrap_or_else(|error| panic!("{when}: {error}")).outputs;
        assert_eq!(outputs.len(), 1, "{when}");
        let content = std::fs::read(run.path.join(&outputs[0].path)).unwrap();
        assert_eq!(hex::encode(Sha256::digest(content)), outputs[0].sha256, "{when}");
    }
    let catalogue = Catalogue::read(data).unwrap();
    assert!(catalogue.days.is_empty() && catalogue.strangers.is_empty(), "{when}");
}

/// Lets the child fail at each of its calls in turn; says how many there were.
fn enumerate(test: &str, failure: &str) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    let mut met = 0;
    for call in CALLS.split(',') {
        for n in 1.. {
            assert!(n < 1000, "{call}: still not at the end");
            let when = format!("{failure} at {call} {n}");
            let data = DataDir::new(folder.path().join(format!("{call}-{n}")));
            let inject = format!("inject={call}:{failure}:when={n}");
            let status = traced(test, data.root(), &["-e", &format!("trace={call}"), "-e", &inject])?;
            let log = std::fs::read_to_string(data.root().with_extension("log")).unwrap();
            if status.success() && !log.contains("(INJECTED)") {
                break;
            }
            met += 1;
            check_and_go_on(&data, &when);
        }
    }
    Some(met)
}

/// After a failure all is whole; the next run goes on, and clears away what was left.
fn check_and_go_on(data: &DataDir, when: &str) {
    check(data, when);
    let made = data.root().join("archive.json").exists().then(|| data.archive_id().unwrap());
    write_all(data).unwrap_or_else(|error| panic!("{when}: then {error}"));
    check(data, when);
    assert!(made.is_none_or(|id| id == data.archive_id().unwrap()), "{when}");
    assert_eq!((Mark::read(data, today()).unwrap()[0].next, Loss::list(data).unwrap().len()), (20, 1), "{when}");
    TmpDir::sweep(data, "stage").unwrap();
    assert_eq!(std::fs::read_dir(data.tmp()).unwrap().count(), 0, "{when}");
    let span = std::fs::read_dir(data.reports("terms").join("day=2026-11-21")).unwrap();
    let names = span.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with('.')).count(), 0, "{when}");
}

#[test]
fn a_crash_at_any_call_leaves_what_is_whole() {
    if let Some(calls) = enumerate("a_crash_at_any_call_leaves_what_is_whole", "signal=SIGKILL") {
        println!("{calls} calls");
        assert!(calls > 40, "only {calls} calls were met");
    }
}

#[test]
fn a_disk_that_is_full_at_any_call_leaves_what_is_whole() {
    if let Some(calls) = enumerate("a_disk_that_is_full_at_any_call_leaves_what_is_whole", "error=ENOSPC") {
        println!("{calls} calls");
        assert!(calls > 40, "only {calls} calls were met");
    }
}

#[test]
fn content_is_synced_before_it_gets_its_name_and_the_name_after() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path().join("data"));
    let test = "content_is_synced_before_it_gets_its_name_and_the_name_after";
    let calls = format!("trace={CALLS}");
    if traced(test, data.root(), &["-e", &calls]).is_none() {
        return;
    }
    let log = std::fs::read_to_string(data.root().with_extension("log")).unwrap();
    let span = "/reports/terms/day=2026-11-21";
    for steps in [
        // a new folder, and a file that must not be there
        vec![
            "mkdir /data\"",
            "fsync /tmp",
            "write .archive.json.",
            "fsync .archive.json.",
            "renameat2 archive.json",
            "fsync /data>",
        ],
        // a folder of unfinished files
        vec!["mkdir /data/tmp\"", "fsync /data>", "mkdir /tmp/stage-", "fsync /data/tmp>"],
        // a file that is replaced
        vec![
            "write .artefacts-p003.json.",
            "fsync .artefacts-p003.json.",
            "rename /artefacts-p003.json\"",
            "fsync /marks/day=2026-11-21>",
            "write .artefacts-p003.json.",
            "fsync .artefacts-p003.json.",
            "rename /artefacts-p003.json\"",
            "fsync /marks/day=2026-11-21>",
        ],
        // a report
        vec![
            "write terms.parquet",
            "fsync terms.parquet",
            "write .manifest.json.",
            "fsync .manifest.json.",
            "renameat2 manifest.json",
            "fsync .tmp>",
            "fsync ._SUCCESS.",
            "renameat2 _SUCCESS",
            "fsync .tmp>",
            "rename /run=",
            &format!("fsync {span}>"),
        ],
    ] {
        let mut lines = log.lines();
        for step in &steps {
            let (call, about) = step.split_once(' ').unwrap();
            let found = lines.any(|line| line.contains(&format!(" {call}(")) && line.contains(about));
            assert!(found, "`{step}` of {steps:?} in:\n{log}");
        }
    }
}
