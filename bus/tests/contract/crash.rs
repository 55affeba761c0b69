//! kill -9: at every step of a publish, and at random. A publish is then done or not, never half done.

use super::process::{Player, transferred};
use super::*;

/// Records of `in` in each of its two partitions.
pub const RECORDS: usize = 5;

/// The suite's topics, with `n` records in each partition of `in`.
pub fn prepare(bus: &Bus, n: usize) {
    for name in ["in", "out", "copy"] {
        topic(bus, name, 2);
    }
    for some in (0..2 * n).collect::<Vec<_>>().chunks(500) {
        let outputs: Vec<_> =
            some.iter().map(|i| output("in", (i % 2) as u32, &format!("{i:05}"), vec![*i as u8; 30_000])).collect();
        outputs.chunks(300).for_each(|o| drop(bus.append(o).unwrap()));
    }
}

/// What must hold whatever was killed when. Returns the committed offsets.
pub fn check(bus: &Bus, context: &str) -> Vec<i64> {
    let committed: Vec<i64> = bus.committed("g", "in").unwrap().iter().map(|c| c.unwrap_or(0)).collect();
    for partition in 0..2 {
        let covered = committed[partition as usize] as usize;
        let (input, out) = (all(bus, "in", partition), all(bus, "out", partition));
        let body = |records: &[Delivered]| records.iter().map(|d| d.record.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&out), keys(&input)[..covered], "{context}: partition {partition} is covered up to {covered}");
        assert!(body(&out) == body(&input)[..covered] && body(&out) == body(&all(bus, "copy", partition)), "{context}");
        assert!(out.is_sorted_by(|a, b| a.offset < b.offset), "{context}");
    }
    committed
}

/// Does what a killed one has left to do.
pub fn finish(bus: &Bus) {
    let (mut reader, mut writer) = bus.join("g", "heir", &["in"]).unwrap();
    let owned = assigned(&mut reader);
    let left: i64 = bus.lag("g", "in").unwrap().iter().map(|l| l.records).sum();
    if left > 0 {
        for some in read(&mut reader, left as usize).chunks(7) {
            writer.publish(&transferred(&owned, some)).unwrap();
        }
    }
}

/// Lets a part run until it ends or is killed. What it said is committed must be.
fn follow(player: &mut Player) -> (usize, bool) {
    let mut said = 0;
    let mut done = false;
    while let Some(line) = player.line() {
        done |= line == "done";
        said += usize::from(line.parse::<i64>().is_ok());
    }
    (said, done)
}

/// Kills at each of these system calls, the first, the second and so on.
pub fn killed_at_every_step_of_a_publish<G: Ground>(steps: &[&str]) {
    if !need_tool("strace", "killed_at_every_step_of_a_publish") {
        return;
    }
    let template = G::fresh();
    prepare(&template.open(), RECORDS);
    let mut kills = 0;
    for call in steps {
        for n in 1.. {
            let ground = template.copy();
            let inject = format!("inject={call}:signal=KILL:when={n}");
            let trace = format!("trace={call}");
            let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let mut player = Player::start_under(&strace, "transfer", &ground.url());
            let (said, done) = follow(&mut player);
            let survived = player.end();
            let context = format!("killed at {call} number {n}");
            let bus = ground.open();
            let committed: i64 = check(&bus, &context).iter().sum();
            // A publish of the part covers three records at most.
            assert!(
                committed as usize >= said,
                "{context}: it said {said} times that it had published, {committed} are"
            );
            finish(&bus);
            assert_eq!(check(&bus, &context), [RECORDS as i64; 2], "{context}");
            if survived {
                assert!(done, "{call}: a part that was not killed has done its work");
                break;
            }
            kills += 1;
            eprintln!("{context}");
        }
    }
    assert!(kills > 20, "only {kills} steps were found to kill at");
}

#[expect(clippy::disallowed_methods, reason = "to be killed at any moment is what this is about")]
pub fn killed_at_random<G: Ground>() {
    let ground = G::fresh();
    let bus = ground.open();
    let n = 500;
    prepare(&bus, n);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut before = 0;
    for round in 0..12 {
        let mut player = Player::start("transfer", &ground.url());
        player.expect("joined");
        for _ in 0..random(30) {
            player.line();
        }
        std::thread::sleep(Duration::from_micros(random(3_000)));
        player.kill();
        let committed: i64 = check(&bus, &format!("round {round}")).iter().sum();
        assert!(committed >= before);
        before = committed;
    }
    finish(&bus);
    assert_eq!(check(&bus, "at the end"), [n as i64; 2]);
}
