//! Sequences of events that ARCHITECTURE.md tells and that need a hand of their own, brought about step by step.

use std::time::Duration;

use bus::{Assignment, Event, PublishError, Reader};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::OnKafka;
use crate::contract::process::transferred;
use crate::contract::*;
use crate::mover::{prepare, until};

/// Polls both members until the second one is assigned something; the first one releases what it is asked for.
fn move_some(from: &mut Reader, to: &mut Reader) -> (Vec<Assignment>, Vec<Assignment>) {
    let mut released = Vec::new();
    for _ in 0..600 {
        if let Event::Revoking(asked) = from.poll(Duration::from_millis(50)).unwrap() {
            from.release(&asked).unwrap();
            released.extend(asked);
        }
        if let Event::Assigned(taken) = to.poll(Duration::from_millis(50)).unwrap() {
            return (released, taken);
        }
    }
    panic!("nothing has moved");
}

#[test]
fn work_of_a_member_whose_partition_has_moved_is_refused_whole() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 3);
    let (mut reader, mut writer) = bus.join("g", "one", &["in"]).unwrap();
    let owned = assigned(&mut reader);
    let records = read(&mut reader, 12);
    let (mut other, mut others) = ground.open().join("g", "two", &["in"]).unwrap();
    let (released, taken) = move_some(&mut reader, &mut other);
    let (moved, kept) = (released[0].partition, owned.iter().find(|a| !released.contains(a)).unwrap().partition);
    let of = |partition: u32| records.iter().filter(|d| d.partition == partition).cloned().collect::<Vec<_>>();
    // the new owner reads the same records, and handles them
    let again = read(&mut other, 3 * taken.len());
    let theirs: Vec<_> = again.into_iter().filter(|d| d.partition == moved).collect();
    others.publish(&transferred(&taken, &theirs)).unwrap();
    // the old one is a member still, and has been working on them all the time
    let both = [of(moved), of(kept)].concat();
    match writer.publish(&transferred(&owned, &both)) {
        Err(PublishError::Lost(lost)) => assert_eq!(lost.first(), Some(&("in".to_owned(), moved))),
        other => panic!("{other:?}"),
    }
    assert_eq!(all(&bus, "out", kept).len(), 0, "nothing of the batch is there");
    writer.publish(&transferred(&owned, &of(kept))).unwrap();
    for partition in [moved, kept] {
        assert_eq!(keys(&all(&bus, "out", partition)), keys(&all(&bus, "in", partition)), "partition {partition}");
    }
}

#[test]
fn an_heir_waits_for_the_transaction_that_covers_its_partition() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 3);
    let url = ground.url();
    let (hosts, prefix) = url.strip_prefix("kafka://").and_then(|url| url.split_once('/')).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", hosts).set("group.id", format!("{prefix}g"));
    // the last owner is gone, and its transaction is not
    let consumer: BaseConsumer = config.create().unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", hosts).set("transactional.id", format!("{prefix}g-gone"));
    let owner: BaseProducer = config.create().unwrap();
    owner.init_transactions(PATIENCE).unwrap();
    owner.begin_transaction().unwrap();
    let out = format!("{prefix}out");
    owner.send(BaseRecord::to(&out).partition(0).key("000000").payload("x")).map_err(|(error, _)| error).unwrap();
    let mut covered = TopicPartitionList::new();
    covered.add_partition_offset(&format!("{prefix}in"), 0, Offset::Offset(2)).unwrap();
    owner.send_offsets_to_transaction(&covered, &consumer.group_metadata().unwrap(), PATIENCE).unwrap();

    let (mut heir, _writer) = ground.open().join("g", "heir", &["in"]).unwrap();
    until("the heir is in the group", || bus.holder("g").unwrap().is_some());
    assert_eq!(heir.poll(Duration::from_secs(1)).unwrap(), Event::Idle, "nobody knows yet what is handled");
    owner.commit_transaction(PATIENCE).unwrap();
    let taken = assigned(&mut heir);
    let committed = |partition: u32| taken.iter().find(|a| a.partition == partition).unwrap().committed;
    assert_eq!((committed(0), committed(1)), (Some(2), None));
    let records = read(&mut heir, 10);
    assert_eq!(records.iter().filter(|d| d.partition == 0).map(|d| d.offset).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_scan_sees_what_was_acknowledged_before_it_began() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 1);
    let (mut reader, mut writer) = bus.join("g", "one", &["in"]).unwrap();
    let owned = assigned(&mut reader);
    // a handle that has seen nothing of it
    let heir = ground.open();
    for n in 0..200 {
        let key = format!("{n}");
        let told = batch(vec![output("out", n % 4, &key, "x")], vec![cover(&owned[0], 0)]);
        let receipt = writer.publish(&told).unwrap();
        let found = heir.scan("out", n % 4, receipt.offsets[0]).unwrap().next_batch().unwrap();
        assert_eq!(keys(&found), [key]);
    }
}
