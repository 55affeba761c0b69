//! A broker that says nothing for a while, in the midst of transactions: whether one was committed is looked up.

use std::time::Duration;

use bus::Bus;
use xtask::services::Kind;

use super::members::check;
use crate::contract::*;
use crate::ground;
use crate::mover::{Mover, add, prepare, until};

/// Longer than a member waits for an answer: a third of a transaction's time, five seconds here.
const SILENCE: Duration = Duration::from_millis(2_500);

#[test]
fn a_commit_that_was_not_answered_is_looked_up() {
    crate::shared();
    let kafka = ground::start(Kind::Kafka, "silent");
    let open = || Bus::open(&format!("{}/s.", kafka.url()), &options()).unwrap();
    let bus = open();
    prepare(&bus, 20);
    let movers = [Mover::start(&open(), "first"), Mover::start(&open(), "second")];
    let covered = || -> i64 { bus.lag("g", "in").map_or(0, |lag| lag.iter().filter_map(|l| l.committed).sum()) };
    let mut n = 20;
    for _ in 0..6 {
        let before = covered();
        add(&bus, n, 100);
        n += 100;
        until("the members are at work", || covered() > before + 40);
        kafka.brokers()[0].suspend(true).unwrap();
        std::thread::park_timeout(SILENCE);
        kafka.brokers()[0].suspend(false).unwrap();
    }
    until("the members have done it all", || !bus.unread("g", "in").unwrap());
    for mover in movers {
        mover.stop();
    }
    check(&bus, n);
}

#[test]
fn a_program_that_is_to_end_does_not_wait_for_a_broker_that_is_away() {
    crate::shared();
    let kafka = ground::start(Kind::Kafka, "ending");
    let bus = Bus::open(&format!("{}/e.", kafka.url()), &options()).unwrap();
    topic(&bus, "in", 1);
    let (mut reader, writer) = bus.join("g", "one", &["in"]).unwrap();
    assigned(&mut reader);
    kafka.brokers()[0].suspend(true).unwrap();
    let end = bus.ender();
    let asked = std::thread::spawn(move || {
        std::thread::park_timeout(SILENCE);
        end();
    });
    let error = bus.lag("g", "in").unwrap_err();
    assert!(matches!(error, bus::Error::Ended { .. }), "{error}");
    asked.join().unwrap();
    drop((reader, writer, bus));
    kafka.brokers()[0].suspend(false).unwrap();
}
