//! `etl stage` as it follows the bus: segments end by a timer, signals drain, only one stager works at a time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::process::{Child, Command, Stdio};

use archive::{DataDir, Mark};
use support::*;

/// A stager in the background, killed when the test ends.
struct Stager(Child);

impl Stager {
    fn start(world: &World, args: &[&str]) -> Stager {
        let mut command = world.etl(&["stage", "--quiet"]);
        Stager(command.args(args).stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Stager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_segment_ends_when_nothing_comes_any_more() {
    let world = World::new();
    let _stager = Stager::start(&world, &["--segment-idle", "300ms"]);
    world.append(4, artefacts(2));
    wait_for(|| world.segments().len() == 1);
    world.append(4, artefacts(1));
    wait_for(|| world.segments().len() == 2);
    assert_eq!(world.staged()[&4].len(), 3);
}

#[test]
fn a_segment_ends_when_it_is_old_although_records_keep_coming() {
    let world = World::new();
    let _stager = Stager::start(&world, &["--segment-age", "400ms", "--segment-idle", "1h"]);
    let mut appended = 0;
    wait_for(|| {
        world.append(4, artefacts(1));
        appended += 1;
        world.segments().len() >= 2
    });
    let staged = world.staged()[&4].len();
    assert!(staged <= appended);
}

#[test]
fn a_segment_ends_with_its_day_and_the_day_is_marked_with_no_record_to_tell() {
    let world = World::new();
    let before_midnight = NOON + DAY / 2 - 3_000;
    world.at(before_midnight);
    world.append(4, artefacts(2));
    let _stager = Stager::start(&world, &["--segment-age", "1h", "--segment-idle", "1h"]);
    let data = DataDir::new(world.path());
    wait_for(|| Mark::read(&data, "2026-11-21".parse().unwrap()).unwrap().len() == 16);
    assert_eq!(world.staged()[&4].len(), 2);
}

#[test]
fn a_signal_seals_what_is_open_and_ends_with_130() {
    let world = World::new();
    world.append(4, artefacts(3));
    let mut stager = Stager::start(&world, &[]);
    let tmp = world.path().join("tmp");
    wait_for(|| files(&tmp).iter().any(|path| path.extension().is_some_and(|e| e == "unfinished")));
    assert!(world.segments().is_empty());
    stager.signal();
    assert_eq!(stager.0.wait().unwrap().code(), Some(130));
    assert_eq!(world.staged()[&4].len(), 3);
    assert_eq!(std::fs::read_dir(tmp).unwrap().count(), 0);
}

#[test]
fn a_second_stager_is_told_who_works_and_exits_75() {
    let world = World::new();
    let stager = Stager::start(&world, &[]);
    wait_for(|| world.bus.holder("stage").unwrap().is_some());
    let pid = stager.0.id().to_string();
    let other = tempfile::tempdir().unwrap();
    for data in [world.path(), other.path()] {
        let output = world.etl_on(data, &["stage", "--once", "--quiet"]).output().unwrap();
        assert_eq!(output.status.code(), Some(75), "{}", text(&output));
        assert!(text(&output).contains(&pid), "{} does not name process {pid}", text(&output));
    }
}

#[test]
fn a_stager_gives_life_signs() {
    let world = World::new();
    let mut stager = Stager::start(&world, &["--instance", "pi9"]);
    let beats = || {
        let mut scan = world.bus.scan("beats", 0, 0).ok()?;
        let last = scan.next_batch().ok()?.pop()?;
        bus::payload::Beat::from_record(&last.record).ok()
    };
    wait_for(|| beats().is_some_and(|beat| beat.instance == "etl-stage/pi9" && beat.pid == stager.0.id()));
    stager.signal();
    stager.0.wait().unwrap();
    assert_eq!(beats().unwrap().state, "stopped");
}
