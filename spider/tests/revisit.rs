//! Visiting again: `--recrawl`, conditional requests, and what counts afterwards.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use bus::payload::State;
use site::{Behaviour, Page, Site};
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
    // since the mark: all that are there, changed or not
    assert_eq!((summary["total"]["fetched"].as_u64(), spider.tally().fetched), (Some(5), 5));
    assert!(spider.tally().since > 0);
}

#[test]
fn pages_count_from_the_last_recrawl_on_and_a_restart_goes_on_with_it() {
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 100, fanout: 10, slow_ms: 0 }).start().unwrap();
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

#[test]
fn an_outage_is_told_and_its_urls_are_tried_again_at_the_next_start() {
    let tree = |site: Site| site.misbehave("/t/*", Behaviour::Tree { pages: 60, fanout: 59, slow_ms: 0 });
    let site = tree(Site::empty()).start().unwrap();
    let (seed, address) = (site.url("/t/0.html"), site.addr());
    let spider = Spider::new();
    let go = |args: &[&str]| run(&mut spider.crawl(&[&["--until-idle", "--retries", "1"], args].concat()));
    assert_eq!(run(&mut spider.crawl(&[&seed, "--pages", "1"])).status.code(), Some(0));
    site.stop();
    let down = go(&[]);
    assert_eq!(down.status.code(), Some(0), "{}", text(&down));
    assert!(text(&down).contains("59 URLs could not be fetched for a reason that may pass"), "{}", text(&down));
    let soon =
        spider.frontier().values().filter(|s| s.error.as_deref() == Some("connect") && s.interval == 600).count();
    assert_eq!(soon, 59);
    // a second time they rest longer
    assert_eq!(go(&[]).status.code(), Some(0));
    assert_eq!(spider.frontier().values().filter(|s| s.interval == 1200).count(), 59);
    let _site = tree(Site::empty().address(address)).start().unwrap();
    let up = go(&[]);
    assert_eq!(up.status.code(), Some(0), "{}", text(&up));
    assert_eq!((spider.tally().fetched, spider.tally().pending), (60, 0));
    // what is there rests as a page does
    assert!(spider.frontier().values().filter(|s| s.status == Some(200)).all(|s| s.interval == 7 * 24 * 3600));
}

#[test]
fn an_answer_that_breaks_off_is_due_again_soon_and_one_that_cannot_be_decoded_is_not() {
    let site = Site::empty().page("/", Page::html("<a href=/reset>x</a><a href=/not-gzip>x</a>"));
    let site = site.misbehave("/reset", Behaviour::Reset { after: 1000 }).misbehave("/not-gzip", Behaviour::NotGzip);
    let site = site.start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--retries", "0"]);
    let frontier = spider.frontier();
    let of =
        |error: &str| frontier.values().find(|s| s.error.as_deref() == Some(error)).map(|s| (s.passing, s.interval));
    assert_eq!(of("protocol"), Some((true, 600)));
    assert_eq!(of("decode"), Some((false, 7 * 24 * 3600)));
}

#[test]
fn robots_txt_that_cannot_be_read_for_a_while_forbids_for_a_while() {
    let robots = site::Rule::new("/robots.txt", Behaviour::Status { status: 503, retry_after: None }).times(2);
    let site = Site::empty().rule(robots).page("/", Page::html("<a href=/a>x</a>")).page("/a", Page::html(""));
    let site = site.start().unwrap();
    let spider = Spider::new();
    let down = run(&mut spider.crawl(&[&site.url("/"), "--until-idle", "--retries", "1"]));
    assert_eq!(down.status.code(), Some(0), "{}", text(&down));
    spider.crawl_all(&[]);
    assert_eq!(spider.tally().fetched, 2);
}

#[test]
fn a_seed_that_failed_is_tried_again_when_it_is_named_again() {
    let site = Site::empty().page("/", Page::html("")).start().unwrap();
    let spider = Spider::new();
    let seed = site.url("/");
    let go = |args: &[&str]| run(&mut spider.command(&[&["crawl", "--until-idle", "--delay", "0"], args].concat()));
    let refused = go(&[&seed]);
    assert!(text(&refused).contains("--allow-address 127.0.0.1"), "{}", text(&refused));
    let idle = go(&["--allow-address", "127.0.0.1"]);
    assert!(text(&idle).contains("--recrawl visits them again"), "{}", text(&idle));
    assert_eq!((idle.status.code(), spider.tally().fetched), (Some(0), 0));
    go(&[&seed, "--allow-address", "127.0.0.1"]);
    assert_eq!(spider.tally().fetched, 1);
    // a page that is there is left alone
    go(&[&seed, "--allow-address", "127.0.0.1"]);
    assert_eq!(spider.artefacts().len(), 2);
}

#[test]
fn a_recrawl_with_wider_rules_finds_what_was_left_out_though_no_page_changed() {
    let page = |to: &str| Page::html(format!("<a href={to}>x</a>")).header("etag", "\"same\"");
    let site = Site::empty().page("/", page("/1")).page("/1", page("/2")).page("/2", page("/3")).page("/3", page("/"));
    let site = site.start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--depth", "1"]);
    assert_eq!(spider.tally().known, 2);
    spider.crawl_all(&["--recrawl"]);
    assert_eq!((spider.tally().known, spider.tally().fetched), (4, 4));
    // the same rules again: nothing is sent that is known, and what has not changed counts
    site.forget();
    let pages = run(&mut spider.crawl(&["--recrawl", "--pages", "4"]));
    assert_eq!(pages.status.code(), Some(0), "{}", text(&pages));
    assert!(site.requests().iter().filter(|r| r.path != "/robots.txt").all(|r| r.status == 304));
    assert_eq!(spider.tally().fetched, 4);
}
