//! robots.txt: what it forbids is not asked for, and is archived as forbidden.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use site::{Behaviour, Page, Rule, Site};
use support::Spider;

const LINKS: &str = "<a href=/private/a>x</a><a href=/private/open>x</a><a href=/b>x</a>";

fn site(robots: Page) -> Site {
    let mut site = Site::empty().page("/robots.txt", robots).page("/", Page::html(LINKS));
    for path in ["/private/a", "/private/open", "/b"] {
        site = site.page(path, Page::html(""));
    }
    site
}

#[test]
fn forbidden_urls_are_not_requested_and_are_archived_as_such() {
    let rules = "User-agent: *\nDisallow: /private\nAllow: /private/open\n\nUser-agent: other\nDisallow: /b\n";
    let site = site(Page::text(rules)).start().unwrap();
    let spider = Spider::new();
    let summary = spider.crawl_all(&[&site.url("/")]);
    let archived = spider.archived();
    let a = &archived[&site.url("/private/a")];
    assert_eq!((a.error.as_deref(), a.status, a.body.len()), (Some("robots"), None, 0));
    assert_eq!(archived[&site.url("/private/open")].status, Some(200));
    assert_eq!(archived[&site.url("/b")].status, Some(200));
    assert!(!site.requests().iter().any(|r| r.path == "/private/a"));
    assert_eq!(site.requests().iter().filter(|r| r.path == "/robots.txt").count(), 1);
    assert_eq!(summary["errors"], serde_json::json!({ "robots": 1 }));
    assert!(!archived.contains_key(&site.url("/robots.txt")));
}

#[test]
fn the_group_is_chosen_by_the_product_in_the_user_agent() {
    let rules = "User-agent: *\nDisallow: /\n\nUser-agent: Mybot\nDisallow: /b\n";
    let site = site(Page::text(rules)).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--user-agent", "MyBot/2.0 (+http://example.org/)"]);
    let archived = spider.archived();
    assert_eq!(archived[&site.url("/private/a")].status, Some(200));
    assert_eq!(archived[&site.url("/b")].error.as_deref(), Some("robots"));
    assert!(site.requests().iter().all(|r| r.user_agent == "MyBot/2.0 (+http://example.org/)"));
}

#[test]
fn without_the_file_everything_is_allowed() {
    for status in [404, 403, 410] {
        let site = site(Page::status(status)).start().unwrap();
        let spider = Spider::new();
        spider.crawl_all(&[&site.url("/")]);
        assert_eq!(support::ok(&spider.archived()).len(), 4, "{status}");
    }
}

#[test]
fn while_the_server_fails_nothing_is_asked_for() {
    let site = site(Page::status(503)).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--retries", "2"]);
    let archived = spider.archived();
    assert_eq!(archived[&site.url("/")].error.as_deref(), Some("robots"));
    let asked: Vec<_> = site.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(asked, ["/robots.txt"; 3]);
}

#[test]
fn a_server_that_recovers_is_crawled() {
    let fails = Rule::new("/robots.txt", Behaviour::Status { status: 500, retry_after: None }).times(2);
    let site = site(Page::text("User-agent: *\nDisallow: /b")).rule(fails).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let archived = spider.archived();
    assert_eq!((archived.len(), support::ok(&archived).len()), (4, 3));
}

#[test]
fn five_redirects_are_followed_and_a_sixth_is_not() {
    for (hops, pages) in [(5, 3), (6, 4)] {
        let site = site(Page::redirect("/r/1"))
            .misbehave("/r/*", Behaviour::Chain { hops, to: "/rules".into(), status: 301 })
            .page("/rules", Page::text("User-agent: *\nDisallow: /b"))
            .start()
            .unwrap();
        let spider = Spider::new();
        spider.crawl_all(&[&site.url("/")]);
        assert_eq!(support::ok(&spider.archived()).len(), pages, "{hops} redirects");
    }
}

#[test]
fn only_the_first_500_kib_count() {
    let padding = "# padding\n".repeat(60_000);
    let rules = format!("User-agent: *\nDisallow: /private/a\n{padding}Disallow: /b\n");
    let site = site(Page::text(rules)).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let archived = spider.archived();
    assert_eq!(archived[&site.url("/b")].status, Some(200));
    assert_eq!(archived[&site.url("/private/a")].error.as_deref(), Some("robots"));
}
