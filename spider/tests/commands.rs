//! The other commands, exit codes, and what is said to people.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use site::{Behaviour, Page, Site};
use support::{Running, Spider, run, signal, text, until};

fn json(spider: &Spider, args: &[&str]) -> serde_json::Value {
    let output = run(&mut spider.command(&[args, &["--json"]].concat()));
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_second_spider_of_a_crawl_is_told_who_holds_it() {
    let site = Site::empty().misbehave("/*", Behaviour::Hang).start().unwrap();
    let spider = Spider::new();
    let first = Running(spider.crawl(&[&site.url("/")]).spawn().unwrap());
    until("the first request", || {
        spider.data().join("bus.db").exists() && spider.bus().holder("spider.main").unwrap().is_some()
    });
    for instance in ["test", "other"] {
        let output = run(&mut spider.command(&["crawl", &site.url("/"), "--instance", instance]));
        assert_eq!(output.status.code(), Some(75), "{}", text(&output));
        assert!(text(&output).contains("held by") || text(&output).contains("in use"), "{}", text(&output));
        assert_eq!(text(&output).trim().lines().count(), 1, "{}", text(&output));
    }
    let status = json(&spider, &["status"]);
    assert!(status["holder"].as_str().unwrap().contains(&first.0.id().to_string()), "{status}");
    drop(first);
    assert!(json(&spider, &["status"])["holder"].is_null());
}

#[test]
fn a_signal_ends_a_crawl_in_order() {
    for name in ["TERM", "INT"] {
        let site =
            Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 5000, fanout: 10, slow_ms: 0 }).start().unwrap();
        let spider = Spider::new();
        let mut child =
            Running(spider.crawl(&[&site.url("/t/0.html"), "--per-host", "2", "--delay", "0.005"]).spawn().unwrap());
        until("some requests", || site.requests().len() > 50);
        signal(child.0.id(), name);
        assert_eq!(child.0.wait().unwrap().code(), Some(130));
        // what was answered was archived, robots.txt aside
        let answered = site.requests().iter().filter(|r| r.path != "/robots.txt").count();
        assert_eq!(spider.archived().len(), answered);
        assert_eq!(spider.tally().fetched as usize, answered);
        assert!(spider.index().join("index").exists());
    }
}

#[test]
fn a_signal_does_not_wait_for_servers_that_hang() {
    let site =
        Site::empty().page("/", Page::html("<a href=/hang>x</a>")).misbehave("/hang", Behaviour::Hang).start().unwrap();
    let spider = Spider::new();
    let mut child = Running(spider.crawl(&[&site.url("/")]).spawn().unwrap());
    until("the page", || spider.data().join("bus.db").exists() && !spider.artefacts().is_empty());
    signal(child.0.id(), "TERM");
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
    assert_eq!(spider.archived().len(), 1);
}

#[test]
fn added_urls_reach_a_crawl_that_is_running() {
    let site = Site::empty()
        .host("two", None)
        .page("/", Page::html(""))
        .page_on("two", "/x", Page::html("<a href=/y>x</a>"))
        .page_on("two", "/y", Page::html(""))
        .start()
        .unwrap();
    let spider = Spider::new();
    let mut child = Running(spider.crawl(&[&site.url("/")]).spawn().unwrap());
    until("the first page", || spider.data().join("bus.db").exists() && spider.artefacts().len() == 1);
    let url = site.url_on("two", "/x").unwrap();
    let output = run(&mut spider.command(&["add", &url]));
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).trim()), (Some(0), url.as_str()));
    until("the added URL and what it links to", || spider.artefacts().len() == 3);
    signal(child.0.id(), "TERM");
    assert_eq!(child.0.wait().unwrap().code(), Some(130));
}

#[test]
fn add_works_before_any_crawl_and_crawls_are_apart() {
    let site = Site::empty().page("/a", Page::html("")).page("/b", Page::html("")).start().unwrap();
    let spider = Spider::new();
    for (path, crawl, is_new) in [("/a", "one", true), ("/a", "one", false), ("/b", "two", true)] {
        let output = run(&mut spider.command(&["add", &site.url(path), "--crawl", crawl]));
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output).contains(&format!("`spider crawl --crawl {crawl}`")), is_new, "{}", text(&output));
    }
    spider.crawl_all(&["--crawl", "one"]);
    assert_eq!(spider.archived().keys().collect::<Vec<_>>(), [&site.url("/a")]);
    spider.crawl_all(&["--crawl", "two"]);
    let archived = spider.archived();
    assert_eq!((archived.len(), archived[&site.url("/b")].crawl.as_str()), (2, "two"));
}

#[test]
fn explain_says_what_becomes_of_a_url_and_why() {
    let site = Site::empty()
        .page("/robots.txt", Page::text("# our rules\nUser-agent: *\nDisallow: /private\nCrawl-delay: 0.1\n"))
        .page("/", Page::html("<a href=/a>x</a><a href=/private/x>x</a>"))
        .page("/a", Page::html("").header("etag", "\"e\""))
        .start()
        .unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let explain =
        |url: &str, more: &[&str]| json(&spider, &[&["explain", url, "--allow-address", "127.0.0.1"], more].concat());

    let a = explain(&site.url("/b/../a#f").replace("http:", "HTTP:"), &[]);
    assert_eq!(a["canonical"], site.url("/a"));
    assert_eq!((&a["scope"]["inside"], &a["robots"]["allowed"]), (&true.into(), &true.into()));
    assert_eq!(a["addresses"][0]["allowed"], true);
    assert_eq!(a["robots"]["crawl_delay_seconds"], 0.1);
    let known = &a["frontier"];
    assert_eq!(
        (&known["state"], &known["depth"], &known["via"]),
        (&"fetched".into(), &1.into(), &site.url("/").into())
    );
    assert_eq!((&known["status"], &known["etag"]), (&200.into(), &"\"e\"".into()));
    assert!(known["next_fetch"].as_str().is_some_and(|t| t.ends_with('Z')));

    let private = explain(&site.url("/private/x"), &[]);
    assert_eq!(private["robots"]["allowed"], false);
    assert_eq!(private["robots"]["line"], serde_json::json!({ "number": 3, "text": "Disallow: /private" }));
    assert_eq!(private["frontier"]["state"], "gone");

    let excluded = explain(&site.url("/a"), &["--exclude", "a$"]);
    assert!(excluded["scope"]["reason"].as_str().unwrap().contains("a$"));
    let elsewhere = explain("http://localhost:1/", &[]);
    assert_eq!((&elsewhere["scope"]["inside"], &elsewhere["frontier"]), (&false.into(), &serde_json::Value::Null));

    let blocked = json(&spider, &["explain", &site.url("/a")]);
    assert_eq!((&blocked["addresses"][0]["allowed"], &blocked["robots"]["allowed"]), (&false.into(), &false.into()));
    let plain = run(&mut spider.command(&["explain", &site.url("/private/x"), "--allow-address", "127.0.0.0/8"]));
    let said = String::from_utf8_lossy(&plain.stdout).into_owned();
    for part in ["inside", "line 3: Disallow: /private", "gone", "127.0.0.1: allowed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn explain_says_when_a_crawl_delay_is_longer_than_is_honoured() {
    let robots = Page::text("User-agent: *\nCrawl-delay: 3600\n");
    let site = Site::empty().page("/robots.txt", robots).start().unwrap();
    let spider = Spider::new();
    let arguments = ["explain", &site.url("/"), "--allow-address", "127.0.0.1"];
    let robots = &json(&spider, &arguments)["robots"];
    assert_eq!((&robots["crawl_delay_seconds"], &robots["crawl_delay_asked_seconds"]), (&60.0.into(), &3600.0.into()));
    let plain = run(&mut spider.command(&arguments));
    assert!(String::from_utf8_lossy(&plain.stdout).contains("60 s; the file asks for 3600 s"));
}

#[test]
fn status_sums_up_a_crawl() {
    let site = Site::empty()
        .page("/", Page::html("<a href=/a>x</a><a href=/no>x</a>"))
        .page("/a", Page::html(""))
        .start()
        .unwrap();
    let spider = Spider::new();
    let output = run(&mut spider.command(&["status"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("spider crawl"), "{}", text(&output));
    assert!(!spider.data().join("bus.db").exists());
    spider.crawl_all(&[&site.url("/")]);
    run(&mut spider.command(&["add", &site.url("/later")]));
    let status = json(&spider, &["status"]);
    assert_eq!((&status["fetched"], &status["pending"], &status["known"]), (&2.into(), &0.into(), &3.into()));
    assert_eq!((&status["lag"], &status["errors"]), (&1.into(), &serde_json::json!({ "http_404": 1 })));
    assert_eq!(
        (&status["spiders"][0]["instance"], &status["spiders"][0]["state"]),
        (&"spider/main-test".into(), &"stopped".into())
    );
    let output = run(&mut spider.command(&["status", "--crawl", "other"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("there are: main"), "{}", text(&output));
    let table = run(&mut spider.command(&["status"]));
    assert!(String::from_utf8_lossy(&table.stdout).contains("failed: http_404"));
}

#[test]
fn wrong_usage_is_told_in_one_line_and_changes_nothing() {
    let spider = Spider::new();
    for (args, says) in [
        (&["crawl"][..], "name a seed"),
        (&["crawl", "example.org"], "https://example.org/"),
        (&["crawl", "ftp://example.org/"], "ftp"),
        (&["crawl", "http://h/", "--crawl", "a/b"], "letters"),
        (&["crawl", "http://h/", "--instance", ".."], "letters"),
        (&["crawl", "http://h/", "--scope", "hots"], "host"),
        (&["crawl", "http://h/", "--exclude", "("], "exclude"),
        (&["crawl", "http://h/", "--allow-address", "localhost"], "127.0.0.0/8"),
        (&["crawl", "http://h/", "--pages", "0"], "0"),
        (&["crawl", "http://h/", "--per-host", "0"], "1"),
        (&["crawl", "http://h/", "--requisites", "fonts"], "fonts"),
        (&["crawl", "http://h/", "--delay=-1"], "delay"),
        (&["crawl", "--seeds", "-"], "name a seed"),
        (&["add", "nonsense"], "nonsense"),
        (&["explain", "nonsense"], "nonsense"),
    ] {
        let output = run(&mut spider.command(args));
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(says), "{args:?}: {}", text(&output));
    }
    assert!(std::fs::read_dir(spider.data()).unwrap().all(|e| !e.unwrap().path().join("main-test").exists()));
}

#[test]
fn seeds_come_from_a_file_too() {
    let site = Site::empty().page("/a", Page::html("")).page("/b", Page::html("")).start().unwrap();
    let spider = Spider::new();
    let file = spider.data().join("seeds");
    // some editors begin a file with a byte order mark
    std::fs::write(&file, format!("\u{feff}# seeds\n{}\n\n  {}\n", site.url("/a"), site.url("/b"))).unwrap();
    spider.crawl_all(&["--seeds", file.to_str().unwrap()]);
    assert_eq!(spider.archived().len(), 2);
    std::fs::write(&file, "http://h/\nnonsense\n").unwrap();
    let output = run(&mut spider.crawl(&["--seeds", file.to_str().unwrap()]));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("seeds:2:"), "{}", text(&output));
}
