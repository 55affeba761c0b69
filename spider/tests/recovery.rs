//! Crashes and losses: whatever is killed, lost or damaged, each URL is archived exactly once.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;

use bus::payload::Discovered;
use bus::{Bus, Headers, Output, Record, topic};
use site::{Behaviour, Page, Site};
use support::{Dice, Running, Spider, ok, run, text, until};

#[test]
fn ten_kills_at_random_leave_every_url_archived_exactly_once() {
    let site =
        Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 1500, fanout: 10, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let seed = site.url("/t/0.html");
    let args = [&seed, "--until-idle", "--per-host", "16", "--checkpoint-every", "0.02"];
    for _ in 0..10 {
        let enough = site.requests().len() + dice.roll(130) as usize;
        let mut child = Running(spider.crawl(&args).spawn().unwrap());
        until("some requests", || site.requests().len() >= enough || child.0.try_wait().unwrap().is_some());
        for _ in 0..dice.roll(2000) {
            std::hint::spin_loop();
        }
    }
    spider.crawl_all(&[&seed, "--per-host", "16"]);
    let archived = spider.archived();
    assert_eq!(ok(&archived).len(), 1500);
    let tally = spider.tally();
    assert_eq!((tally.fetched, tally.pending, tally.known), (1500, 0, 1500));
    let bus = spider.bus();
    let lag = bus.lag(&topic::spider_group("main"), &topic::discovered("main").name).unwrap();
    assert_eq!(lag.iter().map(|l| l.records).sum::<i64>(), 0);
}

/// Crawls half, does something to the local files, crawls the rest.
fn half_and_half(harm: impl Fn(&Spider)) -> (Spider, String) {
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 300, fanout: 10, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let seed = site.url("/t/0.html");
    let output = run(&mut spider.crawl(&[&seed, "--pages", "150"]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    harm(&spider);
    let mut command = spider.crawl(&["--until-idle"]);
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(ok(&spider.archived()).len(), 300);
    assert_eq!(spider.tally().fetched, 300);
    (spider, text(&output))
}

#[test]
fn a_crawl_goes_on_from_its_checkpoint() {
    let (_, said) = half_and_half(|spider| assert!(spider.index().join("index").exists()));
    assert_eq!(said, "");
}

#[test]
fn a_lost_index_is_built_again_from_the_bus() {
    half_and_half(|spider| std::fs::remove_dir_all(spider.index()).unwrap());
}

#[test]
fn a_damaged_index_is_noticed_and_built_again() {
    let (_, said) = half_and_half(|spider| {
        let path = spider.index().join("index");
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    });
    assert!(said.contains("damaged"), "{said}");
}

#[test]
fn an_index_of_another_bus_is_not_believed() {
    let foreign = Spider::new();
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 50, fanout: 10, slow_ms: 0 }).start().unwrap();
    foreign.crawl_all(&[&site.url("/t/0.html")]);
    let (_, said) = half_and_half(|spider| {
        std::fs::copy(foreign.index().join("index"), spider.index().join("index")).unwrap();
    });
    assert!(said.contains("another bus"), "{said}");
}

#[test]
fn an_old_index_is_brought_up_to_date() {
    let old = tempfile::tempdir().unwrap();
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 300, fanout: 10, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let seed = site.url("/t/0.html");
    let run_to = |pages: &str| assert_eq!(run(&mut spider.crawl(&[&seed, "--pages", pages])).status.code(), Some(0));
    run_to("50");
    std::fs::copy(spider.index().join("index"), old.path().join("index")).unwrap();
    run_to("200");
    std::fs::copy(old.path().join("index"), spider.index().join("index")).unwrap();
    spider.crawl_all(&[]);
    assert_eq!(ok(&spider.archived()).len(), 300);
}

fn append(bus: &Bus, partition: u32, value: &[u8]) {
    let record = Record { key: "k".into(), value: Some(value.to_vec().into()), headers: Headers::default() };
    bus.append(&[Output { topic: "discovered.main".into(), partition, record }]).unwrap();
}

#[test]
fn a_candidate_on_a_wrong_partition_reaches_its_owner() {
    let site = Site::empty().page("/", Page::html("")).page("/stray", Page::html("")).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let home = topic::partition_of(site.addr().to_string().as_bytes(), topic::PARTITIONS);
    let wrong = (home + 1) % topic::PARTITIONS;
    let stray = Discovered { url: site.url("/stray"), depth: 1, ..Discovered::default() };
    append(&spider.bus(), wrong, &serde_json::to_vec(&stray).unwrap());
    spider.crawl_all(&[]);
    assert_eq!(ok(&spider.archived()), BTreeSet::from([site.url("/").as_str(), site.url("/stray").as_str()]));
    let forwarded = spider.records("discovered.main").into_iter().filter(|r| r.partition == home).count();
    assert_eq!(forwarded, 2);
    assert!(spider.records("frontier.main").iter().all(|r| r.partition == home));
}

#[test]
fn what_cannot_be_decoded_goes_to_the_dead_letters_and_the_crawl_goes_on() {
    let site = Site::empty().page("/", Page::html("")).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let bus = spider.bus();
    let bad: [&[u8]; 5] =
        [b"", b"not json", b"{\"url\":7}", b"{\"url\":\"ftp://x/\"}", b"{\"url\":\"http://h/\",\"depth\":-1}"];
    for value in bad {
        append(&bus, 3, value);
    }
    spider.crawl_all(&[]);
    let dead = spider.records(topic::DEAD_LETTERS);
    let values: Vec<_> = dead.iter().map(|d| d.record.value.clone().unwrap()).collect();
    assert_eq!(values, bad);
    for letter in &dead {
        let h = &letter.record.headers;
        assert_eq!((h.text("dl_topic"), h.text("dl_partition")), (Some("discovered.main"), Some("3")));
        assert_eq!(h.text("dl_program"), Some("spider/crawl"));
        assert!(h.text("dl_error").is_some_and(|e| !e.is_empty()));
    }
    spider.crawl_all(&[]);
    assert_eq!(spider.records(topic::DEAD_LETTERS).len(), bad.len());
}

#[test]
fn partitions_that_are_taken_away_and_given_back_lose_nothing() {
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 400, fanout: 10, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let mut child =
        Running(spider.crawl(&[&site.url("/t/0.html"), "--until-idle", "--per-host", "4"]).spawn().unwrap());
    until("the first requests", || site.requests().len() > 20);
    let bus = spider.bus();
    #[allow(irrefutable_let_patterns, reason = "Kafka will be another kind")]
    let Bus::Embedded(log) = &bus else { return };
    let all: Vec<u32> = (0..topic::PARTITIONS).collect();
    let mut rounds = 0;
    while child.0.try_wait().unwrap().is_none() && rounds < 8 {
        let enough = site.requests().len() + 30;
        // a child that has just ended has no partitions to give up
        let _ = log.revoke(&topic::spider_group("main"), "discovered.main", &all);
        until("more requests", || site.requests().len() >= enough || child.0.try_wait().unwrap().is_some());
        rounds += 1;
    }
    assert!(rounds >= 3, "{rounds}");
    until("the end", || child.0.try_wait().unwrap().is_some());
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    assert_eq!(ok(&spider.archived()).len(), 400);
    assert_eq!(spider.tally().fetched, 400);
}
