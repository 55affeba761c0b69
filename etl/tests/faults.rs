//! Uploads that go wrong on the way: bad connections, servers that go away, uploaders that are killed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/night.rs"]
mod night;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::process::Stdio;

use mongodb::bson::doc;
use night::*;
use proxy::Proxy;
use support::*;

#[test]
fn connections_that_are_cut_stalled_and_late_change_nothing() {
    let Some(server) = server("connections_that_are_cut_stalled_and_late_change_nothing") else { return };
    let world = yesterday(90);
    let (mut cuts, mut stalls) = (0, 0);
    for seed in 1..=2 {
        let proxy = Proxy::new(server.port, seed);
        let url = format!("mongodb://127.0.0.1:{}/night", proxy.port);
        let (code, report) = upload(&world, &url, &["--timeout", "2s", "--retry-for", "5m", "--force"]);
        assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
        let done = proxy.done();
        (cuts, stalls) = (cuts + done.0, stalls + done.1);
    }
    assert!(cuts > 0 && stalls > 0, "{cuts} cuts, {stalls} stalls");
    assert_equal(world.path(), &server.look());
}

#[test]
fn a_server_that_is_away_is_waited_for_and_then_told() {
    let Some(mut server) = server("a_server_that_is_away_is_waited_for_and_then_told") else { return };
    let world = yesterday(30);
    server.kill();
    let told = world.path().join("told");
    let tell = format!("cat > {}", told.display());
    let brief = ["--retry-for", "1s", "--timeout", "1s", "--on-failure", &tell];
    let output = uploading(&world, &server.url(), &brief).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("was away for"), "{}", text(&output));
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("exit code 1") && told.contains("was away for"), "{told}");

    // it comes back while we try
    let mut child = uploading(&world, &server.url(), &[]).stdout(Stdio::null()).spawn().unwrap();
    server.start();
    assert!(child.wait().unwrap().success());
    assert_equal(world.path(), &server.look());
}

#[test]
fn killed_at_every_step_it_ends_the_same() {
    if !have("strace", "killed_at_every_step_it_ends_the_same") {
        return;
    }
    let Some(server) = server("killed_at_every_step_it_ends_the_same") else { return };
    let world = yesterday(30);
    // what is written to the archive and what is sent: each call of these kinds is once the last
    for call in ["fsync", "rename,renameat2", "sendto,sendmsg,write,writev"] {
        for nth in 1.. {
            let look = server.look();
            look.run(doc! { "dropDatabase": 1 });
            let _ = std::fs::remove_dir_all(world.path().join("ledger/uploads"));
            let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
            let mut traced = std::process::Command::new("strace");
            traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let etl = uploading(&world, &server.url(), &[]);
            traced.arg(etl.get_program()).args(etl.get_args());
            for (key, value) in etl.get_envs() {
                if let Some(value) = value {
                    traced.env(key, value);
                }
            }
            let status = traced.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            let (code, report) = upload(&world, &server.url(), &[]);
            assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "after {call} {nth}: {report}");
            if nth % 10 == 1 || status.success() {
                assert_equal(world.path(), &look);
            }
            if status.success() {
                assert!(nth > 3, "only {nth} calls of {call}");
                break;
            }
            // of many messages some are enough
            if nth >= 25 {
                break;
            }
        }
    }
    let left: Vec<_> = std::fs::read_dir(world.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "unfinished files are left: {left:?}");
}

#[test]
fn a_server_that_is_killed_while_it_takes_documents_ends_with_all_of_them() {
    let Some(mut server) = server("a_server_that_is_killed_while_it_takes_documents_ends_with_all_of_them") else {
        return;
    };
    let world = yesterday(1500);
    let mut child = uploading(&world, &server.url(), &[]).stdout(Stdio::null()).spawn().unwrap();
    for seen in [1, 600, 1100] {
        let look = server.look();
        wait_for(|| look.find("bodies", doc! {}).len() >= seen || look.find("links", doc! {}).len() >= seen * 2);
        drop(look);
        server.kill();
        server.start();
    }
    assert!(child.wait().unwrap().success());
    assert_equal(world.path(), &server.look());
}
