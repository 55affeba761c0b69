//! What a crawl reaches: the pages that a walk of the links finds within scope, each once, and nothing else.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;

use site::{Behaviour, Page, Site};
use support::{Spider, ok};

/// Paths of a set of URLs on the main host.
fn paths<'u>(urls: &BTreeSet<&'u str>) -> BTreeSet<&'u str> {
    urls.iter().map(|url| &url[url[7..].find('/').unwrap() + 7..]).collect()
}

fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<&str> {
    paths.into_iter().collect()
}

#[test]
fn every_page_of_a_tree_is_archived_once() {
    let site =
        Site::empty().misbehave("/tree/*", Behaviour::Tree { pages: 500, fanout: 7, slow_ms: 0 }).start().unwrap();
    let spider = Spider::new();
    let summary = spider.crawl_all(&[&site.url("/tree/0.html")]);
    let archived = spider.archived();
    assert_eq!(ok(&archived).len(), 500);
    assert_eq!((summary["pages"].as_u64(), summary["ended"].as_str()), (Some(500), Some("idle")));
    let tally = spider.tally();
    assert_eq!((tally.fetched, tally.pending, tally.known), (500, 0, archived.len() as u64));
    let states = spider.frontier();
    assert_eq!(states.keys().collect::<Vec<_>>(), archived.keys().collect::<Vec<_>>());
    let deepest = archived.values().map(|a| a.depth).max();
    assert!(deepest >= Some(3), "{deepest:?}");
}

#[test]
fn links_of_every_followed_kind_are_followed_and_others_are_not() {
    let page = r#"<a href="/a">a</a> <map><area href='area'></map> <iframe src="/frame"></iframe>
        <meta http-equiv=refresh content="5; url=/refreshed"> <a rel=nofollow href="/rel-nofollow">x</a>
        <img src="/img.png"> <script src="/script.js"></script> <link rel=stylesheet href="/style.css">
        <form action="/form"></form> <a href="mailto:x@example.org">m</a> <a href="javascript:void(0)">j</a>
        <a href="http://other.example/">other</a> <a href="/a#fragment">again</a> <a href="http://[">broken</a>"#;
    let mut site = Site::empty().page("/", Page::html(page));
    for path in
        ["/a", "/area", "/frame", "/refreshed", "/rel-nofollow", "/img.png", "/script.js", "/style.css", "/form"]
    {
        site = site.page(path, Page::html("x"));
    }
    let site = site.start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let archived = spider.archived();
    assert_eq!(paths(&ok(&archived)), set(["/", "/a", "/area", "/frame", "/refreshed", "/rel-nofollow"]));
    assert_eq!(archived.len(), 6);
    let a = &archived[&site.url("/a")];
    assert_eq!((a.via.as_deref(), a.depth, a.hops), (Some(site.url("/").as_str()), 1, 0));
    assert_eq!((a.crawl.as_str(), a.source.as_str()), ("main", "spider/main-test"));
    assert_eq!(a.remote.as_deref(), Some(site.addr().to_string().as_str()));
    assert_eq!(a.content_type.as_deref(), Some("text/html; charset=utf-8"));
    assert!(a.http_headers.pairs().iter().any(|(n, v)| n == "content-type" && v == "text/html; charset=utf-8"));
    assert_eq!(
        (&a.body[..], a.sha256.as_str()),
        (&b"x"[..], "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")
    );
}

#[test]
fn a_body_that_is_not_html_is_an_artefact_and_is_not_parsed() {
    let site = Site::empty()
        .page(
            "/",
            Page::html(
                "<a href=/t>t</a><a href=/p>p</a><a href=/n>n</a><a href=/x>x</a><a href=/odd>o</a><a href=/two>2</a>",
            ),
        )
        .page("/t", Page::text("<a href=/from-text>x</a>"))
        .page("/p", Page::new(vec![0x25, 0x50, 0, 0xff]).header("content-type", "application/pdf"))
        .page("/n", Page::new("<!doctype html><a href=/from-sniffed>x</a>"))
        .page("/x", Page::new("<a href=/from-xhtml />").header("content-type", "application/xhtml+xml"))
        .page("/odd", Page::new("odd").header("content-type", "no media type"))
        .page("/two", Page::html("<a href=/from-two>x</a>").header("content-type", "text/html, text/html"))
        .page("/from-two", Page::html(""))
        .page("/from-sniffed", Page::html(""))
        .page("/from-xhtml", Page::html(""))
        .page("/from-text", Page::html(""))
        .start()
        .unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    let archived = spider.archived();
    let pages = ["/", "/t", "/p", "/n", "/x", "/odd", "/two", "/from-two", "/from-sniffed", "/from-xhtml"];
    assert_eq!(paths(&ok(&archived)), set(pages));
    assert_eq!(&archived[&site.url("/p")].body[..], [0x25, 0x50, 0, 0xff]);
    let octets = Some("application/octet-stream");
    assert_eq!(archived[&site.url("/odd")].content_type.as_deref(), octets);
    assert_eq!(archived[&site.url("/n")].content_type.as_deref(), octets);
}

#[test]
fn redirects_are_artefacts_and_their_targets_are_decided_about_like_others() {
    let site = Site::empty()
        .page("/", Page::html("<a href=/go>x</a><a href=/chain/0>x</a><a href=/long/0>x</a><a href=/loop>x</a><a href=/out>x</a><a href=/none>x</a>"))
        .page("/go", Page::redirect("/there").with_status(301))
        .page("/there", Page::html("<a href=/beyond>x</a>"))
        .page("/beyond", Page::html(""))
        .misbehave("/chain/*", Behaviour::Chain { hops: 10, to: "/end".into(), status: 307 })
        .page("/end", Page::html(""))
        .misbehave("/long/*", Behaviour::Chain { hops: 1000, to: "/never".into(), status: 302 })
        .page("/loop", Page::redirect("/loop2"))
        .page("/loop2", Page::redirect("/loop"))
        .page("/out", Page::redirect("http://other.example/"))
        .page("/none", Page::status(302))
        .start()
        .unwrap();
    let spider = Spider::new();
    let summary = spider.crawl_all(&[&site.url("/")]);
    let archived = spider.archived();
    assert_eq!(paths(&ok(&archived)), set(["/", "/there", "/beyond", "/end"]));
    let there = &archived[&site.url("/there")];
    assert_eq!((there.hops, there.depth, there.via.clone()), (1, 1, Some(site.url("/go"))));
    assert_eq!(archived[&site.url("/go")].status, Some(301));
    assert_eq!(archived[&site.url("/beyond")].hops, 0);
    assert_eq!(archived[&site.url("/end")].hops, 10);
    let long: Vec<_> = archived.values().filter(|a| a.url.contains("/long/")).collect();
    assert_eq!(long.len(), 11);
    let last = long.iter().find(|a| a.hops == 10).unwrap();
    assert_eq!((last.error.as_deref(), last.status), (Some("redirects"), Some(302)));
    assert_eq!(summary["errors"]["redirects"], 1);
    assert!(archived.contains_key(&site.url("/loop2")) && archived.contains_key(&site.url("/none")));
    assert!(!archived.keys().any(|url| url.contains("other.example")));
}

#[test]
fn requisites_are_fetched_whatever_the_scope_and_are_not_followed() {
    let site = Site::empty()
        .host("cdn", None)
        .fill_in(true)
        .page("/", Page::html("<script src={{cdn}}/a.js></script><img src={{cdn}}/b.png><link rel='x stylesheet' href={{cdn}}/c.css><link rel=next href={{cdn}}/next><a href={{cdn}}/page>p</a>"))
        .page_on("cdn", "/a.js", Page::html("<a href=/from-script>x</a><script src=/nested.js></script>"))
        .page_on("cdn", "/b.png", Page::redirect("/b2.png"))
        .page_on("cdn", "/b2.png", Page::new("png"))
        .page_on("cdn", "/c.css", Page::new("css"))
        .page_on("cdn", "/page", Page::html(""))
        .start()
        .unwrap();
    let spider = Spider::new();
    let summary =
        spider.crawl_all(&[&site.url("/"), "--requisites", "script,style,img", "--pages", "1", "--depth", "0"]);
    let archived = spider.archived();
    let cdn: BTreeSet<_> =
        archived.values().filter(|a| a.url.contains("127.0.0.2")).map(|a| (a.url.clone(), a.status, a.hops)).collect();
    let url = |path| site.url_on("cdn", path).unwrap();
    let want = [
        (url("/a.js"), Some(200), 0),
        (url("/b.png"), Some(302), 0),
        (url("/b2.png"), Some(200), 1),
        (url("/c.css"), Some(200), 0),
    ];
    assert_eq!(cdn, BTreeSet::from(want));
    assert_eq!((summary["pages"].as_u64(), spider.tally().fetched), (Some(1), 1));
    assert!(spider.frontier().values().filter(|s| s.requisite).count() == 4);
}

#[test]
fn without_the_flag_no_requisite_is_fetched() {
    let site = Site::empty().page("/", Page::html("<script src=/a.js></script><img src=/b.png>")).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--requisites", "img"]);
    assert_eq!(spider.archived().keys().collect::<Vec<_>>(), [&site.url("/"), &site.url("/b.png")]);
}

#[test]
fn scope_include_exclude_and_depth_bound_a_crawl() {
    let links = "<a href=/docs/a>x</a><a href=/docs/sub/b>x</a><a href=/other>x</a><a href=/docs/skip>x</a>";
    let start = || {
        Site::empty()
            .host("two", None)
            .fill_in(true)
            .page("/docs/", Page::html(format!("{links}<a href={{{{two}}}}/x>x</a>")))
            .page("/docs/a", Page::html("<a href=/docs/deep>x</a>"))
            .page("/docs/deep", Page::html("<a href=/docs/deeper>x</a>"))
            .page("/docs/deeper", Page::html(""))
            .page("/docs/sub/b", Page::html(""))
            .page("/docs/skip", Page::html(""))
            .page("/other", Page::html(""))
            .page_on("two", "/x", Page::html(""))
            .start()
            .unwrap()
    };
    let all = ["/docs/", "/docs/a", "/docs/deep", "/docs/deeper", "/docs/skip", "/docs/sub/b"];
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &["/other"]),
        (&["--scope", "prefix"], &[]),
        (&["--scope", "prefix", "--exclude", "skip$", "--exclude", "/sub/"], &["-/docs/skip", "-/docs/sub/b"]),
        (&["--scope", "prefix", "--include", "/docs/(a|skip)$"], &["-/docs/deep", "-/docs/deeper", "-/docs/sub/b"]),
        (&["--depth", "1"], &["/other", "-/docs/deep", "-/docs/deeper"]),
        (&["--scope", r"^http://127\.0\.0\.2:|/docs/[as]"], &["/x", "-/docs/deep", "-/docs/deeper"]),
    ];
    for (flags, changes) in cases {
        let site = start();
        let spider = Spider::new();
        let seed = site.url("/docs/");
        let args: Vec<&str> = [seed.as_str()].into_iter().chain(flags.iter().copied()).collect();
        spider.crawl_all(&args);
        let archived = spider.archived();
        let mut want = set(all);
        for change in changes {
            match change.strip_prefix('-') {
                Some(gone) => assert!(want.remove(gone)),
                None => assert!(want.insert(change)),
            }
        }
        assert_eq!(paths(&ok(&archived)), want, "{flags:?}");
    }
}

#[test]
fn depth_is_the_length_of_the_shortest_way() {
    // the long way is fast, the short way is slow
    let site = Site::empty()
        .page("/", Page::html("<a href=/fast1>x</a><a href=/slow>x</a>"))
        .page("/fast1", Page::html("<a href=/fast2>x</a>"))
        .page("/fast2", Page::html("<a href=/goal>x</a>"))
        .page("/slow", Page::html("<a href=/goal>x</a>"))
        .page("/goal", Page::html("<a href=/last>x</a>"))
        .page("/last", Page::html("<a href=/too-deep>x</a>"))
        .page("/too-deep", Page::html(""))
        .misbehave("/slow", Behaviour::Delay { ms: 300 })
        .start()
        .unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--depth", "3"]);
    let archived = spider.archived();
    assert_eq!(paths(&ok(&archived)), set(["/", "/fast1", "/fast2", "/slow", "/goal", "/last"]));
    assert_eq!(archived[&site.url("/goal")].depth, 2);
}

#[test]
fn a_page_that_asks_not_to_be_followed_is_not_unless_told() {
    let page = "<meta name=robots content='noindex, nofollow'><a href=/a>x</a>";
    let site = Site::empty().page("/", Page::html(page)).page("/a", Page::html("")).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    assert_eq!(spider.archived().len(), 1);
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/"), "--ignore-nofollow"]);
    assert_eq!(spider.archived().len(), 2);
}

#[test]
fn a_budget_for_each_host_ends_a_trap() {
    let site = Site::empty().misbehave("/calendar/*", Behaviour::Calendar).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/calendar/"), "--host-pages", "50"]);
    assert_eq!(spider.frontier().len(), 50);
}

#[test]
fn a_page_of_ten_thousand_links_is_archived_with_all_of_them() {
    let links: String = (0..10_000).map(|n| format!("<a href=/p{n}>x</a> ")).collect();
    let long = format!("<a href=/{}>x</a>", "y".repeat(1 << 20));
    let site = Site::empty().page("/", Page::html(links + &long)).start().unwrap();
    let spider = Spider::new();
    let summary = spider.crawl_all(&[&site.url("/")]);
    assert_eq!(spider.frontier().len(), 10_001);
    assert_eq!(summary["errors"]["http_404"], 10_000);
    assert_eq!(spider.archived().len(), 10_001);
}

#[test]
fn a_seed_that_redirects_to_its_site_takes_the_crawl_along() {
    // both ports of one address are one site
    let there = Site::empty().page("/", Page::html("<a href=/a>x</a>")).page("/a", Page::html("")).start().unwrap();
    let here = Site::empty().page("/", Page::redirect(&there.url("/"))).start().unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&here.url("/")]);
    assert_eq!(ok(&spider.archived()), BTreeSet::from([there.url("/").as_str(), there.url("/a").as_str()]));
}

#[test]
fn a_url_behind_too_many_redirects_is_followed_when_a_page_links_to_it() {
    let chain = Behaviour::Chain { hops: 15, to: "/end".into(), status: 302 };
    let site = Site::empty()
        .page("/", Page::html("<a href=/chain/0>x</a>"))
        .misbehave("/chain/*", chain)
        .page("/end", Page::html(""))
        .start()
        .unwrap();
    let spider = Spider::new();
    spider.crawl_all(&[&site.url("/")]);
    assert!(!spider.frontier().contains_key(&site.url("/end")));
    let last = spider.frontier().into_iter().find(|(_, state)| state.error.is_some()).unwrap().0;
    site.put("/later", Page::html(format!("<a href={last}>x</a>")));
    spider.crawl_all(&[&site.url("/later")]);
    assert!(spider.frontier().contains_key(&site.url("/end")));
}

#[test]
fn a_seed_that_leads_out_of_scope_is_told() {
    let there = Site::empty().address("127.0.0.2:0".parse().unwrap()).page("/", Page::html("")).start().unwrap();
    let here = Site::empty().page("/", Page::redirect(&there.url("/"))).start().unwrap();
    let spider = Spider::new();
    let output = support::run(&mut spider.crawl(&[&here.url("/"), "--until-idle"]));
    let told = format!("leads to {}, which is out of scope", there.url("/"));
    assert!(support::text(&output).contains(&told), "{}", support::text(&output));
}
