//! Visiting again: `--recrawl`, conditional requests, and what counts afterwards.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use bus::payload::State;
use site::{Page, Site};
use support::{Spider, run, text};

fn site() -> site::Running {
    Site::empty()
        .page(
            "/",
            Page::html("<a href=/same>x</a><a href=/changing>x</a><a href=/plain>x</a><a href=/gone>x</a>")
                .header("etag", "\"root\""),
        )
        .page("/same", Page::html("same").header("etag", "\"1\""))
        .page("/changing", Page::html("before").header("etag", "\"old\""))
        .page("/plain", Page::html("plain"))
        .page("/gone", Page::html("here"))
        .start()
        .unwrap()
}

#[test]
fn a_recrawl_asks_with_conditions_and_archives_what_it_finds() {
    let site = site();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let first = spider.frontier()[&site.url("/same")].clone();
    assert_eq!((first.etag.as_deref(), first.status), (Some("\"1\""), Some(200)));
    // a second run has nothing to do
    site.forget();
    spider.crawl_all(&[]);
    assert!(site.requests().is_empty());
    site.put("/changing", Page::html("after <a href=/new>x</a>").header("etag", "\"new\""));
    site.put("/new", Page::html(""));
    site.put("/gone", Page::status(404));
    let summary = spider.crawl_all(&["--recrawl"]);
    let all = spider.artefacts();
    assert_eq!(all.len(), 11);
    let second = |path: &str| all.iter().rev().find(|a| a.url == site.url(path)).unwrap();
    assert_eq!((second("/same").status, second("/same").body.len()), (Some(304), 0));
    assert_eq!((second("/plain").status, &second("/plain").body[..]), (Some(200), &b"plain"[..]));
    assert_eq!(second("/changing").status, Some(200));
    assert_eq!(second("/new").status, Some(200));
    assert_eq!(second("/gone").status, Some(404));
    let states = spider.frontier();
    let [same, changing, gone] = ["/same", "/changing", "/gone"].map(|p| states[&site.url(p)].clone());
    assert_eq!((same.etag.as_deref(), same.hash), (Some("\"1\""), first.hash));
    assert!(same.interval > first.interval && changing.interval < first.interval);
    assert_eq!((gone.state, same.state), (State::Gone, State::Fetched));
    // since the mark: /plain, /changing and /new
    assert_eq!((summary["total"]["fetched"].as_u64(), spider.tally().fetched), (Some(3), 3));
    assert!(spider.tally().since > 0);
}

#[test]
fn pages_count_from_the_last_recrawl_on_and_a_restart_goes_on_with_it() {
    let site =
        Site::empty().misbehave("/t/*", site::Behaviour::Tree { pages: 100, fanout: 10, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let seed = site.url("/t/0.html");
    let go = |args: &[&str]| {
        let output = run(&mut spider.crawl(args));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    };
    go(&[&seed, "--until-idle"]);
    assert_eq!(spider.artefacts().len(), 100);
    go(&["--recrawl", "--pages", "30"]);
    assert_eq!((spider.artefacts().len(), spider.tally().fetched), (130, 30));
    // without the flag it goes on, also when the index is lost
    std::fs::remove_dir_all(spider.index()).unwrap();
    go(&["--pages", "70"]);
    assert_eq!((spider.artefacts().len(), spider.tally().fetched), (170, 70));
    go(&["--until-idle"]);
    assert_eq!((spider.artefacts().len(), spider.tally().fetched), (200, 100));
    go(&["--until-idle"]);
    assert_eq!(spider.artefacts().len(), 200);
}

#[test]
fn pages_are_visited_again_when_they_fall_due() {
    let site = site();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    site.forget();
    let days = |n: i64| (chrono::Utc::now() + chrono::Duration::days(n)).to_rfc3339();
    let later = |n: i64| {
        let output = run(spider.crawl(&["--until-idle"]).env("KAFKASPIDER_TEST_CLOCK", days(n)));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        site.requests().iter().filter(|r| r.path != "/robots.txt").count()
    };
    assert_eq!(later(6), 0);
    assert_eq!(later(8), 5);
    // what did not change rests longer now, what has nothing to compare with too
    assert_eq!(later(16), 5);
    assert_eq!(later(19), 10);
}
