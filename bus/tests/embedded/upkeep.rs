//! Retention and compaction: exactly what must go goes, offsets stay, space comes back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bus::clock::Clock;
use bus::topic::RETENTION_MS;
use bus::{Bus, Cleanup, Options, Output, TopicSpec};
use proptest::prelude::*;

use crate::Embedded;
use crate::contract::{Ground, all, assigned, batch, cover, keys, output, read};

const DAY: i64 = 24 * 3600 * 1000;

/// A bus with a clock that the test moves.
fn with_clock(ground: &Embedded, start: i64) -> (Bus, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(start));
    let options = Options { clock: Clock::Manual(time.clone()), ..Options::default() };
    (Bus::open(&ground.url(), &options).unwrap(), time)
}

fn topic(bus: &Bus, name: &str, cleanup: Cleanup) {
    bus.ensure(&[TopicSpec { name: name.into(), partitions: 1, cleanup }]).unwrap();
}

fn tombstone(topic: &str, key: &str) -> Output {
    let mut output = output(topic, 0, key, "");
    output.record.value = None;
    output
}

fn maintain(bus: &Bus) -> usize {
    let steps = (0..5_000).take_while(|_| bus.maintain().unwrap()).count();
    assert!(steps < 5_000, "it does not come to an end");
    steps
}

fn offsets(bus: &Bus, topic: &str) -> Vec<i64> {
    all(bus, topic, 0).iter().map(|d| d.offset).collect()
}

#[test]
fn retention_removes_exactly_what_is_older_than_30_days() {
    let ground = Embedded::fresh();
    let (bus, time) = with_clock(&ground, DAY);
    topic(&bus, "t", Cleanup::Delete);
    for n in 0..10 {
        time.store(DAY + n, Ordering::Relaxed);
        bus.append(&[output("t", 0, "k", "x")]).unwrap();
    }
    time.store(DAY + 4 + RETENTION_MS, Ordering::Relaxed);
    maintain(&bus);
    assert_eq!(offsets(&bus, "t"), (4..10).collect::<Vec<_>>(), "one of exactly 30 days stays");
    assert_eq!(bus.offsets("t", 0).unwrap().start, 4);
    time.store(2 * DAY + RETENTION_MS, Ordering::Relaxed);
    maintain(&bus);
    let offsets = bus.offsets("t", 0).unwrap();
    assert_eq!((offsets.start, offsets.end), (10, 10), "an empty partition keeps its place");
    let (bus, _) = with_clock(&ground, DAY);
    assert_eq!(bus.append(&[output("t", 0, "k", "x")]).unwrap().offsets, [10]);
}

#[test]
fn a_member_behind_retention_goes_on_at_the_oldest_record() {
    let ground = Embedded::fresh();
    let (bus, time) = with_clock(&ground, DAY);
    topic(&bus, "t", Cleanup::Delete);
    bus.append(&[output("t", 0, "0", "x"), output("t", 0, "1", "x"), output("t", 0, "2", "x")]).unwrap();
    let (mut reader, mut writer) = bus.join("g", "one", &["t"]).unwrap();
    let own = assigned(&mut reader).remove(0);
    writer.publish(&batch(vec![], vec![cover(&own, 1)])).unwrap();
    drop((reader, writer));
    time.store(2 * DAY + RETENTION_MS, Ordering::Relaxed);
    bus.append(&[output("t", 0, "3", "x")]).unwrap();
    maintain(&bus);
    assert_eq!(bus.lag("g", "t").unwrap()[0].records, 1);
    let (mut reader, mut writer) = bus.join("g", "one", &["t"]).unwrap();
    let own = assigned(&mut reader).remove(0);
    assert_eq!(own.committed, Some(1), "so that it can tell what it has missed");
    assert_eq!(keys(&read(&mut reader, 1)), ["3"]);
    writer.publish(&batch(vec![], vec![cover(&own, 4)])).unwrap();
}

/// What happens to a compacted topic.
#[derive(Debug, Clone)]
enum Act {
    /// Keys to append; a tombstone where true.
    Append(Vec<(u8, bool)>),
    Pass(i64),
    Steps(usize),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop::collection::vec((0_u8..6, prop::bool::weighted(0.3)), 1..8).prop_map(Act::Append),
        2 => (0..DAY).prop_map(Act::Pass),
        3 => (1_usize..4).prop_map(Act::Steps),
        1 => Just(Act::Reopen),
    ]
}

#[test]
fn compaction_keeps_exactly_the_newest_of_each_key() {
    let config = ProptestConfig::with_cases(if cfg!(debug_assertions) { 8 } else { 48 });
    proptest!(config, |(acts in prop::collection::vec(act(), 1..30))| {
        let ground = Embedded::fresh();
        let (mut bus, mut time) = with_clock(&ground, DAY);
        topic(&bus, "t", Cleanup::Compact);
        // Offset, key, whether it is a tombstone, append time.
        let mut written: Vec<(i64, u8, bool, i64)> = Vec::new();
        let required = |written: &[(i64, u8, bool, i64)], now: i64| {
            let newest: HashMap<u8, i64> = written.iter().map(|w| (w.1, w.0)).collect();
            let stays = |w: &&(i64, u8, bool, i64)| newest[&w.1] == w.0 && !(w.2 && now - w.3 > DAY);
            written.iter().filter(stays).map(|w| w.0).collect::<Vec<_>>()
        };
        for act in acts {
            match act {
                Act::Append(keys) => {
                    let put = |k: &(u8, bool)| {
                        let key = k.0.to_string();
                        if k.1 { tombstone("t", &key) } else { output("t", 0, &key, "x") }
                    };
                    let receipt = bus.append(&keys.iter().map(put).collect::<Vec<_>>()).unwrap();
                    for (offset, (key, gone)) in receipt.offsets.iter().zip(keys) {
                        prop_assert_eq!(*offset, written.len() as i64, "offsets are never used again");
                        written.push((*offset, key, gone, receipt.time));
                    }
                }
                Act::Pass(by) => drop(time.fetch_add(by, Ordering::Relaxed)),
                Act::Steps(n) => for _ in 0..n {
                    bus.maintain().unwrap();
                },
                Act::Reopen => {
                    let now = time.load(Ordering::Relaxed);
                    drop(bus);
                    (bus, time) = with_clock(&ground, now);
                }
            }
            let there = offsets(&bus, "t");
            for offset in required(&written, time.load(Ordering::Relaxed)) {
                prop_assert!(there.contains(&offset), "{} went too early; {:?} are there", offset, there);
            }
        }
        maintain(&bus);
        prop_assert_eq!(offsets(&bus, "t"), required(&written, time.load(Ordering::Relaxed)));
        for d in all(&bus, "t", 0) {
            prop_assert_eq!(d.record.key.to_vec(), written[d.offset as usize].1.to_string().into_bytes());
        }
    });
}

#[test]
fn large_partitions_are_compacted_too() {
    let ground = Embedded::fresh();
    let (bus, time) = with_clock(&ground, DAY);
    topic(&bus, "t", Cleanup::Compact);
    // More keys than one pass can note, each of them twice, then some of them once more.
    let distinct = 300_000;
    let append = |range: std::ops::Range<i32>| {
        for some in range.collect::<Vec<_>>().chunks(1_000) {
            let outputs: Vec<_> = some.iter().map(|i| output("t", 0, &(i % distinct).to_string(), "")).collect();
            bus.append(&outputs).unwrap();
        }
    };
    append(0..2 * distinct);
    maintain(&bus);
    let there = offsets(&bus, "t");
    assert!(there.iter().copied().eq(i64::from(distinct)..2 * i64::from(distinct)), "{} are left", there.len());
    append(0..1_000);
    assert_eq!(maintain(&bus), 0, "a pass is not worth it yet");
    assert_eq!(offsets(&bus, "t").len(), distinct as usize + 1_000);
    time.fetch_add(DAY + 1, Ordering::Relaxed);
    maintain(&bus);
    assert_eq!(offsets(&bus, "t").len(), distinct as usize);
}

#[test]
fn space_comes_back_in_small_steps() {
    let ground = Embedded::on_disk();
    let (bus, time) = with_clock(&ground, DAY);
    topic(&bus, "t", Cleanup::Delete);
    topic(&bus, "dropped", Cleanup::Delete);
    for _ in 0..8 {
        let body = vec![0; 10 << 20];
        bus.append(&[output("t", 0, "k", body.clone())]).unwrap();
        bus.append(&[output("dropped", 0, "k", body)]).unwrap();
    }
    let size = || std::fs::metadata(ground.url()).unwrap().len();
    bus.delete_topic("dropped").unwrap();
    time.fetch_add(RETENTION_MS + 1, Ordering::Relaxed);
    let steps = maintain(&bus);
    assert!(steps > 20, "{steps} steps for 160 MiB");
    drop(bus);
    assert!(size() < 30 << 20, "{} bytes are left of 160 MiB", size());
    let (bus, _) = with_clock(&ground, DAY);
    assert_eq!(bus.append(&[output("t", 0, "k", "x")]).unwrap().offsets, [8]);
}
