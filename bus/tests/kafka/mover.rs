//! Members that move records from one topic to two others, and the check that each was moved exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bus::{Assignment, Bus, Delivered, Event, PublishError, Reader, Writer};

use crate::contract::process::transferred;
use crate::contract::*;

/// Topics `in`, `out` and `copy` of four partitions, with `n` numbered records in each partition of `in`.
pub fn prepare(bus: &Bus, n: usize) {
    for name in ["in", "out", "copy"] {
        topic(bus, name, 4);
    }
    add(bus, 0, n);
}

pub fn add(bus: &Bus, from: usize, n: usize) {
    let outputs: Vec<_> =
        (from..from + n).flat_map(|i| (0..4).map(move |p| output("in", p, &format!("{i:06}"), "x"))).collect();
    outputs.chunks(800).for_each(|some| drop(bus.append(some).unwrap()));
}

/// A member that moves records from `in` to `out` and `copy` until it is told to stop: publishes a few at a time, finishes
/// what is in flight before it gives a partition up, and reads again what was aborted.
pub struct Mover {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Mover {
    pub fn start(bus: &Bus, instance: &str) -> Mover {
        let stop = Arc::new(AtomicBool::new(false));
        let (bus, instance, told) = (bus.clone(), instance.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let (mut reader, mut writer) = bus.join("g", &instance, &["in"]).unwrap();
            let mut owned: Vec<Assignment> = Vec::new();
            let mut publishes = 0;
            while !told.load(Ordering::Relaxed) {
                match reader.poll(Duration::from_millis(100)).unwrap() {
                    Event::Assigned(new) => owned.extend(new),
                    Event::Revoking(gone) => {
                        reader.release(&gone).unwrap();
                        owned.retain(|a| !gone.contains(a));
                    }
                    Event::Lost(gone) => owned.retain(|a| !gone.contains(a)),
                    Event::Records(records) => {
                        for some in records.chunks(5) {
                            publishes += usize::from(moved(&mut reader, &mut writer, &owned, some));
                        }
                    }
                    Event::Idle => {}
                }
            }
            publishes
        });
        Mover { stop, thread }
    }

    pub fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Publishes records that are still owned, until it is decided.
fn moved(_reader: &mut Reader, writer: &mut Writer, owned: &[Assignment], records: &[Delivered]) -> bool {
    let is_owned = |d: &&Delivered| owned.iter().any(|a| a.epoch == d.epoch && a.partition == d.partition);
    let mut records: Vec<Delivered> = records.iter().filter(is_owned).cloned().collect();
    while !records.is_empty() {
        match writer.publish(&transferred(owned, &records)) {
            Ok(_) => return true,
            Err(PublishError::Aborted(_)) => std::thread::park_timeout(Duration::from_millis(50)),
            Err(PublishError::Lost(lost)) => records.retain(|d| !lost.iter().any(|(_, p)| *p == d.partition)),
            Err(e) => panic!("{e:?}"),
        }
    }
    false
}

pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
