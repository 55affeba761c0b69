//! The write-ahead log stays small, whoever reads.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Embedded;
use crate::contract::{Ground, assigned, output, topic};

const MIB: u64 = 1 << 20;

/// Writes 400 MiB and gives the largest size that the write-ahead log had meanwhile.
fn write(ground: &Embedded) -> u64 {
    let bus = ground.open();
    let body = vec![5; MIB as usize];
    let size = || std::fs::metadata(ground.url() + "-wal").map_or(0, |m| m.len());
    (0..40)
        .map(|_| {
            let outputs: Vec<_> = (0..10).map(|_| output("t", 0, "k", body.clone())).collect();
            bus.append(&outputs).unwrap();
            size()
        })
        .max()
        .unwrap()
}

#[test]
fn a_reader_that_takes_its_time_does_not_hold_the_log_back() {
    let ground = Embedded::on_disk();
    let bus = ground.open();
    topic(&bus, "t", 1);
    let outputs: Vec<_> = (0..3).map(|_| output("t", 0, "k", vec![1; 5 * MIB as usize])).collect();
    bus.append(&outputs).unwrap();
    // In the middle of a scan, and of a member's work.
    let mut scan = bus.scan("t", 0, 0).unwrap();
    assert!(!scan.next_batch().unwrap().is_empty());
    let (mut reader, _writer) = bus.join("g", "slow", &["t"]).unwrap();
    assigned(&mut reader);
    assert!(matches!(reader.poll(std::time::Duration::ZERO).unwrap(), bus::Event::Records(_)));
    let largest = write(&ground);
    assert!(largest < 80 * MIB, "the write-ahead log grew to {} MiB", largest / MIB);
}

#[test]
fn readers_that_never_rest_do_not_hold_the_log_back() {
    let ground = Embedded::on_disk();
    let bus = ground.open();
    topic(&bus, "t", 1);
    let done = AtomicBool::new(false);
    let largest = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let bus = ground.open();
                while !done.load(Ordering::Relaxed) {
                    let mut scan = bus.scan("t", 0, 0).unwrap();
                    while !scan.next_batch().unwrap().is_empty() && !done.load(Ordering::Relaxed) {}
                }
            });
        }
        let largest = write(&ground);
        done.store(true, Ordering::Relaxed);
        largest
    });
    assert!(largest < 256 * MIB, "the write-ahead log grew to {} MiB", largest / MIB);
}

#[test]
fn a_program_that_reads_for_ever_stops_nobody() {
    let ground = Embedded::on_disk();
    let bus = ground.open();
    topic(&bus, "t", 1);
    bus.append(&[output("t", 0, "first", "x")]).unwrap();
    let foreign = rusqlite::Connection::open(ground.url()).unwrap();
    let reading = foreign.unchecked_transaction().unwrap();
    let count = || foreign.query_row("SELECT count(*) FROM r1", [], |r| r.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1);
    assert!(write(&ground) > 380 * MIB, "it cannot be cut back while somebody reads what was there at first");
    assert_eq!(count(), 1);
    drop(reading);
    assert_eq!(count(), 401);
    bus.append(&(0..10).map(|_| output("t", 0, "k", vec![1; MIB as usize])).collect::<Vec<_>>()).unwrap();
    bus.append(&[output("t", 0, "last", "x")]).unwrap();
    let size = std::fs::metadata(ground.url() + "-wal").unwrap().len();
    assert!(size < 80 * MIB, "{} MiB are left", size / MIB);
}
