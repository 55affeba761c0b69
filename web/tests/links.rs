//! Links of a page: which elements, which kinds, in which order, and what damage does to them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use web::{Extraction, LinkKind, extract};

fn page(html: &str) -> Extraction {
    extract(html.as_bytes(), Some("text/html; charset=utf-8"), &"http://example.org/a/b.html".parse().unwrap(), true)
}

/// Kind, URL and anchor of each link.
fn links(html: &str) -> Vec<(LinkKind, String, Option<String>)> {
    page(html).links.into_iter().map(|link| (link.kind, link.url.into_string(), link.anchor)).collect()
}

#[test]
fn each_kind_of_link_is_found_in_order() {
    let html = r#"<!doctype html><head>
        <link rel="stylesheet  Preload" href=s.css><script src=x.js></script>
        <meta http-equiv=Refresh content="5; url='/later'"></head>
        <body><a href="c.html" rel=nofollow>C</a><map><area href=d alt="the area"></map>
        <img src=e.png srcset="f.png 1x, g.png 2x"><picture><source srcset="h.avif"></picture>
        <iframe src=i></iframe><frame src=j><form action="/k"></form>"#;
    let found: Vec<_> =
        page(html).links.iter().map(|link| (link.kind.name(), link.url.path_and_query().to_owned())).collect();
    let expected = [
        ("link", "/a/s.css"),
        ("script", "/a/x.js"),
        ("redirect", "/later"),
        ("a", "/a/c.html"),
        ("a", "/a/d"),
        ("img", "/a/e.png"),
        ("img", "/a/f.png"),
        ("img", "/a/g.png"),
        ("img", "/a/h.avif"),
        ("iframe", "/a/i"),
        ("iframe", "/a/j"),
        ("form", "/k"),
    ];
    assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())));
    let rels: Vec<_> = page(html).links.into_iter().filter_map(|link| link.rel).collect();
    assert_eq!(rels, ["stylesheet Preload", "nofollow"]);
}

#[test]
fn the_text_of_a_link_is_folded_and_decoded() {
    for (html, anchor) in [
        ("<a href=x> one\n two </a>", Some("one two")),
        ("<a href=x>fish &amp; chips &eacute;</a>", Some("fish & chips é")),
        ("<a href=x>one<br>two<p>three</p></a>", Some("one two three")),
        ("<a href=x><b>bo</b>ld</a>", Some("bold")),
        ("<a href=x><img src=i alt='an image'></a>", Some("an image")),
        ("<a href=x>text <img src=i alt='an image'></a>", Some("text")),
        ("<a href=x><script>var x</script></a>", None),
        ("<a href=x>  </a>after", None),
        ("<a href=x>one<a href=y>", Some("one")),
        ("<a href=x>cut", Some("cut")),
    ] {
        assert_eq!(page(html).links[0].anchor.as_deref(), anchor, "{html}");
    }
    let long = format!("<a href=x>{}</a>", "é ".repeat(2000));
    assert_eq!(page(&long).links[0].anchor.as_ref().unwrap().chars().count(), 511);
}
