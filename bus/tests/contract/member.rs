//! Members of groups: publish and cover, fences, revocation, take-over, lag.

use bus::{PublishError, Writer};

use super::process::Player;
use super::*;

/// Topics `in` (two partitions, three records in each) and `out`, and a member of `g` that has got all of `in`.
fn member(bus: &Bus) -> (Reader, Writer, Vec<Assignment>, Vec<Delivered>) {
    topic(bus, "in", 2);
    topic(bus, "out", 1);
    let outputs: Vec<_> = (0..6).map(|i| output("in", i % 2, &format!("{}", i / 2), "x")).collect();
    bus.append(&outputs).unwrap();
    let (mut reader, writer) = bus.join("g", "one", &["in"]).unwrap();
    let mut owned = assigned(&mut reader);
    owned.sort_by_key(|a| a.partition);
    assert_eq!(owned.iter().map(|a| (&a.topic[..], a.partition)).collect::<Vec<_>>(), [("in", 0), ("in", 1)]);
    let mut records = read(&mut reader, 6);
    records.sort_by_key(|d| (d.partition, d.offset));
    (reader, writer, owned, records)
}

pub fn publish_and_cover_are_one<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (_reader, mut writer, owned, records) = member(&bus);
    assert!(owned.iter().all(|a| a.committed.is_none() && a.epoch != 0));
    assert_eq!(keys(&records), ["0", "1", "2", "0", "1", "2"]);
    assert!(records.iter().all(|d| d.epoch == owned[d.partition as usize].epoch));
    let covers = vec![cover(&owned[0], 2), cover(&owned[1], 1)];
    let outputs = vec![output("out", 0, "a", "x"), output("in", 1, "b", "x"), output("out", 0, "c", "x")];
    let receipt = writer.publish(&batch(outputs, covers)).unwrap();
    let look = ground.open();
    assert_eq!(look.committed("g", "in").unwrap(), [Some(2), Some(1)]);
    let out = all(&look, "out", 0);
    assert_eq!(keys(&out), ["a", "c"]);
    let beside = &all(&look, "in", 1)[3];
    assert_eq!(receipt.offsets, [out[0].offset, beside.offset, out[1].offset]);
    assert_eq!(receipt.time, out[1].time.max(beside.time));
}

pub fn nothing_of_an_aborted_batch_is_visible<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (_reader, mut writer, owned, _) = member(&bus);
    writer.publish(&batch(vec![], vec![cover(&owned[0], 2)])).unwrap();
    let good = || output("out", 0, "good", "x");
    let gone = Assignment { epoch: owned[1].epoch + 1_000, ..owned[1].clone() };
    let aborted = [
        batch(vec![good(), output("missing", 0, "k", "x")], vec![cover(&owned[0], 3)]),
        batch(vec![good(), output("out", 7, "k", "x")], vec![cover(&owned[0], 3)]),
        batch(vec![good(), output("out", 0, "k", vec![0; bus::topic::MAX_RECORD])], vec![cover(&owned[0], 3)]),
        batch(vec![good(); bus::topic::MAX_BATCH_RECORDS + 1], vec![cover(&owned[0], 3)]),
        batch(vec![output("out", 0, "k", vec![0; 9 << 20]); 2], vec![cover(&owned[0], 3)]),
        batch(vec![good()], vec![cover(&owned[0], 3), cover(&gone, 1)]),
        // What is covered does not step back, nor does it run ahead of what is there.
        batch(vec![good()], vec![cover(&owned[1], 1), cover(&owned[0], 1)]),
        batch(vec![good()], vec![cover(&owned[1], 1), cover(&owned[0], 99)]),
    ];
    for (n, wrong) in aborted.iter().enumerate() {
        writer.publish(wrong).expect_err(&format!("batch {n}"));
        assert_eq!(keys(&all(&bus, "out", 0)), [""; 0], "batch {n}");
        assert_eq!(bus.committed("g", "in").unwrap(), [Some(2), None], "batch {n}");
    }
    let receipt = writer.publish(&batch(vec![good()], vec![cover(&owned[0], 3), cover(&owned[1], 1)])).unwrap();
    let out = all(&bus, "out", 0);
    assert_eq!((keys(&out), out[0].offset), (vec!["good".into()], receipt.offsets[0]));
    assert_eq!(bus.committed("g", "in").unwrap(), [Some(3), Some(1)]);
}

pub fn a_cover_of_what_is_covered_only_fences<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (_reader, mut writer, owned, _) = member(&bus);
    for _ in 0..2 {
        writer.publish(&batch(vec![output("out", 0, "k", "x")], vec![cover(&owned[0], 2)])).unwrap();
    }
    assert_eq!(all(&bus, "out", 0).len(), 2);
    assert_eq!(bus.committed("g", "in").unwrap(), [Some(2), None]);
}

pub fn a_partition_asked_back_stays_until_it_is_released<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (mut reader, mut writer, owned, _) = member(&bus);
    ground.revoke(&bus, "g", "in", 0);
    let revoking = wait(&mut reader, |event| match event {
        Event::Revoking(a) => Some(a),
        _ => None,
    });
    assert_eq!(revoking, owned[..1]);
    // Work in flight is finished before the release …
    writer.publish(&batch(vec![output("out", 0, "finished", "x")], vec![cover(&owned[0], 1)])).unwrap();
    reader.release(&revoking).unwrap();
    // … and refused after it; the other partition is ours all along.
    match writer.publish(&batch(vec![output("out", 0, "late", "x")], vec![cover(&owned[1], 1), cover(&owned[0], 2)])) {
        Err(PublishError::Lost(lost)) => assert_eq!(lost, [("in".into(), 0)]),
        other => panic!("{other:?}"),
    }
    writer.publish(&batch(vec![output("out", 0, "other", "x")], vec![cover(&owned[1], 1)])).unwrap();
    let back = assigned(&mut reader);
    assert_eq!((back.len(), back[0].partition, back[0].committed), (1, 0, Some(1)));
    assert!(back[0].epoch > owned[0].epoch);
    let again = read(&mut reader, 2);
    assert_eq!(
        again.iter().map(|d| (d.partition, d.offset, d.epoch)).collect::<Vec<_>>(),
        [(0, 1, back[0].epoch), (0, 2, back[0].epoch)]
    );
    // What was read under the old epoch is not published for the new one.
    let old = batch(vec![output("out", 0, "old", "x")], vec![cover(&owned[0], 2)]);
    assert!(matches!(writer.publish(&old), Err(PublishError::Lost(_))));
    writer.publish(&batch(vec![output("out", 0, "new", "x")], vec![cover(&back[0], 3)])).unwrap();
    assert_eq!(keys(&all(&bus, "out", 0)), ["finished", "other", "new"]);
    assert_eq!(bus.committed("g", "in").unwrap(), [Some(3), Some(1)]);
}

pub fn a_member_that_has_left_cannot_publish<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (reader, mut writer, owned, _) = member(&bus);
    drop(reader);
    let late = batch(vec![output("out", 0, "late", "x")], vec![cover(&owned[0], 2)]);
    assert!(matches!(writer.publish(&late), Err(PublishError::Lost(_))));
    let (mut reader, mut next) = ground.open().join("g", "two", &["in"]).unwrap();
    let taken = assigned(&mut reader);
    assert_eq!(taken.len(), 2);
    assert!(matches!(writer.publish(&late), Err(PublishError::Lost(_))));
    let nothing_covered = batch(vec![output("out", 0, "late", "x")], vec![]);
    writer.publish(&nothing_covered).unwrap_err();
    let now = taken.iter().find(|a| a.partition == 0).unwrap();
    next.publish(&batch(vec![output("out", 0, "in time", "x")], vec![cover(now, 1)])).unwrap();
    assert_eq!(keys(&all(&bus, "out", 0)), ["in time"]);
    assert_eq!(bus.committed("g", "in").unwrap(), [Some(1), None]);
}

pub fn a_dead_members_partitions_are_taken_over<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (reader, mut writer, owned, _) = member(&bus);
    writer.publish(&batch(vec![], vec![cover(&owned[0], 2)])).unwrap();
    drop((reader, writer));
    let mut holder = Player::start("hold", &ground.url());
    holder.expect("joined");
    holder.kill();
    let (mut reader, _writer) = bus.join("g", "heir", &["in"]).unwrap();
    let mut heirs = assigned(&mut reader);
    heirs.sort_by_key(|a| a.partition);
    assert_eq!(heirs.iter().map(|a| a.committed).collect::<Vec<_>>(), [Some(2), None]);
    assert!(heirs.iter().zip(&owned).all(|(new, old)| new.epoch > old.epoch));
    let mut records = read(&mut reader, 4);
    records.sort_by_key(|d| (d.partition, d.offset));
    assert_eq!(records.iter().map(|d| (d.partition, d.offset)).collect::<Vec<_>>(), [(0, 2), (1, 0), (1, 1), (1, 2)]);
}

pub fn what_was_read_and_not_handled_is_read_again<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (reader, mut writer, owned, records) = member(&bus);
    // all six are read, one of each partition is handled, and the member ends without a word
    let outputs = vec![output("out", 0, "handled", "x")];
    writer.publish(&batch(outputs, vec![cover(&owned[0], 1), cover(&owned[1], 1)])).unwrap();
    drop((reader, writer));
    let (mut reader, _writer) = bus.join("g", "one", &["in"]).unwrap();
    assigned(&mut reader);
    let mut again = read(&mut reader, 4);
    again.sort_by_key(|d| (d.partition, d.offset));
    let places = |all: &[Delivered]| all.iter().map(|d| (d.partition, d.offset)).collect::<Vec<_>>();
    let left: Vec<_> = records.into_iter().filter(|d| d.offset >= 1).collect();
    assert_eq!(places(&again), places(&left));
}

pub fn a_member_sees_what_others_append_while_it_waits<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (mut reader, _writer, _, _) = member(&bus);
    assert_eq!(reader.poll(Duration::from_millis(1)).unwrap(), Event::Idle);
    let other = ground.open();
    let appending = std::thread::spawn(move || other.append(&[output("in", 1, "late", "x")]).unwrap());
    assert_eq!(keys(&read(&mut reader, 1)), ["late"]);
    appending.join().unwrap();
    assert_eq!(reader.poll(Duration::from_millis(1)).unwrap(), Event::Idle);
}

pub fn a_paused_partition_is_silent_until_it_is_resumed<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (mut reader, mut writer, owned, _) = member(&bus);
    reader.pause("in", 0).unwrap();
    let outputs: Vec<_> = (0..4).map(|i| output("in", i % 2, &format!("new {i}"), "x")).collect();
    bus.append(&outputs).unwrap();
    assert_eq!(keys(&read(&mut reader, 2)), ["new 1", "new 3"]);
    assert_eq!(reader.poll(Duration::from_millis(50)).unwrap(), Event::Idle);
    writer.publish(&batch(vec![], vec![cover(&owned[0], 3)])).unwrap();
    reader.resume("in", 0).unwrap();
    assert_eq!(keys(&read(&mut reader, 2)), ["new 0", "new 2"]);
    reader.pause("in", 9).unwrap_err();
}

pub fn seeking_reads_again<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (mut reader, _writer, owned, _) = member(&bus);
    reader.seek("in", 1, 1).unwrap();
    let records = read(&mut reader, 2);
    assert_eq!(records.iter().map(|d| (d.partition, d.offset)).collect::<Vec<_>>(), [(1, 1), (1, 2)]);
    assert_eq!(records[0].epoch, owned[1].epoch, "seeking is no new assignment");
}

pub fn batches_are_bounded_and_fair<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "in", 4);
    // as a page would not be, incompressible: else a whole backlog is one small answer
    let (mut random, mut noise) = (1_u64, vec![0; 1 << 20]);
    for byte in &mut noise {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        *byte = random as u8;
    }
    for _ in 0..3 {
        let large: Vec<_> = (0..15).map(|_| output("in", 0, "large", noise.clone())).collect();
        bus.append(&large).unwrap();
        let small: Vec<_> = (0..1_000).map(|_| output("in", 1, "small", "x")).collect();
        bus.append(&small).unwrap();
    }
    bus.append(&[output("in", 2, "huge", vec![0; (16 << 20) - 100]), output("in", 3, "one", "x")]).unwrap();
    let (mut reader, _writer) = bus.join("g", "one", &["in"]).unwrap();
    let mut seen = [0; 4];
    wait(&mut reader, |event| {
        if let Event::Records(records) = event {
            let bytes: usize = records.iter().map(|d| d.record.size()).sum();
            assert!(records.len() <= 1_000);
            assert!(bytes <= 16 << 20 || records.len() == 1, "{} records, {bytes} bytes", records.len());
            for d in &records {
                // no partition waits until a long backlog of another is done
                assert!(seen[d.partition as usize] > 0 || seen[0] <= 25, "partition {} after {seen:?}", d.partition);
                seen[d.partition as usize] += 1;
            }
            // a program works on what it has got, while brokers answer
            std::thread::park_timeout(Duration::from_millis(30));
        }
        (seen == [45, 3_000, 1, 1]).then_some(())
    });
}

pub fn lag_counts_what_is_not_covered<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let lags = |bus: &Bus| {
        bus.lag("g", "in").unwrap().iter().map(|l| (l.partition, l.committed, l.records)).collect::<Vec<_>>()
    };
    topic(&bus, "in", 2);
    assert_eq!(lags(&bus), [(0, None, 0), (1, None, 0)]);
    let (_reader, mut writer, owned, _) = member(&bus);
    assert_eq!(lags(&bus), [(0, None, 3), (1, None, 3)]);
    writer.publish(&batch(vec![], vec![cover(&owned[1], 2)])).unwrap();
    assert_eq!(lags(&ground.open()), [(0, None, 3), (1, Some(2), 1)]);
    writer.publish(&batch(vec![], vec![cover(&owned[1], 3), cover(&owned[0], 3)])).unwrap();
    assert_eq!(lags(&bus), [(0, Some(3), 0), (1, Some(3), 0)]);
    assert_eq!(bus.committed("nobody", "in").unwrap(), [None, None]);
}

pub fn groups_do_not_meet<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let (_reader, mut writer, owned, _) = member(&bus);
    let (mut other, _) = bus.join("h", "one", &["in"]).unwrap();
    assigned(&mut other);
    assert_eq!(read(&mut other, 6).len(), 6);
    writer.publish(&batch(vec![], vec![cover(&owned[0], 1)])).unwrap();
    assert_eq!(bus.committed("h", "in").unwrap(), [None, None]);
}
