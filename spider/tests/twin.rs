//! Two spiders of one instance name on Kafka: one ends with 75 and says why, the other does the rest, and no page is archived
//! twice.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;

use bus::payload::Artefact;
use bus::{Bus, Options, topic};
use site::{Behaviour, Site};
use support::{Running, Spider, signal, until};
use xtask::services::{Kafka, Kind, Life};

const PAGES: u32 = 1_000;

/// URLs of the pages that are archived, as often as they are.
fn archived(bus: &Bus) -> Vec<String> {
    let mut urls = Vec::new();
    for partition in 0..topic::PARTITIONS {
        let mut scan = bus.scan(topic::ARTEFACTS, partition, 0).unwrap();
        loop {
            let batch = scan.next_batch().unwrap();
            if batch.is_empty() {
                break;
            }
            let artefacts = batch.iter().map(|delivered| Artefact::from_record(&delivered.record).unwrap());
            urls.extend(artefacts.filter(|artefact| artefact.status == Some(200)).map(|artefact| artefact.url));
        }
    }
    urls
}

#[test]
fn of_two_spiders_of_one_name_one_ends_with_75_and_no_page_is_archived_twice() {
    if site::need_tool("of_two_spiders_of_one_name_one_ends_with_75_and_no_page_is_archived_twice", "java").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let kafka = Kafka::start(Kind::Kafka, folder.path(), Life::Guarded).unwrap();
    let tree = Behaviour::Tree { pages: PAGES, fanout: 10, slow_ms: 50 };
    let site = Site::empty().misbehave("/t/*", tree).start().unwrap();
    let seed = site.url("/t/0.html");
    // the data directories differ, as on two machines; the name is that of both
    let spiders = [Spider::new(), Spider::new()];
    let start = |spider: &Spider| {
        let mut command = spider.crawl(&[&seed, "--per-host", "2", "--bus", kafka.url()]);
        Running(command.spawn().unwrap())
    };
    let first = start(&spiders[0]);
    until("the first one fetches", || site.requests().len() >= 20);
    let mut both = [first, start(&spiders[1])];
    until("one of them ends", || both.iter_mut().any(|spider| spider.0.try_wait().unwrap().is_some()));
    let ended = usize::from(both[0].0.try_wait().unwrap().is_none());
    let code = both[ended].0.wait().unwrap().code();
    let mut said = String::new();
    std::io::Read::read_to_string(both[ended].0.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(code, Some(75), "{said}");
    assert!(said.contains("same instance name `test`") && said.contains("--instance"), "{said}");

    let bus = Bus::open(kafka.url(), &Options::default()).unwrap();
    until("the other one does the rest", || archived(&bus).len() >= PAGES as usize);
    let other = &mut both[1 - ended];
    assert_eq!(other.0.try_wait().unwrap(), None, "the other one goes on");
    signal(other.0.id(), "INT");
    let code = other.0.wait().unwrap().code();
    let mut said = String::new();
    std::io::Read::read_to_string(other.0.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(code, Some(130), "{said}");
    let urls = archived(&bus);
    assert_eq!(urls.iter().collect::<BTreeSet<_>>().len(), PAGES as usize);
    assert_eq!(urls.len(), PAGES as usize, "a page is archived twice");
}
