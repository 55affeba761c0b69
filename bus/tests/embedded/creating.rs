//! A new bus: made whole or not at all, once.

use crate::Embedded;
use crate::contract::process::Player;
use crate::contract::{Ground, all, need_tool};

#[test]
fn many_open_a_new_bus_at_once() {
    for _ in 0..5 {
        let ground = Embedded::fresh();
        let url = ground.0.path().join("deep/er/bus.db");
        let url = url.to_str().unwrap();
        let mut players: Vec<_> = (0..4).map(|_| Player::start("create", url)).collect();
        players.iter_mut().for_each(|p| p.expect("ready"));
        players.iter_mut().for_each(Player::go);
        let clusters: Vec<_> = players.iter_mut().map(|p| p.line().unwrap()).collect();
        assert!(clusters.iter().all(|c| *c == clusters[0]), "{clusters:?}");
        assert!(players.iter_mut().all(Player::end));
    }
}

#[test]
fn killed_at_every_step_of_making_a_bus() {
    if !need_tool("strace", "killed_at_every_step_of_making_a_bus") {
        return;
    }
    let mut kills = 0;
    for call in crate::STEPS.iter().chain(&["mkdir"]) {
        for n in 1.. {
            let ground = Embedded::fresh();
            let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={n}"));
            let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let url = ground.0.path().join("deep/er/bus.db");
            let url = url.to_str().unwrap();
            let mut player = Player::start_under(&strace, "create", url);
            player.go();
            let survived = player.end();
            // The next one finds a bus, or makes it.
            let mut next = Player::start("create", url);
            next.go();
            assert!(next.end(), "killed at {call} number {n}");
            let bus = bus::Bus::open(url, &Default::default()).unwrap();
            let records = all(&bus, "seals", 0).len();
            assert!(records == 2 || !survived && records == 1, "killed at {call} number {n}: {records} records");
            if survived {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 20, "only {kills} steps were found to kill at");
}
