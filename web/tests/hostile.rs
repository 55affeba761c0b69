//! What is hostile, huge or damaged: always an answer, never a crash, and memory stays bounded.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;
use web::{decode, extract, sniff};

/// Largest body that the bus carries.
const BODY: usize = 15 << 20;

fn repeated(unit: &str, size: usize) -> Vec<u8> {
    unit.repeat(size.div_ceil(unit.len())).into_bytes()
}

/// Every answer about a body; the links.
fn examine(body: &[u8]) -> web::Extraction {
    let base = "http://example.org/a/b".parse().unwrap();
    let with = extract(body, Some("text/html"), &base, true);
    let mut without = extract(body, Some("text/html"), &base, false);
    for (one, other) in without.links.iter_mut().zip(&with.links) {
        one.anchor.clone_from(&other.anchor);
    }
    assert!(with == without, "links do not depend on anchors");
    let (text, charset) = decode(body, None);
    assert!(text.len() <= 3 * body.len() && !charset.is_empty());
    with
}

#[test]
fn a_page_of_any_shape_has_an_answer() {
    let end = b"<a href=end>".as_slice();
    for (unit, is_reached) in [
        ("<div>", false),
        ("<a><b>", false),
        ("</div>", true),
        ("<div></p>", false),
        ("<a href=", false),
        ("<svg>", false),
        ("<svg><title>", false),
        ("<!--", false),
        ("<![CDATA[", false),
        ("<script>", false),
        ("<noscript>", true),
        ("<NoScript>", true),
        ("<template>", false),
        ("<table><tr><td>", false),
        ("<p>text", true),
        ("text", true),
        ("&amp;", true),
        ("&", true),
        ("\0", true),
        ("<\0", true),
        ("é<", true),
        ("<x y='z' ", false),
        ("<a \"", false),
        ("=", true),
    ] {
        let mut body = repeated(unit, 1 << 20);
        body.extend(end);
        let found = examine(&body);
        let reached = found.links.iter().any(|link| link.url.as_str().ends_with("/end"));
        assert!(reached || !is_reached, "{unit}: the link after it");
    }
}

#[test]
fn a_page_nested_ten_thousand_deep_has_its_links() {
    for element in ["div", "a", "span", "table", "svg", "x-unknown", "font"] {
        let open = format!("<{element}>").repeat(10_000);
        let close = format!("</{element}>").repeat(10_000);
        let body = format!("{open}<i></i><img src=x>{close}<a href=y>");
        let found = examine(body.as_bytes());
        assert_eq!(found.links.len(), 2, "{element}");
        assert!(!found.truncated);
    }
}

#[test]
fn a_page_may_leave_a_hundred_thousand_elements_open() {
    let mut body = repeated("<p>", 300_000);
    body.extend(b"<a href=end>");
    let found = examine(&body);
    assert!(!found.truncated && found.links.len() == 1);
    // what is beyond the parser's memory is told
    let found = examine(&repeated("<p>", 3_000_000));
    assert!(found.truncated);
}

#[test]
fn a_page_has_at_most_so_many_links_and_so_much_text() {
    let few = examine(&repeated("<a href=x>", 1 << 20));
    assert!(few.links.len() > 100_000 || few.truncated);
    assert_eq!(few.links.len(), 100_000);
    // a base of 2,000 bytes makes as much of each link
    let mut body = format!("<base href='/{}/'>", "b".repeat(2000)).into_bytes();
    body.extend(repeated("<a href=x>", 1 << 20));
    let long = examine(&body);
    assert!(long.truncated && long.links.iter().map(|link| link.url.as_str().len()).sum::<usize>() <= 32 << 20);
    assert!(!examine(&repeated("<a href=x>", 10_000)).truncated);
}

#[test]
fn a_page_that_is_cut_anywhere_has_the_links_before_the_cut() {
    let html =
        "<title>é</title><noscript><a href='x?a=1&amp;b'>one</a></noscript><img src=y alt=\"z\"><!-- c --><a href=w>";
    let whole = examine(html.as_bytes());
    assert_eq!(whole.links.len(), 3);
    for cut in 0..html.len() {
        let part = examine(&html.as_bytes()[..cut]);
        assert!(part.links.len() <= 3 && part.links.iter().zip(&whole.links).all(|(one, other)| one.url == other.url));
    }
}

/// Peak of this process's memory, which all tests of this file share.
fn peak_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<usize>().ok().map(|kilobytes| kilobytes * 1024)
}

#[test]
fn memory_is_bounded_whatever_the_page() {
    let Some(_) = peak_bytes() else {
        eprintln!("not run: memory_is_bounded_whatever_the_page: no /proc/self/status");
        return;
    };
    let attributes = format!("<a href=x {}>", "b ".repeat(BODY / 2 - 10));
    let value = format!("<a href=x><a title='{}'>", "&amp;".repeat(BODY / 5 - 10));
    let href = format!("<a href='{}'>", "x".repeat(BODY));
    let srcset = format!("<img srcset='{}'>", "x,".repeat(BODY / 2));
    let text = format!("<a href=x>{}", "word ".repeat(BODY / 5));
    for body in [attributes, value, href, srcset, text] {
        let base = "http://example.org/".parse().unwrap();
        let _ = extract(body.as_bytes(), Some("text/html"), &base, true);
    }
    for unit in ["<b>", "<a href=x>", "<a x=y z>", "<q1><q2>", "<svg><title>", "</b>", "<noscript>", "<", "\0"] {
        let body = repeated(unit, BODY);
        let base = format!("http://example.org/{}/", "b".repeat(2000)).parse().unwrap();
        let _ = extract(&body, Some("text/html"), &base, true);
    }
    let peak = peak_bytes().unwrap() >> 20;
    println!("peak: {peak} MiB");
    assert!(peak < 256, "{peak} MiB at most");
}

/// Pieces of which pages are made.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&'static [u8]> = vec![
        b"<a href=",
        b"<a",
        b" href",
        b"='",
        b"'",
        b"\"",
        b">",
        b"/>",
        b"<",
        b"</a>",
        b"</",
        b"<img src=x srcset='y 1x, z'>",
        b"<noscript>",
        b"</noscript>",
        b"<NOscript",
        b"<template>",
        b"</template>",
        b"<script>",
        b"</script>",
        b"<!--",
        b"-->",
        b"<base href=/b/>",
        b"<meta charset=",
        b"utf-16",
        b"gbk",
        b"<meta http-equiv=refresh content='0;url=",
        b"<svg>",
        b"</svg>",
        b"<title>",
        b"<math><annotation-xml encoding='text/html'>",
        b"&amp;",
        b"&#0;",
        b"&#x110000;",
        b"&notin",
        b"\0",
        b"\xFF\xFE",
        b"\xEF\xBB\xBF",
        b"\xC3\xA9",
        b"\xC3",
        b"\x1B$B",
        b"\x83\\",
        b" ",
        b"\n",
        b"http://h/",
        b"..",
        b"?",
        b"<![CDATA[",
        b"]]>",
        b"<?xml encoding='x",
        b"<plaintext>",
        b"<textarea>",
        b"alt=q",
        b"rel=r ",
        b"%",
        b"\\",
    ];
    proptest::collection::vec(proptest::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_soup_of_markup_has_an_answer(body in soup()) {
        examine(&body);
    }

    #[test]
    fn any_bytes_have_an_answer(body in proptest::collection::vec(any::<u8>(), 0..256)) {
        examine(&body);
    }

    #[test]
    fn any_content_type_has_an_answer(
        body in soup(),
        content_type in "([a-z/+]{0,12};? ?)?charset ?= ?[\"']?(utf-?16(le|be)?|utf-?7|x-user-defined|iso-2022-(jp|kr)|big5|hz-gb-2312|replacement|.{0,8})[\"']?"
    ) {
        let base = "http://example.org/".parse().unwrap();
        extract(&body, Some(&content_type), &base, true);
        let (text, charset) = decode(&body, Some(&content_type));
        prop_assert_eq!(charset, sniff(&body, Some(&content_type)));
        prop_assert!(charset != "replacement" && charset == charset.to_ascii_lowercase());
        prop_assert!(text.len() <= 3 * body.len());
    }

    #[test]
    fn links_of_a_page_are_canonical(body in soup()) {
        for link in examine(&body).links {
            prop_assert_eq!(web::canonicalise(link.url.as_str()), Ok(link.url));
        }
    }
}
