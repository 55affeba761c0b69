//! Records, offsets, times: what needs no group.

use bus::{Error, topic::MAX_RECORD};
use proptest::prelude::*;

use super::*;

pub fn order_within_a_partition_is_that_of_appending<G: Ground>() {
    let ground = G::fresh();
    let (bus, other) = (ground.open(), ground.open());
    topic(&bus, "t", 3);
    for n in 0..20 {
        let outputs: Vec<_> = (0..30).map(|i| output("t", i % 3, &format!("{n:02}-{i:02}"), "x")).collect();
        let receipt = if n % 2 == 0 { &bus } else { &other }.append(&outputs).unwrap();
        assert_eq!(receipt.offsets.len(), outputs.len());
    }
    for partition in 0..3 {
        let records = all(&bus, "t", partition);
        assert_eq!(records.len(), 200);
        let keys = keys(&records);
        assert!(keys.is_sorted(), "{keys:?}");
        assert!(records.is_sorted_by(|a, b| a.offset < b.offset && a.time <= b.time));
    }
}

pub fn a_record_comes_back_as_it_was_written<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "t", 1);
    let bytes = || prop::collection::vec(any::<u8>(), 0..300);
    let headers = prop::collection::vec(("[a-z_-]{0,200}", bytes()), 0..8);
    let strategy = (bytes(), prop::option::of(bytes()), headers);
    proptest!(ProptestConfig::with_cases(64), |((key, value, headers) in strategy)| {
        let headers = Headers(headers.into_iter().map(|(n, v)| (n.into(), v.into())).collect());
        let record = Record { key: key.into(), value: value.map(Into::into), headers };
        let receipt = bus.append(&[Output { topic: "t".into(), partition: 0, record: record.clone() }]).unwrap();
        let mut scan = bus.scan("t", 0, receipt.offsets[0]).unwrap();
        let back = scan.next_batch().unwrap().remove(0);
        prop_assert_eq!((back.offset, back.time, back.epoch), (receipt.offsets[0], receipt.time, 0));
        prop_assert_eq!(back.record, record);
    });
}

pub fn records_up_to_16_mib_pass_and_larger_ones_do_not<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "t", 1);
    let mut largest = output("t", 0, "k", vec![7; MAX_RECORD]);
    let over = largest.record.size() - MAX_RECORD;
    largest.record.value.as_mut().unwrap().truncate(MAX_RECORD - over);
    bus.append(std::slice::from_ref(&largest)).unwrap();
    let mut larger = largest.clone();
    larger.record.key = "kk".into();
    match bus.append(&[output("t", 0, "before", "x"), larger]) {
        Err(Error::TooLarge { topic, size, limit }) => {
            assert_eq!((&topic[..], size, limit), ("t", MAX_RECORD + 1, MAX_RECORD))
        }
        other => panic!("{other:?}"),
    }
    let records = all(&bus, "t", 0);
    assert_eq!(records.len(), 1, "nothing of a batch with a record over the limit may be written");
    assert_eq!(records[0].record, largest.record);
}

pub fn reading_goes_on_from_a_time<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "t", 1);
    let mut times = Vec::new();
    while times.last().is_none_or(|last| *last < times[0] + 20) {
        times.push(bus.append(&[output("t", 0, "k", "x")]).unwrap().time);
    }
    let end = bus.offsets("t", 0).unwrap().end;
    let records = all(&bus, "t", 0);
    assert_eq!(records.iter().map(|d| d.time).collect::<Vec<_>>(), times);
    for time in times[0] - 2..times[times.len() - 1] + 2 {
        let want = records.iter().find(|d| d.time >= time).map_or(end, |d| d.offset);
        assert_eq!(bus.offset_at("t", 0, time).unwrap(), want, "time {time} of {times:?}");
    }
    assert!(bus.now().unwrap() >= times[times.len() - 1]);
}

pub fn offsets_tell_start_and_end<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "t", 2);
    assert_eq!(bus.offsets("t", 1).unwrap().end, 0);
    bus.append(&[output("t", 1, "a", "x"), output("t", 1, "b", "x")]).unwrap();
    let offsets = bus.offsets("t", 1).unwrap();
    assert_eq!(offsets.start, 0);
    assert!(offsets.stable >= 2 && offsets.end >= offsets.stable, "{offsets:?}");
    assert_eq!(bus.offsets("t", 0).unwrap().end, 0, "the other partition is untouched");
}
