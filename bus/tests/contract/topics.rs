//! Topics: made once with their settings, found, deleted.

use bus::Error;

use super::*;

pub fn topics_are_made_once_with_their_settings<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let specs = [bus::topic::artefacts(), bus::topic::frontier("main"), bus::topic::seals()];
    bus.ensure(&specs).unwrap();
    bus.append(&[output("seals", 0, "k", "x")]).unwrap();
    let id = bus.topic_id("seals").unwrap();
    let again = ground.open();
    again.ensure(&specs).unwrap();
    assert_eq!(again.topic_id("seals").unwrap(), id);
    assert_ne!(again.topic_id("artefacts").unwrap(), id);
    assert_eq!(again.cluster(), bus.cluster());
    assert_eq!(all(&again, "seals", 0).len(), 1);
    assert_eq!(again.topics().unwrap(), specs);
}

pub fn another_number_of_partitions_is_refused<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "t", 3);
    let new = TopicSpec { name: "new".into(), partitions: 1, cleanup: Cleanup::Delete };
    let wrong = TopicSpec { name: "t".into(), partitions: 16, cleanup: Cleanup::Delete };
    match bus.ensure(&[new, wrong]) {
        Err(Error::Partitions { topic, found, wanted }) => assert_eq!((&topic[..], found, wanted), ("t", 3, 16)),
        other => panic!("{other:?}"),
    }
}

pub fn what_is_missing_is_named<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let missing = |e: Error| {
        matches!(&e, Error::NoTopic { topic, .. } if topic == "missing") && e.to_string().contains("missing")
    };
    assert!(missing(bus.topic_id("missing").unwrap_err()));
    assert!(missing(bus.offsets("missing", 0).unwrap_err()));
    assert!(missing(bus.append(&[output("missing", 0, "k", "x")]).unwrap_err()));
    assert!(missing(bus.scan("missing", 0, 0).err().unwrap()));
    assert!(missing(bus.join("g", "one", &["missing"]).err().unwrap()));
    topic(&bus, "t", 2);
    assert!(bus.append(&[output("t", 2, "k", "x")]).is_err());
    assert!(bus.scan("t", 2, 0).is_err());
    bus.join("g", "one", &["t"]).unwrap();
}

pub fn a_topic_made_anew_is_another_one<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "t", 2);
    topic(&bus, "kept", 1);
    bus.append(&[output("t", 0, "old", "x"), output("kept", 0, "kept", "x")]).unwrap();
    let id = bus.topic_id("t").unwrap();
    let (mut reader, mut writer) = bus.join("g", "one", &["t"]).unwrap();
    let owned = assigned(&mut reader);
    writer.publish(&batch(vec![], vec![cover(owned.iter().find(|a| a.partition == 0).unwrap(), 1)])).unwrap();
    drop((reader, writer));
    bus.delete_topic("t").unwrap();
    assert!(matches!(bus.topic_id("t"), Err(Error::NoTopic { .. })));
    topic(&bus, "t", 2);
    assert_ne!(bus.topic_id("t").unwrap(), id);
    assert_eq!(bus.committed("g", "t").unwrap(), [None, None]);
    assert_eq!(bus.offsets("t", 0).unwrap().end, 0);
    bus.append(&[output("t", 0, "new", "x")]).unwrap();
    assert_eq!(keys(&all(&bus, "t", 0)), ["new"]);
    assert_eq!(keys(&all(&bus, "kept", 0)), ["kept"]);
}
