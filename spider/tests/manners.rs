//! Politeness, as the server's log shows it: the gap between requests and the number of connections.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use site::{Behaviour, Page, Request, Running, Site};
use support::{Spider, signal, until};

/// Smallest time between the arrivals of two requests at one host, microseconds.
fn smallest_gap(site: &Running) -> u64 {
    let mut requests: Vec<Request> = site.requests();
    requests.sort_by_key(|r| (r.host.clone(), r.start_us));
    let gaps = requests.windows(2).filter(|w| w[0].host == w[1].host).map(|w| w[1].start_us - w[0].start_us);
    gaps.min().unwrap()
}

/// Most requests under way at a host at once.
fn most_at_once(site: &Running) -> usize {
    let requests = site.requests();
    requests
        .iter()
        .map(|r| {
            requests.iter().filter(|o| o.host == r.host && o.start_us <= r.start_us && r.start_us < o.end_us).count()
        })
        .max()
        .unwrap()
}

#[test]
fn requests_to_a_host_keep_the_delay_and_come_one_at_a_time() {
    let site = Site::empty()
        .host("two", None)
        .fill_in(true)
        .misbehave("/t/*", Behaviour::Tree { pages: 12, fanout: 4, slow_ms: 0 })
        .start()
        .unwrap();
    let spider = Spider::new();
    let (one, two) = (site.url("/t/0.html"), site.url_on("two", "/t/0.html").unwrap());
    spider.crawl_all(&[&one, &two, "--delay", "0.1", "--per-host", "1"]);
    assert_eq!(site.requests().len(), 26);
    assert!(smallest_gap(&site) >= 100_000, "{} us", smallest_gap(&site));
    assert_eq!(most_at_once(&site), 1);
    assert_eq!(site.connections().iter().map(|c| c.host.clone()).collect::<std::collections::BTreeSet<_>>().len(), 2);
}

#[test]
fn the_delay_holds_across_a_kill_and_a_restart() {
    let site = Site::empty().misbehave("/t/*", Behaviour::Tree { pages: 30, fanout: 4, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let seed = site.url("/t/0.html");
    let args = [seed.as_str(), "--delay", "0.3", "--per-host", "1", "--until-idle"];
    for enough in [3, 6, 9] {
        let mut child = support::Running(spider.crawl(&args).spawn().unwrap());
        until("some requests", || site.requests().len() >= enough);
        if enough == 6 {
            signal(child.0.id(), "TERM");
            assert_eq!(child.0.wait().unwrap().code(), Some(130));
        }
    }
    let child = support::Running(spider.crawl(&args).spawn().unwrap());
    until("more requests", || site.requests().len() >= 14);
    drop(child);
    assert!(smallest_gap(&site) >= 300_000, "{} us", smallest_gap(&site));
}

#[test]
fn crawl_delay_is_kept_and_remembered_across_a_restart() {
    let site = Site::empty()
        .page("/robots.txt", Page::text("User-agent: *\nCrawl-delay: 0.5"))
        .misbehave("/t/*", Behaviour::Tree { pages: 30, fanout: 4, slow_ms: 0 })
        .start()
        .unwrap();
    let spider = Spider::new();
    let args = [&site.url("/t/0.html"), "--per-host", "1", "--until-idle"];
    for enough in [3, 6] {
        let child = support::Running(spider.crawl(&args).spawn().unwrap());
        until("some requests", || site.requests().len() >= enough);
        drop(child);
    }
    assert!(smallest_gap(&site) >= 500_000, "{} us", smallest_gap(&site));
}

#[test]
fn no_more_connections_than_asked_for() {
    let links: String = (0..40).map(|n| format!("<a href=/p{n}>x</a>")).collect();
    let mut site = Site::empty().page("/", Page::html(links));
    for n in 0..40 {
        site = site.page(&format!("/p{n}"), Page::html("")).misbehave(&format!("/p{n}"), Behaviour::Delay { ms: 20 });
    }
    let site = site.start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--per-host", "3"]);
    assert_eq!(most_at_once(&site), 3);
}

#[test]
fn retry_after_holds_for_the_whole_host() {
    let busy = site::Rule::new("/busy", Behaviour::Status { status: 429, retry_after: Some("1".into()) }).times(1);
    let links: String = (0..5).map(|n| format!("<a href=/p{n}>x</a>")).collect();
    let mut site = Site::empty()
        .page("/", Page::html(format!("<a href=/busy>x</a>{links}")))
        .page("/busy", Page::html(""))
        .rule(busy);
    for n in 0..5 {
        site = site.page(&format!("/p{n}"), Page::html(""));
    }
    let site = site.start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--per-host", "1"]);
    let requests = site.requests();
    let busy = requests.iter().position(|r| r.status == 429).unwrap();
    let next = requests[busy + 1..].iter().map(|r| r.start_us).min().unwrap();
    assert!(next - requests[busy].end_us >= 1_000_000, "{} us", next - requests[busy].end_us);
    assert_eq!(spider.archived()[&site.url("/busy")].status, Some(200));
}
