//! `--pages N`: exactly N distinct pages with status 200, whatever happens on the way.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use site::{Behaviour, Page, Site};
use support::{Dice, Running, Spider, ok, run, text};

#[test]
fn a_crawl_ends_at_exactly_that_many_pages() {
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 400, fanout: 20, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    for (n, want) in [("1", 1), ("57", 57), ("57", 57), ("200", 200), ("200", 200)] {
        let output = run(&mut spider.crawl(&[&site.url("/t/0.html"), "--pages", n, "--per-host", "32"]));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert_eq!(ok(&spider.archived()).len(), want);
        assert_eq!(spider.tally().fetched, want as u64);
    }
}

#[test]
fn failures_redirects_and_requisites_do_not_count() {
    let mut links = String::from("<script src=/s.js></script>");
    let mut site = Site::empty()
        .page("/s.js", Page::new("x"))
        .misbehave("/gone/*", Behaviour::Status { status: 410, retry_after: None });
    for n in 0..60 {
        links += &format!("<a href=/gone/{n}>x</a><a href=/r{n}>x</a><a href=/p{n}>x</a>");
        site = site.page(&format!("/r{n}"), Page::redirect(&format!("/q{n}")));
        site = site.page(&format!("/p{n}"), Page::html("")).page(&format!("/q{n}"), Page::html(""));
    }
    let site = site.page("/", Page::html(links)).start().unwrap();
    let spider = Spider::new();
    let args = [&site.url("/"), "--pages", "100", "--requisites", "script", "--per-host", "16"];
    let output = run(&mut spider.crawl(&args));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let archived = spider.archived();
    assert_eq!(ok(&archived).iter().filter(|url| !url.ends_with(".js")).count(), 100);
    assert!(archived.contains_key(&site.url("/s.js")));
}

#[test]
fn a_site_with_fewer_pages_ends_when_idle_is_asked_for() {
    let site = Site::empty().page("/", Page::html("<a href=/a>x</a>")).page("/a", Page::html("")).start().unwrap();
    let spider = Spider::new();
    let summary = spider.crawl_all(&[&site.url("/"), "--pages", "100"]);
    assert_eq!((summary["ended"].as_str(), summary["total"]["fetched"].as_u64()), (Some("idle"), Some(2)));
}

#[test]
fn killed_and_started_again_it_still_ends_at_exactly_that_many() {
    let site =
        Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 1000, fanout: 10, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let seed = site.url("/t/0.html");
    let args = [&seed, "--pages", "600", "--per-host", "16"];
    for _ in 0..6 {
        let before = site.requests().len();
        let enough = before + 20 + dice.roll(80) as usize;
        let mut child = Running(spider.crawl(&args).spawn().unwrap());
        support::until("some requests", || site.requests().len() >= enough || child.0.try_wait().unwrap().is_some());
    }
    let output = run(&mut spider.crawl(&args));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(ok(&spider.archived()).len(), 600);
    assert_eq!(spider.tally().fetched, 600);
}
