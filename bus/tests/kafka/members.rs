//! Members on real brokers: rebalances with transactions open, suspended owners, twins.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Assignment, Bus, Error, Event, PublishError};

use super::OnKafka;
use crate::contract::process::{Player, transferred};
use crate::contract::*;
use crate::mover::{Mover, add, prepare, until};

/// Every record of `in` is in `out` and `copy` exactly once and in order, and covered.
pub fn check(bus: &Bus, n: usize) {
    for partition in 0..4 {
        let input = keys(&all(bus, "in", partition));
        assert_eq!(input.len(), n);
        assert_eq!(keys(&all(bus, "out", partition)), input, "partition {partition}");
        assert_eq!(keys(&all(bus, "copy", partition)), input, "partition {partition}");
    }
    assert!(!bus.unread("g", "in").unwrap());
}

#[test]
fn members_that_come_and_go_with_transactions_open_lose_nothing_and_write_nothing_twice() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 200);
    let first = Mover::start(&bus, "first");
    until("the first member publishes", || bus.lag("g", "in").unwrap().iter().any(|l| l.committed.is_some()));
    // it is publishing when the second one comes, and the third
    let second = Mover::start(&ground.open(), "second");
    add(&bus, 200, 200);
    let third = Mover::start(&ground.open(), "third");
    add(&bus, 400, 200);
    until("the third member publishes too", || !bus.unread("g", "in").unwrap());
    let publishes = second.stop();
    add(&bus, 600, 50);
    until("the others take over", || !bus.unread("g", "in").unwrap());
    third.stop();
    first.stop();
    check(&bus, 650);
    eprintln!("the second member made {publishes} publishes");
}

#[test]
fn a_partition_is_not_given_up_while_a_transaction_is_open() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 3);
    let (mut reader, mut writer) = bus.join("g", "one", &["in"]).unwrap();
    let owned = assigned(&mut reader);
    let records = read(&mut reader, 12);
    let other = ground.open();
    let (mut late, _late_writer) = other.join("g", "two", &["in"]).unwrap();
    let revoking = wait(&mut reader, |event| match event {
        Event::Revoking(a) => Some(a),
        _ => None,
    });
    // the other one is not told of partitions that are still ours, however long it waits
    assert_eq!(late.poll(Duration::from_secs(1)).unwrap(), Event::Idle);
    let some: Vec<_> = records.iter().filter(|d| d.partition == revoking[0].partition).cloned().collect();
    writer.publish(&transferred(&owned, &some)).unwrap();
    reader.release(&revoking).unwrap();
    let theirs = loop {
        let event = late.poll(Duration::from_millis(100)).unwrap();
        reader.poll(Duration::from_millis(10)).unwrap();
        if let Event::Assigned(a) = event {
            break a;
        }
    };
    let committed: BTreeMap<u32, Option<i64>> = theirs.iter().map(|a| (a.partition, a.committed)).collect();
    assert_eq!(committed.get(&revoking[0].partition), Some(&Some(3)), "{theirs:?}");
    let refused = writer.publish(&transferred(&owned, &some[..1]));
    assert!(matches!(refused, Err(PublishError::Lost(_) | PublishError::Bus(_))), "{refused:?}");
}

fn signal(player: &Player, name: &str) {
    let done = std::process::Command::new("kill").args([format!("-{name}"), player.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_suspended_owner_cannot_publish_once_its_partitions_have_moved() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 400);
    let mut suspended = Player::start("transfer", &ground.url());
    suspended.expect("joined");
    for _ in 0..5 {
        suspended.line();
    }
    // in the midst of a publish or between two
    signal(&suspended, "STOP");
    // the heir waits for the transaction that may be open, then does the rest
    let heir = Mover::start(&bus, "heir");
    until("the heir has done the rest", || !bus.unread("g", "in").unwrap());
    signal(&suspended, "CONT");
    let mut last = None;
    while let Some(line) = suspended.line() {
        last = Some(line);
    }
    assert!(!suspended.end() || last.as_deref() != Some("done"), "it was told that it owns nothing: {last:?}");
    heir.stop();
    check(&bus, 400);
}

#[test]
fn a_member_thrown_out_while_it_was_asked_for_a_partition_joins_again() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 50);
    let mut keeper = Player::start("keep", &ground.url());
    keeper.expect("reading");
    let heir = Mover::start(&bus, "heir");
    keeper.expect("asked");
    signal(&keeper, "STOP");
    until("the heir has done it all", || !bus.unread("g", "in").unwrap());
    signal(&keeper, "CONT");
    keeper.go();
    keeper.expect("lost");
    keeper.expect("again");
    assert!(keeper.end());
    heir.stop();
    check(&bus, 50);
}

#[test]
fn of_two_twins_one_ends_and_neither_publishes_twice() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    prepare(&bus, 300);
    let first = Mover::start_quietly(&bus, "same");
    until("the first twin publishes", || bus.lag("g", "in").unwrap().iter().any(|l| l.committed.is_some()));
    let second = Mover::start(&ground.open(), "same");
    match first.join().unwrap() {
        Err(text) => assert!(text.contains("same instance name `same`"), "{text}"),
        Ok(()) => panic!("the first twin was not told"),
    }
    until("the second twin does the rest", || !bus.unread("g", "in").unwrap());
    second.stop();
    check(&bus, 300);
}

impl Mover {
    /// One that returns why it ended.
    fn start_quietly(bus: &Bus, instance: &str) -> JoinHandle<Result<(), String>> {
        let (bus, instance) = (bus.clone(), instance.to_owned());
        std::thread::spawn(move || {
            let busy = |e: Error| match e {
                Error::Busy { .. } => Err(e.to_string()),
                e => panic!("{e}"),
            };
            let (mut reader, mut writer) = bus.join("g", &instance, &["in"]).unwrap();
            let mut owned: Vec<Assignment> = Vec::new();
            let start = Instant::now();
            while start.elapsed() < PATIENCE {
                let event = match reader.poll(Duration::from_millis(100)) {
                    Ok(event) => event,
                    Err(e) => return busy(e),
                };
                match event {
                    Event::Assigned(new) => owned.extend(new),
                    Event::Records(records) => {
                        // one at a time, so that there is something left for the other
                        let mut left = records.iter();
                        let mut next = left.next();
                        while let Some(record) = next {
                            match writer.publish(&transferred(&owned, std::slice::from_ref(record))) {
                                Ok(_) => next = left.next(),
                                // the same again
                                Err(PublishError::Aborted(_)) => std::thread::park_timeout(Duration::from_millis(20)),
                                Err(PublishError::Lost(_)) => break,
                                Err(PublishError::Fenced(who)) => return Err(who),
                                Err(PublishError::Bus(e)) => return busy(e),
                                Err(e) => panic!("{e}"),
                            }
                        }
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }
}
