//! Members of groups: publish and cover, fences, revocation, take-over, lag.

use super::*;

pub fn publish_and_cover_are_one<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    topic(&bus, "in", 1);
    topic(&bus, "out", 1);
    bus.append(&[output("in", 0, "a", "x"), output("in", 0, "b", "x")]).unwrap();
    let (mut reader, mut writer) = bus.join("g", "one", &["in"]).unwrap();
    let a = assigned(&mut reader).remove(0);
    assert_eq!(a.committed, None);
    let records = read(&mut reader, 2);
    assert_eq!((records[0].epoch, records[0].offset), (a.epoch, 0));
    writer.publish(&batch(vec![output("out", 0, "A", "x")], vec![cover(&a, 1)])).unwrap();
    let look = ground.open();
    assert_eq!(look.committed("g", "in").unwrap(), [Some(1)]);
    assert_eq!(keys(&all(&look, "out", 0)), ["A"]);
}
