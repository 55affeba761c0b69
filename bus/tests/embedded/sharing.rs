//! Several processes on one file.

use bus::{Error, Event, PublishError};

use crate::Embedded;
use crate::contract::process::Player;
use crate::contract::{Ground, all, assigned, batch, cover, output, read, topic};

#[test]
fn a_second_member_is_refused_and_told_who_holds_the_group() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    topic(&bus, "in", 1);
    assert_eq!(bus.holder("g").unwrap(), None);
    let mut holder = Player::start("hold", &ground.url());
    holder.expect("joined");
    let who = bus.holder("g").unwrap().unwrap();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for part in ["instance holder", &format!("pid {}", holder.id()), machine.trim(), "since 20", "embedded"] {
        assert!(who.contains(part), "{who:?} has no {part:?}");
    }
    match bus.join("g", "second", &["in"]).err() {
        Some(e @ Error::Busy { .. }) => assert!(e.to_string().contains(&who) && e.to_string().contains("`g`"), "{e}"),
        other => panic!("{other:?}"),
    }
    bus.join("another", "second", &["in"]).unwrap();
    holder.kill();
    assert_eq!(bus.holder("g").unwrap(), None);
    let (reader, _writer) = bus.join("g", "second", &["in"]).unwrap();
    assert!(matches!(bus.join("g", "third", &["in"]), Err(Error::Busy { .. })), "within one process as well");
    assert!(bus.holder("g").unwrap().unwrap().contains("instance second"));
    drop(reader);
    assert_eq!(bus.holder("g").unwrap(), None);
}

#[test]
fn group_names_of_any_kind_have_locks_of_their_own() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    topic(&bus, "in", 1);
    let names = ["../x", "..%2fx", "a/b", "A/b", "", " ", "ü", &"n".repeat(200)];
    let members: Vec<_> = names.iter().map(|n| bus.join(n, "one", &["in"]).unwrap()).collect();
    for name in names {
        assert!(matches!(bus.join(name, "two", &["in"]), Err(Error::Busy { .. })), "{name}");
    }
    drop(members);
    names.iter().for_each(|n| drop(bus.join(n, "two", &["in"]).unwrap()));
    let long = bus.join(&"n".repeat(300), "one", &["in"]).err().unwrap().to_string();
    assert!(long.contains("too long"), "{long}");
}

#[test]
fn a_member_whose_lock_was_removed_is_fenced() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    topic(&bus, "in", 1);
    bus.append(&[output("in", 0, "k", "x")]).unwrap();
    let (mut reader, mut writer) = bus.join("g", "first", &["in"]).unwrap();
    let own = assigned(&mut reader).remove(0);
    read(&mut reader, 1);
    std::fs::remove_dir_all(format!("{}.d", ground.url())).unwrap();
    let bus = ground.open();
    let (_second, _) = bus.join("g", "second", &["in"]).unwrap();
    let late = batch(vec![output("in", 0, "late", "x")], vec![cover(&own, 1)]);
    assert!(matches!(writer.publish(&late), Err(PublishError::Lost(p)) if p == [("in".into(), 0)]));
    match writer.publish(&batch(vec![output("in", 0, "late", "x")], vec![])) {
        Err(PublishError::Fenced(holder)) => assert!(holder.contains("instance second"), "{holder}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(reader.poll(std::time::Duration::ZERO).unwrap(), Event::Lost(vec![own]));
    match reader.poll(std::time::Duration::ZERO) {
        Err(Error::Busy { holder, .. }) => assert!(holder.contains("instance second"), "{holder}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(all(&bus, "in", 0).len(), 1);
}

#[test]
fn processes_that_append_at_once_keep_order_and_lose_nothing() {
    let ground = Embedded::on_disk();
    let bus = ground.open();
    topic(&bus, "t", 2);
    let mut players: Vec<_> = (0..3).map(|_| Player::start("append", &ground.url())).collect();
    players.iter_mut().for_each(|p| p.expect("ready"));
    players.iter_mut().for_each(Player::go);
    for player in &mut players {
        assert!(player.end());
    }
    for partition in 0..2 {
        let records = all(&bus, "t", partition);
        assert_eq!(records.len(), 3 * 1_000);
        assert!(records.iter().map(|d| d.offset).eq(0..3_000), "offsets are unique and without gaps");
        assert!(records.is_sorted_by(|a, b| a.time <= b.time));
        for player in &players {
            let id = player.id().to_string();
            let of = |d: &bus::Delivered| {
                let key = String::from_utf8(d.record.key.to_vec()).unwrap();
                key.split_once(' ').filter(|(p, _)| *p == id).map(|(_, n)| n.parse::<u32>().unwrap())
            };
            let numbers: Vec<u32> = records.iter().filter_map(of).collect();
            assert!(numbers.into_iter().eq((0..2_000).filter(|n| n % 2 == partition)), "as each process wrote them");
        }
    }
}

#[test]
fn a_topic_deleted_under_a_member_is_lost() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    topic(&bus, "in", 1);
    topic(&bus, "kept", 1);
    let (mut reader, mut writer) = bus.join("g", "one", &["in", "kept"]).unwrap();
    let owned = assigned(&mut reader);
    let mut scan = bus.scan("in", 0, 0).unwrap();
    ground.open().delete_topic("in").unwrap();
    topic(&bus, "in", 1);
    bus.append(&[output("in", 0, "of another topic", "x"), output("kept", 0, "k", "x")]).unwrap();
    assert_eq!(reader.poll(std::time::Duration::ZERO).unwrap(), Event::Lost(owned[..1].to_vec()));
    assert!(matches!(scan.next_batch(), Err(Error::NoTopic { .. })));
    let records = read(&mut reader, 1);
    assert_eq!(records[0].topic, "kept");
    assert!(matches!(writer.publish(&batch(vec![], vec![cover(&owned[0], 1)])), Err(PublishError::Lost(_))));
    writer.publish(&batch(vec![], vec![cover(&owned[1], 1)])).unwrap();
}
