//! Topics on a real broker: made anew under a program, with settings of somebody else's.

use std::time::{Duration, Instant};

use bus::Event;

use super::OnKafka;
use crate::contract::*;

#[test]
fn a_topic_made_anew_under_a_member_ends_it_with_an_explanation() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    topic(&bus, "in", 2);
    bus.append(&[output("in", 0, "a", "x"), output("in", 1, "b", "x")]).unwrap();
    let (mut reader, _writer) = bus.join("g", "one", &["in"]).unwrap();
    assigned(&mut reader);
    read(&mut reader, 2);
    let other = ground.open();
    other.delete_topic("in").unwrap();
    topic(&other, "in", 2);
    other.append(&[output("in", 0, "new", "x")]).unwrap();
    let start = Instant::now();
    let error = loop {
        match reader.poll(Duration::from_millis(200)) {
            Err(error) => break error.to_string(),
            Ok(Event::Records(records)) => panic!("records of another topic: {:?}", keys(&records)),
            Ok(_) => assert!(start.elapsed() < PATIENCE, "it was not told"),
        }
    };
    assert!(error.contains("topic `in` was deleted or made anew"), "{error}");
}

#[test]
fn a_topic_with_settings_that_lose_the_day_of_a_record_is_refused() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    topic(&bus, "t", 1);
    let compacted = bus::TopicSpec { name: "t".into(), partitions: 1, cleanup: bus::Cleanup::Compact };
    let error = bus.ensure(&[compacted]).unwrap_err().to_string();
    assert!(error.contains("cleanup.policy=delete") && error.contains("kafka-configs"), "{error}");
}

#[test]
fn other_clients_find_the_partition_of_a_host_by_themselves() {
    let ground = OnKafka::fresh();
    let bus = ground.open();
    let spec = bus::topic::artefacts();
    bus.ensure(std::slice::from_ref(&spec)).unwrap();
    if !need_tool_by("kcat", "-V", "other_clients_find_the_partition_of_a_host_by_themselves") {
        return;
    }
    let url = ground.url();
    let (hosts, prefix) = url.strip_prefix("kafka://").and_then(|url| url.split_once('/')).unwrap();
    let name = format!("{prefix}artefacts");
    // kcat, built on the same library as many clients, chooses the partition of a host by itself
    let line = "example.org:hello";
    let mut kcat = std::process::Command::new("kcat")
        .args(["-P", "-b", hosts, "-t", &name, "-K:", "-X", "topic.partitioner=murmur2_random"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut kcat.stdin.take().unwrap(), line.as_bytes()).unwrap();
    assert!(kcat.wait().unwrap().success());
    let partition = bus::topic::partition_of(b"example.org", spec.partitions);
    let found = all(&bus, "artefacts", partition);
    assert_eq!(found.len(), 1, "it is on partition {partition}");
    assert_eq!(found[0].record.value.as_deref(), Some(&b"hello"[..]));
}

#[test]
fn all_who_start_at_the_same_time_find_one_id_of_a_topic() {
    let ground = OnKafka::fresh();
    topic(&ground.open(), "in", 1);
    let buses: Vec<_> = (0..6).map(|_| ground.open()).collect();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let started: Vec<_> = buses.iter().map(|bus| scope.spawn(|| bus.topic_id("in").unwrap())).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(ground.open().topic_id("in").unwrap(), ids[0]);
}
