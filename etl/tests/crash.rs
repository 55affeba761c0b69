//! What a crash leaves is made good: at every write, sync and rename of one sealing, at random, and on a full disk.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use support::*;

/// Every system call by which a program changes a disk.
const CHANGES: [&str; 13] = [
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
];

/// Two partitions with records of two days, and what staging them must give.
fn template() -> (tempfile::TempDir, BTreeMap<u32, Vec<(i64, String)>>) {
    let world = World::new();
    let mut want = BTreeMap::new();
    for (p, n) in [(0, 3), (3, 2)] {
        let artefacts = artefacts(n);
        let ids = artefacts.iter().map(|a| a.id.to_string());
        want.insert(p, (0..).zip(ids).collect());
        world.append(p, artefacts);
    }
    // Nothing has been staged or even opened by the executable here.
    let World { dir, bus, .. } = world;
    drop(bus);
    (dir, want)
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn stage(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
    command.args(["stage", "--once", "--quiet", "--data"]).arg(data);
    command.env("KAFKASPIDER_TEST_CLOCK", "2026-11-21T13:00:00Z").env_remove("KAFKASPIDER_BUS");
    command
}

/// A command under strace, which has these arguments.
fn strace(arguments: &[&str], command: &Command) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq"]).args(arguments).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace.stdout(Stdio::null()).stderr(Stdio::null());
    strace
}

/// Runs a command under strace and kills it at its n-th call; true when it was killed.
fn killed_at(command: &Command, call: &str, n: u32) -> bool {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={n}"));
    let status = strace(&["-o", "/dev/null", "-e", &trace, "-e", &inject], command).status().unwrap();
    match status.code() {
        Some(0) => false,
        // strace dies of the signal that killed its child, or says so by its code.
        None | Some(137) => true,
        other => panic!("{call} {n}: exit code {other:?}"),
    }
}

/// Everything is staged once, nothing is left over, and another run has nothing to do.
fn is_whole(data: &Path, want: &BTreeMap<u32, Vec<(i64, String)>>, after: &str) {
    let output = stage(data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{after}: {}", text(&output));
    assert_eq!(staged(data), *want, "{after}");
    let left = std::fs::read_dir(data.join("tmp")).unwrap().count();
    assert_eq!(left, 0, "{after}: unfinished files are left");
    let before = files(&data.join("artefacts"));
    let output = stage(data).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{after}, again: {}", text(&output));
    assert_eq!(files(&data.join("artefacts")), before, "{after}, again");
}

#[test]
fn a_crash_at_every_write_sync_and_rename_of_a_sealing_loses_and_doubles_nothing() {
    if !have("strace", "a_crash_at_every_write_sync_and_rename_of_a_sealing_loses_and_doubles_nothing") {
        return;
    }
    let (template, want) = template();
    let mut crashes = 0;
    for call in CHANGES {
        for n in 1.. {
            let data = tempfile::tempdir().unwrap();
            copy(template.path(), data.path());
            if !killed_at(&stage(data.path()), call, n) {
                break;
            }
            crashes += 1;
            is_whole(data.path(), &want, &format!("killed at {call} {n}"));
        }
    }
    assert!(crashes > 40, "only {crashes} crashes: the calls are not those that the program makes");
}

/// A process that is killed loses no rename, a machine without power does.
#[test]
fn a_file_is_synced_before_its_rename_and_its_folder_after_it() {
    if !have("strace", "a_file_is_synced_before_its_rename_and_its_folder_after_it") {
        return;
    }
    let (template, want) = template();
    let log = template.path().join("calls");
    let calls = ["-y", "-s", "500", "-e", "trace=fsync,renameat2", "-o", log.to_str().unwrap()];
    assert!(strace(&calls, &stage(template.path())).status().unwrap().success());
    let calls = std::fs::read_to_string(&log).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    let synced =
        |calls: &[&str], path: &str| calls.iter().any(|c| c.contains("fsync(") && c.contains(&format!("<{path}>)")));
    let mut renamed = 0;
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.contains(".unfinished")) {
        let Some((_, names)) = call.split_once("renameat2(") else { continue };
        let names: Vec<&str> = names.split('"').collect();
        let folder = Path::new(names[3]).parent().unwrap().to_str().unwrap();
        assert!(synced(&calls[..at], names[1]), "{} is renamed unsynced: {calls:#?}", names[1]);
        assert!(synced(&calls[at..], folder), "{folder} is not synced after {}: {calls:#?}", names[3]);
        renamed += 1;
    }
    assert_eq!(renamed, want.len());
}

#[test]
fn a_crash_at_every_step_of_the_recovery_is_recovered_from() {
    if !have("strace", "a_crash_at_every_step_of_the_recovery_is_recovered_from") {
        return;
    }
    let (template, want) = template();
    // Killed at its first rename into the archive: both segments are sealed, none is in place.
    let sealed = tempfile::tempdir().unwrap();
    copy(template.path(), sealed.path());
    let mut n = 1;
    while killed_at(&stage(sealed.path()), "renameat2", n) && !is_sealed(sealed.path()) {
        std::fs::remove_dir_all(sealed.path()).unwrap();
        std::fs::create_dir(sealed.path()).unwrap();
        copy(template.path(), sealed.path());
        n += 1;
    }
    assert!(is_sealed(sealed.path()) && files(&sealed.path().join("artefacts")).is_empty());
    for call in CHANGES {
        for n in 1.. {
            let data = tempfile::tempdir().unwrap();
            copy(sealed.path(), data.path());
            if !killed_at(&stage(data.path()), call, n) {
                break;
            }
            is_whole(data.path(), &want, &format!("recovery killed at {call} {n}"));
        }
    }
}

fn is_sealed(data: &Path) -> bool {
    let bus = bus::Bus::open(data.join("bus.db").to_str().unwrap(), &bus::Options::default()).unwrap();
    bus.offsets(bus::topic::SEALS, 0).is_ok_and(|offsets| offsets.end > 0)
}

#[test]
fn a_stager_killed_again_and_again_under_load_stages_everything_once() {
    let world = World::new();
    let mut ids: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for round in 0..10_u64 {
        for p in [1, 5, 9] {
            let some = artefacts(40);
            ids.entry(p).or_default().extend(some.iter().map(|a| a.id.to_string()));
            world.append(p, some);
        }
        let sealed = world.segments().len();
        let mut stager = world.etl(&["stage", "--quiet", "--segment-rows", "7"]).spawn().unwrap();
        // Killed as soon as so many further segments are there, another number each time.
        wait_for(|| {
            world.segments().len() >= sealed + 1 + (round * 7 % 5) as usize || stager.try_wait().unwrap().is_some()
        });
        assert!(stager.try_wait().unwrap().is_none(), "the stager ended by itself");
        stager.kill().unwrap();
        stager.wait().unwrap();
    }
    world.ok(&["stage", "--once"]);
    let staged = world.staged();
    for (p, want) in ids {
        let found: Vec<String> = staged[&p].iter().map(|(_, id)| id.clone()).collect();
        assert_eq!(found, want, "partition {p}");
    }
    assert_eq!(std::fs::read_dir(world.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_full_disk_is_said_in_one_line_and_staging_goes_on_when_there_is_room() {
    let name = "a_full_disk_is_said_in_one_line_and_staging_goes_on_when_there_is_room";
    if !have("mount", name) || !have("umount", name) {
        return;
    }
    let world = World::new();
    let small = tempfile::tempdir().unwrap();
    let mount = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(small.path()).stderr(Stdio::null());
        mount.status().unwrap().success()
    };
    if !mount("size=1m") {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} needs the right to mount");
        eprintln!("not run: {name}: mounting a tmpfs needs root");
        return;
    }
    let _unmount = Unmount(small.path().to_owned());
    let pages = (0..10_u64).map(|page| artefact(&format!("http://example.org/{page}"), noise(page + 1)));
    world.append(2, pages.collect());
    let output = world.etl_on(small.path(), &["stage", "--once", "--quiet", "--memory", "100kB"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("full") && error.contains("nothing is lost"), "{error}");
    assert!(files(&small.path().join("artefacts")).is_empty());
    assert!(mount("remount,size=40m"));
    let output = world.etl_on(small.path(), &["stage", "--once", "--quiet"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(staged(small.path())[&2].len(), 10);
}

/// Bytes that no compression makes fewer (xorshift64*, Vigna 2014).
fn noise(mut state: u64) -> Vec<u8> {
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
    };
    (0..300_000).map(|_| next()).collect()
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
