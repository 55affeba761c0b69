//! Beats are records as others are.

use std::time::Duration;

use bus::Beats;
use bus::payload::Beat;

use crate::Embedded;
use crate::contract::{Ground, PATIENCE, all};

#[test]
fn a_program_beats_until_it_says_that_it_has_stopped() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    let beat = Beat { instance: "spider/main".into(), state: "starting".into(), ..Beat::default() };
    let beats = Beats::start(&bus, beat, Duration::from_millis(5)).unwrap();
    let told = |state: &str| {
        let start = std::time::Instant::now();
        while start.elapsed() < PATIENCE {
            let records = all(&bus, "beats", 0);
            if let Some(last) = records.last()
                && let Ok(beat) = Beat::from_record(&last.record)
                && beat.state == state
            {
                assert_eq!(last.record.key, "spider/main");
                return beat;
            }
        }
        panic!("no beat said {state}");
    };
    told("starting");
    beats.update(|b| {
        b.state = "running".into();
        b.rates.insert("pages".into(), 1.5);
    });
    assert_eq!(told("running").rates["pages"], 1.5);
    drop(beats);
    let last = all(&bus, "beats", 0).pop().unwrap();
    assert_eq!(Beat::from_record(&last.record).unwrap().state, "stopped");
}

#[test]
fn a_pause_between_beats_does_not_hold_up_the_end() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    let start = std::time::Instant::now();
    drop(Beats::start(&bus, Beat::default(), PATIENCE * 10).unwrap());
    assert!(start.elapsed() < PATIENCE);
    let states = all(&bus, "beats", 0).iter().map(|d| Beat::from_record(&d.record).unwrap().state).collect::<Vec<_>>();
    assert_eq!(states.last().map(String::as_str), Some("stopped"));
}
