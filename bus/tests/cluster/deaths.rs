//! Brokers of a cluster killed (-9) under load: the leader of a partition, and the coordinators of a group and of its
//! transactions. What was acknowledged is there, and what was moved was moved once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::Bus;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use xtask::services::Kafka;

use crate::contract::*;
use crate::mover::{Mover, prepare, until};
use crate::start;

/// The broker that leads a partition, by its place in the cluster; none while there is no leader.
fn leader(kafka: &Kafka, topic: &str, partition: i32) -> Option<usize> {
    let hosts = kafka.url().trim_start_matches("kafka://");
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", hosts).create().unwrap();
    let found = client.fetch_metadata(Some(topic), Duration::from_secs(10)).ok()?;
    let partition = found.topics()[0].partitions().iter().find(|p| p.id() == partition)?;
    usize::try_from(partition.leader() - 1).ok()
}

/// The partition of `__consumer_offsets` or `__transaction_state` that an id belongs to: Java's `String.hashCode`, over three.
fn place(id: &str) -> i32 {
    let hash = id.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) % 3
}

/// Writes numbered records until it is told to stop: those that were acknowledged, and those of which nobody knows.
fn write(bus: &Bus, stop: &AtomicBool) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut known, mut unsure) = (BTreeSet::new(), BTreeSet::new());
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let outputs: Vec<_> = (0..8).map(|i| output("in", i % 4, &format!("{:08}", next + i), "x")).collect();
        next += 8;
        let keys = outputs.iter().map(|o| String::from_utf8(o.record.key.to_vec()).unwrap());
        match bus.append(&outputs) {
            Ok(_) => known.extend(keys),
            Err(_) => unsure.extend(keys),
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    (known, unsure)
}

/// Waits for what a cluster does when a broker is found dead, its leaderships have moved, and open transactions have timed out:
/// most of a minute on a small machine that does other things too.
fn eventually(what: &str, bus: &Bus, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < 4 * PATIENCE, "{what}: {:?}, {:?}", bus.holder("g"), bus.lag("g", "in"));
        std::thread::park_timeout(Duration::from_millis(250));
    }
}

/// Ends the writing, also when a check fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn leaders_and_coordinators_die_under_load_and_no_acknowledged_record_is_lost() {
    let mut kafka = start("deaths");
    let url = format!("{}/d.", kafka.url());
    let open = || Bus::open(&url, &options()).unwrap();
    let bus = open();
    prepare(&bus, 20);
    let (first, second) = (Mover::start(&open(), "first"), Mover::start(&open(), "second"));
    let covered = || -> i64 { bus.lag("g", "in").map_or(0, |lag| lag.iter().filter_map(|l| l.committed).sum()) };
    until("the members publish", || covered() > 0);
    let stop = AtomicBool::new(false);
    let (known, unsure) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&bus, &stop));
        let ending = Ending(&stop);
        let victims = [("d.in", 0), ("__consumer_offsets", place("d.g")), ("__transaction_state", place("d.g-first"))];
        for (topic, partition) in victims {
            let mut victim = None;
            until("there is a leader", || {
                victim = leader(&kafka, topic, partition);
                victim.is_some()
            });
            let victim = victim.unwrap();
            let before = covered();
            kafka.brokers()[victim].kill().unwrap();
            eventually(&format!("another broker leads {topic}"), &bus, || {
                leader(&kafka, topic, partition).is_some_and(|now| now != victim)
            });
            // well beyond what was there when it died
            eventually(&format!("the members go on without {topic}"), &bus, || covered() > before + 200);
            kafka.restart(victim).unwrap();
        }
        drop(ending);
        writer.join().unwrap()
    });
    eventually("the members do the rest", &bus, || !bus.unread("g", "in").unwrap_or(true));
    first.stop();
    second.stop();
    let mut found = BTreeSet::new();
    for partition in 0..4 {
        let input = keys(&all(&bus, "in", partition));
        for topic in ["out", "copy"] {
            assert_eq!(keys(&all(&bus, topic, partition)), input, "{topic}-{partition}");
        }
        for key in input.iter().filter(|key| key.len() == 8) {
            assert!(found.insert(key.clone()), "{key} is there twice");
        }
    }
    assert!(known.is_subset(&found), "lost: {:?}", known.difference(&found).collect::<Vec<_>>());
    assert!(found.iter().all(|key| known.contains(key) || unsure.contains(key)));
    assert!(known.len() > 300, "{} acknowledged, {} unknown", known.len(), unsure.len());
}
