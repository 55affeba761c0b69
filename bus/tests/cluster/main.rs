//! Three brokers, every record on all of them: the contract of every bus, and brokers that die under load.
//!
//! One cluster is shared by the contract's tests, each of which has a prefix of its own; whoever kills brokers has its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../contract/mod.rs"]
#[allow(dead_code, reason = "some of it is for the embedded log alone")]
mod contract;
#[path = "../kafka/ground.rs"]
mod ground;
#[path = "../kafka/mover.rs"]
mod mover;

mod deaths;

use std::sync::OnceLock;

use ground::OnKafka;
use xtask::services::{Kafka, Kind};

const QUICK: &str = "session.timeout.ms=4000\nheartbeat.interval.ms=500\ntransaction.timeout.ms=8000\n";

/// Three brokers.
fn start(name: &str) -> Kafka {
    let kafka = ground::start(Kind::KafkaCluster, name);
    ground::configure(&kafka, QUICK);
    kafka
}

/// The cluster that the contract's tests share.
fn shared() -> &'static Kafka {
    static CLUSTER: OnceLock<Kafka> = OnceLock::new();
    CLUSTER.get_or_init(|| start("contract"))
}

contract_suite!(crate::OnKafka);
