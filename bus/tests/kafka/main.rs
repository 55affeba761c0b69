//! Kafka: the contract of every bus against one broker, and what only Kafka has. One broker is shared by all tests here;
//! each test has a prefix of its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../contract/mod.rs"]
#[allow(dead_code, reason = "some of it is for the embedded log alone")]
mod contract;

mod errors;
mod ground;
mod members;
mod mover;
mod recreated;
mod script;
mod sequences;
mod silence;
mod strangers;

use std::sync::OnceLock;

use ground::OnKafka;
use xtask::services::{Kafka, Kind};

const QUICK: &str = "session.timeout.ms=3000\nheartbeat.interval.ms=500\ntransaction.timeout.ms=5000\n";

/// The broker that most tests share.
fn shared() -> &'static Kafka {
    static BROKER: OnceLock<Kafka> = OnceLock::new();
    BROKER.get_or_init(|| {
        let kafka = ground::start(Kind::Kafka, "shared");
        ground::configure(&kafka, QUICK);
        kafka
    })
}

contract_suite!(crate::OnKafka);
