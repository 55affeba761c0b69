//! Locks and folders of unfinished files, also across processes: who holds, who is told, what a crash leaves.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use archive::{DataDir, Error, Lock, TmpDir};
use tempfile::TempDir;

/// When set, this process is a child of a test and holds what it names until it is killed.
const ROLE: &str = "ARCHIVE_TEST_HOLDS";

fn data() -> (TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    (folder, data)
}

/// A process that holds a lock or a folder, killed when dropped.
struct Holder {
    child: Child,
}

impl Holder {
    fn start(data: &DataDir, role: &str) -> Holder {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_holds", "--nocapture"])
            .env(ROLE, format!("{role} {}", data.root().display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.contains("holding")), "the child holds it");
        Holder { child }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test of its own: what the children of the others run.
#[test]
fn child_that_holds() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (role, root) = role.split_once(' ').unwrap();
    let data = DataDir::new(root);
    let _lock = (role == "lock").then(|| Lock::take(&data, "stage").unwrap());
    let _tmp = (role == "tmp").then(|| {
        let tmp = TmpDir::create(&data, "stage").unwrap();
        std::fs::write(tmp.path().join("half.parquet"), "half").unwrap();
        tmp
    });
    println!("\nholding");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_second_taker_is_told_who_holds_the_lock() {
    let (_folder, data) = data();
    let mut holder = Holder::start(&data, "lock");
    let error = Lock::take(&data, "stage").unwrap_err();
    let Error::Busy { job, holder: named, path } = &error else { panic!("{error}") };
    assert_eq!((job.as_str(), path), ("stage", &data.locks().join("stage.lock")));
    assert!(named.contains(&format!("process {} on ", holder.child.id())) && named.contains("since 20"), "{named}");
    assert!(error.to_string().starts_with("`stage` is already running: held-"), "{error}");
    // another job is free, and a dead holder's lock is free at once
    Lock::take(&data, "extract-2026-11-21").unwrap();
    holder.kill();
    let ours = Lock::take(&data, "stage").unwrap();
    let error = Lock::take(&data, "stage").unwrap_err().to_string();
    assert!(error.contains(&format!("process {} on ", std::process::id())), "{error}");
    drop(ours);
    Lock::take(&data, "stage").unwrap();
}

#[test]
fn of_many_takers_at_once_one_holds_the_lock() {
    let (_folder, data) = data();
    for _ in 0..50 {
        let barrier = std::sync::Barrier::new(4);
        let held: usize = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let lock = Lock::take(&data, "stage");
                        // nobody lets go before all have tried
                        barrier.wait();
                        usize::from(lock.is_ok())
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(held, 1);
    }
}

#[test]
fn a_job_is_a_file_name() {
    let (_folder, data) = data();
    for wrong in ["", "..", "a/b", "a b", "ä", &"a".repeat(201)] {
        assert!(matches!(Lock::take(&data, wrong), Err(Error::Invalid { .. })), "{wrong}");
    }
}

#[test]
fn a_folder_is_abandoned_when_its_process_is_dead() {
    let (_folder, data) = data();
    let mut holder = Holder::start(&data, "tmp");
    let path = data.tmp().join(format!("stage-{}", holder.child.id()));
    assert!(path.is_dir());
    assert_eq!(TmpDir::abandoned(&data, "stage").unwrap(), Vec::<PathBuf>::new());
    assert!(TmpDir::adopt(&path).unwrap().is_none());
    holder.kill();
    assert_eq!(TmpDir::abandoned(&data, "stage").unwrap(), std::slice::from_ref(&path));
    assert_eq!(TmpDir::abandoned(&data, "extract").unwrap(), Vec::<PathBuf>::new());
    // who takes it over holds it, and removes it
    let adopted = TmpDir::adopt(&path).unwrap().unwrap();
    assert_eq!(std::fs::read(adopted.path().join("half.parquet")).unwrap(), b"half");
    assert_eq!(TmpDir::abandoned(&data, "stage").unwrap(), Vec::<PathBuf>::new());
    drop(adopted);
    assert_eq!(std::fs::read_dir(data.tmp()).unwrap().count(), 0);
}

#[test]
fn a_process_id_that_is_used_again_does_not_hide_or_harm_what_was_left() {
    let (_folder, data) = data();
    let left = data.tmp().join(format!("stage-{}", std::process::id()));
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("half.parquet"), "half").unwrap();
    let ours = TmpDir::create(&data, "stage").unwrap();
    assert_ne!(ours.path(), left);
    assert_eq!(TmpDir::abandoned(&data, "stage").unwrap(), std::slice::from_ref(&left));
    assert!(left.join("half.parquet").is_file());
    assert_eq!(TmpDir::sweep(&data, "stage").unwrap(), 1);
    assert!(!left.exists() && ours.path().is_dir());
    drop(ours);
    assert_eq!(std::fs::read_dir(data.tmp()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_kept_is_left_for_the_next_run() {
    let (_folder, data) = data();
    let tmp = TmpDir::create(&data, "stage").unwrap();
    std::fs::write(tmp.path().join("sealed.parquet"), "sealed").unwrap();
    let kept = tmp.keep();
    assert!(kept.join("sealed.parquet").is_file());
    assert_eq!(TmpDir::abandoned(&data, "stage").unwrap(), [kept]);
}

#[test]
fn only_folders_of_the_program_are_its_own() {
    let (_folder, data) = data();
    for name in ["stage-1", "stage-1-2", "stage-x-1", "stage-1-2-3", "stage", "stage-", "extract-1", "restage-1"] {
        std::fs::create_dir_all(data.tmp().join(name)).unwrap();
    }
    std::fs::write(data.tmp().join("stage-5"), "a file").unwrap();
    // a lock whose folder is gone is cleared away
    std::fs::write(data.tmp().join("stage-6.lock"), "").unwrap();
    let found: Vec<_> = TmpDir::abandoned(&data, "stage").unwrap();
    assert_eq!(found, ["stage-1", "stage-1-2"].map(|name| data.tmp().join(name)));
    assert!(!data.tmp().join("stage-6.lock").exists());
    for wrong in ["", "../stage", "a b"] {
        assert!(TmpDir::create(&data, wrong).is_err());
    }
}
