//! Servers that misbehave: each fault is an artefact with its class, nothing hangs, memory is bounded, the rest is archived.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use site::{Behaviour, Page, Site};
use support::{Spider, run, text};

/// Deadlines for servers that never come to an end.
const QUICK: [&str; 10] = [
    "--first-byte-timeout",
    "1",
    "--idle-timeout",
    "1",
    "--total-timeout",
    "3",
    "--connect-timeout",
    "2",
    "--retries",
    "1",
];

#[test]
fn every_fault_is_archived_with_its_class_and_does_not_stop_the_crawl() {
    // path, fault, status, error
    let faults = [
        ("/hang", Behaviour::Hang, None, Some("timeout")),
        ("/slow-headers", Behaviour::SlowHeaders { every_ms: 200 }, None, Some("timeout")),
        ("/huge-headers", Behaviour::HugeHeaders { bytes: 2 << 20 }, None, Some("too_large")),
        ("/garbage", Behaviour::GarbageStatus, None, Some("protocol")),
        ("/close", Behaviour::Close, None, Some("protocol")),
        ("/reset", Behaviour::Reset { after: 1000 }, None, Some("protocol")),
        ("/more", Behaviour::WrongLength { by: 100 }, None, Some("protocol")),
        ("/less", Behaviour::WrongLength { by: -3 }, Some(200), None),
        ("/bad-chunks", Behaviour::BadChunks, None, Some("protocol")),
        ("/not-gzip", Behaviour::NotGzip, None, Some("decode")),
        ("/drip", Behaviour::Drip { bytes: 1, every_ms: 700 }, None, Some("timeout")),
        ("/bomb", Behaviour::GzipBomb { mib: 200 }, Some(200), None),
        ("/endless", Behaviour::Endless { every_ms: 0 }, Some(200), None),
        ("/nested", Behaviour::Nested { depth: 10_000 }, Some(200), None),
    ];
    let links: String = faults.iter().map(|(path, ..)| format!("<a href={path}>x</a>")).collect();
    let mut site = Site::empty().page("/", Page::html(links + "<a href=/good>x</a>")).page("/good", Page::html(""));
    for (path, fault, ..) in &faults {
        site = site.page(path, Page::html("0123456789")).misbehave(path, fault.clone());
    }
    let site = site.start().unwrap();
    let spider = Spider::new();
    let seed = site.url("/");
    let args = [&[seed.as_str(), "--per-host", "32", "--max-body", "100000"], &QUICK[..]].concat();
    spider.crawl_all(&args);
    let archived = spider.archived();
    for (path, _, status, error) in &faults {
        let a = &archived[&site.url(path)];
        assert_eq!((a.status, a.error.as_deref()), (*status, *error), "{path}");
        assert_eq!(a.error.is_some(), a.body.is_empty(), "{path}");
    }
    for path in ["/bomb", "/endless"] {
        let a = &archived[&site.url(path)];
        assert!(a.truncated && a.body.len() == 100_000, "{path}");
    }
    assert_eq!(&archived[&site.url("/less")].body[..], b"0123456");
    assert!(archived.contains_key(&site.url("/good")));
    let errors = spider.tally().errors;
    assert_eq!((errors["timeout"], errors["protocol"], errors["too_large"], errors["decode"]), (3, 5, 1, 1));
}

#[test]
fn many_endless_bodies_do_not_fill_memory() {
    let links: String = (0..14).map(|n| format!("<a href=/endless/{n}>x</a><a href=/bomb/{n}>x</a>")).collect();
    let site = Site::empty()
        .page("/", Page::html(links))
        .misbehave("/endless/*", Behaviour::Endless { every_ms: 0 })
        .misbehave("/bomb/*", Behaviour::GzipBomb { mib: 50 })
        .start()
        .unwrap();
    let spider = Spider::new();
    let summary = spider.crawl_all(&[&site.url("/"), "--per-host", "64"]);
    let archived = spider.archived();
    assert_eq!(archived.values().filter(|a| a.truncated && a.body.len() == 15 << 20).count(), 28);
    let peak = summary["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < 200_000_000, "{peak} bytes");
}

#[test]
fn faults_that_pass_are_tried_again_and_archived_once() {
    let site = Site::empty()
        .page("/", Page::html("<a href=/busy>x</a><a href=/reset>x</a><a href=/late>x</a><a href=/never>x</a>"))
        .page("/busy", Page::html(""))
        .page("/reset", Page::html(""))
        .page("/late", Page::html(""))
        .rule(site::Rule::new("/busy", Behaviour::Status { status: 503, retry_after: Some("0".into()) }).times(2))
        .rule(site::Rule::new("/reset", Behaviour::Close).times(2))
        .rule(site::Rule::new("/late", Behaviour::Hang).times(1))
        .misbehave("/never", Behaviour::Status { status: 500, retry_after: None })
        .start()
        .unwrap();
    let spider = Spider::new();
    let summary =
        spider.crawl_all(&[&site.url("/"), "--first-byte-timeout", "1", "--connect-timeout", "1", "--retries", "2"]);
    let archived = spider.archived();
    for path in ["/busy", "/reset", "/late"] {
        assert_eq!(archived[&site.url(path)].status, Some(200), "{path}");
    }
    assert_eq!(archived[&site.url("/never")].status, Some(500));
    assert_eq!(site.requests().iter().filter(|r| r.path == "/never").count(), 3);
    assert_eq!(summary["errors"], serde_json::json!({ "http_500": 1 }));
}

#[test]
fn unreachable_servers_are_told_apart() {
    let site = Site::empty().page("/", Page::html("")).start().unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let spider = Spider::new();
    let (refused, tls) = (format!("http://{closed}/x"), site.url("/").replace("http:", "https:"));
    let args = [&[refused.as_str(), &tls], &QUICK[..]].concat();
    let summary = spider.crawl_all(&args);
    let archived = spider.archived();
    assert_eq!(archived[&refused].error.as_deref(), Some("connect"));
    assert_eq!(archived[&tls].error.as_deref(), Some("tls"));
    assert_eq!((archived[&tls].status, archived[&tls].remote.clone()), (None, None));
    assert_eq!(summary["errors"], serde_json::json!({ "connect": 1, "tls": 1 }));
}

#[test]
fn addresses_that_are_not_public_are_refused_on_every_hop() {
    let site = Site::empty().host("second", None).fill_in(true);
    let site = site
        .page("/", Page::html("<a href=/go>x</a><script src={{second}}/s.js></script>"))
        .misbehave("/go", Behaviour::Redirect { to: "{{second}}/inside".into(), status: 302 })
        .page_on("second", "/inside", Page::html(""))
        .page_on("second", "/s.js", Page::new(""))
        .start()
        .unwrap();
    let spider = Spider::new();
    let seed = site.url("/");
    let args = ["crawl", &seed, "--instance", "test", "--delay", "0", "--until-idle", "--scope", "^http://127"];
    let more = ["--requisites", "script", "--allow-address", "127.0.0.1"];
    let output = run(&mut spider.command(&[&args[..], &more].concat()));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let archived = spider.archived();
    for path in ["/inside", "/s.js"] {
        let a = &archived[&site.url_on("second", path).unwrap()];
        assert_eq!((a.error.as_deref(), a.status, a.body.len()), (Some("blocked_address"), None, 0), "{path}");
    }
    assert!(site.requests().iter().all(|r| r.host == site.addr().to_string()));
    // without the flag not even the first host is asked, by whatever name
    let spider = Spider::new();
    let port = site.addr().port();
    let before = site.requests().len();
    let by_name = format!("http://localhost:{port}/");
    let odd = format!("http://0x7f.1:{port}/");
    let args = ["crawl", &by_name, &odd, "--instance", "test", "--delay", "0", "--until-idle"];
    let output = run(&mut spider.command(&args));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let archived = spider.archived();
    assert!(archived.values().all(|a| a.error.as_deref() == Some("blocked_address")) && archived.len() == 2);
    assert_eq!(site.requests().len(), before);
}
