//! Append times never step back, whatever the clock does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bus::clock::Clock;
use bus::{Bus, Options};

use crate::Embedded;
use crate::contract::{Ground, all, output, topic};

fn open(ground: &Embedded, now: i64) -> (Bus, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(now));
    let options = Options { clock: Clock::Manual(time.clone()), ..Options::default() };
    (Bus::open(&ground.url(), &options).unwrap(), time)
}

#[test]
fn append_times_never_step_back() {
    let ground = Embedded::fresh();
    let (bus, time) = open(&ground, 1_000);
    topic(&bus, "t", 2);
    let append = |bus: &Bus, partition| bus.append(&[output("t", partition, "k", "x")]).unwrap().time;
    assert_eq!(append(&bus, 0), 1_000);
    time.store(500, Ordering::Relaxed);
    assert_eq!(append(&bus, 0), 1_000);
    assert_eq!(append(&bus, 1), 1_000, "over all partitions: what is read later was appended later");
    assert_eq!(bus.now().unwrap(), 1_000);
    // Another process, whose clock is behind.
    let (other, _) = open(&ground, 800);
    assert_eq!(append(&other, 1), 1_000);
    time.store(2_000, Ordering::Relaxed);
    assert_eq!(append(&bus, 1), 2_000);
    assert_eq!(append(&other, 0), 2_000);
    for partition in [0, 1] {
        assert!(all(&bus, "t", partition).is_sorted_by(|a, b| a.time <= b.time));
    }
}

#[test]
fn append_times_outlive_the_records() {
    let ground = Embedded::fresh();
    let (bus, _) = open(&ground, 5_000);
    topic(&bus, "t", 1);
    bus.append(&[output("t", 0, "k", "x")]).unwrap();
    bus.delete_topic("t").unwrap();
    drop(bus);
    let (bus, _) = open(&ground, 10);
    topic(&bus, "t", 1);
    assert_eq!(bus.append(&[output("t", 0, "k", "x")]).unwrap().time, 5_000);
}

#[test]
fn a_time_within_many_equal_ones_finds_the_first() {
    let ground = Embedded::fresh();
    let (bus, time) = open(&ground, 1_000);
    topic(&bus, "t", 1);
    for now in [1_000, 1_000, 1_000, 2_000, 2_000, 5_000] {
        time.store(now, Ordering::Relaxed);
        bus.append(&[output("t", 0, "k", "x"), output("t", 0, "k", "x")]).unwrap();
    }
    let at = |time| bus.offset_at("t", 0, time).unwrap();
    assert_eq!(
        [i64::MIN, 0, 1_000, 1_001, 2_000, 2_001, 5_000, 5_001, i64::MAX].map(at),
        [0, 0, 0, 6, 6, 10, 10, 12, 12]
    );
}
