//! The first signal drains, a second one exits at once.

use std::io::Read;

use crate::{Place, Running};

#[test]
fn the_first_signal_drains_and_wakes_who_waits() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(&mut Place::new().command(&["wait"]));
        assert_eq!(running.line(), "waiting");
        running.signal(signal);
        assert_eq!((running.line(), running.line()), ("asked".to_owned(), "drained".to_owned()));
        assert_eq!(running.code(), 130);
        let mut told = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(told.contains("a second signal ends at once"), "{told}");
    }
}

#[test]
fn a_second_signal_exits_at_once_whatever_the_program_does() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM"), ("TERM", "INT")] {
        let mut running = Running::start(&mut Place::new().command(&["wait", "--forever"]));
        assert_eq!(running.line(), "waiting");
        running.signal(first);
        assert_eq!(running.line(), "asked");
        running.signal(second);
        assert_eq!(running.code(), 130);
        assert!(running.lines.next().is_none(), "it did not drain");
    }
}
