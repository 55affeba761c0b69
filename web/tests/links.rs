//! Links of a page: which elements, which kinds, in which order, and what a browser without scripting would see.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use web::{Extraction, LinkKind, extract};

fn page(html: &str) -> Extraction {
    extract(html.as_bytes(), Some("text/html; charset=utf-8"), &"http://example.org/a/b.html".parse().unwrap(), true)
}

/// Paths of the links, or URLs where they lead elsewhere.
fn links(html: &str) -> Vec<String> {
    let short = |url: String| url.strip_prefix("http://example.org").map(str::to_owned).unwrap_or(url);
    page(html).links.into_iter().map(|link| short(link.url.into_string())).collect()
}

#[test]
fn each_kind_of_link_is_found_in_order() {
    let html = r#"<!doctype html><head>
        <link rel="stylesheet  Preload" href=s.css><script src=x.js></script>
        <meta http-equiv=Refresh content="5; url='/later'"></head>
        <body><a href="c.html" rel=nofollow>C</a><map><area href=d alt="the area"></map>
        <img src=e.png srcset="f.png 1x, g.png 2x"><picture><source srcset="h.avif"></picture>
        <iframe src=i></iframe><frame src=j><form action="/k"></form><svg><a xlink:href=l></a></svg>"#;
    let found: Vec<_> = page(html).links.iter().map(|link| (link.kind, link.url.path_and_query().to_owned())).collect();
    let expected = [
        (LinkKind::Link, "/a/s.css"),
        (LinkKind::Script, "/a/x.js"),
        (LinkKind::Redirect, "/later"),
        (LinkKind::A, "/a/c.html"),
        (LinkKind::A, "/a/d"),
        (LinkKind::Img, "/a/e.png"),
        (LinkKind::Img, "/a/f.png"),
        (LinkKind::Img, "/a/g.png"),
        (LinkKind::Img, "/a/h.avif"),
        (LinkKind::Iframe, "/a/i"),
        (LinkKind::Iframe, "/a/j"),
        (LinkKind::Form, "/k"),
        (LinkKind::A, "/a/l"),
    ];
    assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())));
    let page = page(html);
    let rels: Vec<_> = page.links.iter().filter_map(|link| link.rel.as_deref()).collect();
    assert_eq!(rels, ["stylesheet Preload", "nofollow"]);
    assert_eq!(page.links[4].anchor.as_deref(), Some("the area"));
    assert!(!page.truncated);
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    use LinkKind::{A, Form, Iframe, Img, Link, Redirect, Script};
    let names = [A, Img, Script, Iframe, Link, Form, Redirect].map(LinkKind::name);
    assert_eq!(names, ["a", "img", "script", "iframe", "link", "form", "redirect"]);
}

#[test]
fn a_page_is_seen_as_by_a_browser_without_scripting() {
    for (html, expected) in [
        // no markup there
        ("<!-- <a href=x></a> --><a href=y>", &["/a/y"][..]),
        ("<!-- <a href=x><a href=y>", &[]),
        ("<!--><a href=y>-->", &["/a/y"]),
        ("<script>'<a href=x>'</script><a href=y>", &["/a/y"]),
        ("<script><!-- <script> </script> <a href=x> --></script><a href=y>", &["/a/y"]),
        ("<style><a href=x></style><a href=y>", &["/a/y"]),
        ("<textarea><a href=x></textarea><a href=y>", &["/a/y"]),
        ("<title><a href=x></title><a href=y>", &["/a/y"]),
        ("<iframe src=f><a href=x></iframe><a href=y>", &["/a/f", "/a/y"]),
        ("<noframes><a href=x></noframes><a href=y>", &["/a/y"]),
        ("<xmp><a href=x></xmp><a href=y>", &["/a/y"]),
        ("<plaintext><a href=x></plaintext><a href=y>", &[]),
        ("<svg><![CDATA[<a href=x>]]><a href=y /></svg>", &["/a/y"]),
        ("<![CDATA[<a href=x>]]><a href=y>", &["/a/y"]),
        // markup there
        ("<noscript><a href=x></noscript><a href=y>", &["/a/x", "/a/y"]),
        ("<NOSCRIPT><a href=x></NOSCRIPT><a href=y>", &["/a/x", "/a/y"]),
        ("<noscript class=z><img src=x></noscript><NoScript><a href=y></noScript>", &["/a/x", "/a/y"]),
        ("<noscript><noscript><a href=x></noscript><a href=y></noscript><a href=z>", &["/a/x", "/a/y", "/a/z"]),
        ("<noscript><!-- <a href=x> </noscript> --><a href=y></noscript>", &["/a/y"]),
        ("<noscript><meta http-equiv=refresh content='0; url=x'></noscript>", &["/a/x"]),
        ("<select><option><a href=x></select>", &["/a/x"]),
        ("<object><a href=x></object>", &["/a/x"]),
        // a template is nothing until a script uses it, a shadow tree is shown
        ("<template><a href=x></template><a href=y>", &["/a/y"]),
        ("<template><template><a href=x></template><a href=w></template><a href=y>", &["/a/y"]),
        ("<template><base href=/z/><meta name=robots content=none></template><a href=y>", &["/a/y"]),
        ("<template shadowrootmode=open><a href=x></template><a href=y>", &["/a/x", "/a/y"]),
        ("<svg><template/><a href=y /></svg>", &["/a/y"]),
        // attributes as browsers read them
        ("<a HREF=x><A hrEf='y'><a\nhref\n=\n\"z\">", &["/a/x", "/a/y", "/a/z"]),
        ("<a href=x href=y>", &["/a/x"]),
        ("<a data-href=x><a hreflang=y><a>", &[]),
        ("<a href>", &["/a/b.html"]),
        ("<a href=''>", &["/a/b.html"]),
        ("<a href='a&amp;b?c&lt;&copy=1&notit;'>", &["/a/a&b?c%3C&copy=1&notit;"]),
        ("<a href='&#x2F;&#120;'>", &["/x"]),
        ("<a href='  x\n/y  '>", &["/a/x/y"]),
        ("<a href=\"x'y\"><a href='x\"y'>", &["/a/x'y", "/a/x%22y"]),
        ("<a/href=x/><a href=y/>", &["/a/x/", "/a/y/"]),
        ("<a title='>' href=x>", &["/a/x"]),
        ("<a title=\"<a href=x>\" href=y>", &["/a/y"]),
        ("<a href=x", &[]),
        ("<a href='x", &[]),
        ("</a href=x>", &[]),
        ("< a href=x>", &[]),
        ("<a\0href=x>", &[]),
        ("<a \0 href=x>", &["/a/x"]),
        ("<a href=x\0y>", &["/a/x%EF%BF%BDy"]),
        // what is no link
        (
            "<a href=mailto:x><a href=javascript:x><a href=data:,x><a href=tel:1><a href='http://'><a href=about:blank>",
            &[],
        ),
        ("<form><form action=''><form action=x method=post>", &["/a/x"]),
        (
            "<a href=//other.example/x><a href=https://other.example>",
            &["http://other.example/x", "https://other.example/"],
        ),
    ] {
        assert_eq!(links(html), expected, "{html}");
    }
}

#[test]
fn the_first_base_holds_for_what_follows() {
    for (html, expected) in [
        ("<a href=x><base href=/c/><a href=y>", &["/a/x", "/c/y"][..]),
        ("<base href=c/><base href=/d/><a href=y>", &["/a/c/y"]),
        ("<base target=_top><base href=/d/><a href=y>", &["/d/y"]),
        ("<base href=//other.example/d><a href=y>", &["http://other.example/y"]),
        ("<base href='https://other.example:8443'><a href=y>", &["https://other.example:8443/y"]),
        ("<base href=mailto:x><a href=y>", &["/a/y"]),
        ("<base href='data:text/html,'><a href=y>", &["/a/y"]),
        ("<base href='http://'><a href=y>", &["/a/y"]),
        ("<base href=''><a href=y>", &["/a/y"]),
        ("<base href='/c/?q#f'><a href=''><a href=y>", &["/c/?q", "/c/y"]),
    ] {
        assert_eq!(links(html), expected, "{html}");
    }
}

#[test]
fn the_text_of_a_link_is_folded_and_decoded() {
    for (html, anchor) in [
        ("<a href=x> one\n two </a>", Some("one two")),
        ("<a href=x>fish &amp; chips &eacute;&nbsp;&#33;</a>", Some("fish & chips é !")),
        ("<a href=x>one<br>two<p>three</p></a>", Some("one two three")),
        ("<a href=x><b>bo</b>ld</a>", Some("bold")),
        ("<a href=x><img src=i alt='an &amp; image'></a>", Some("an & image")),
        ("<a href=x><img src=i alt=one><img src=i alt=two></a>", Some("one two")),
        ("<a href=x>text <img src=i alt='an image'></a>", Some("text")),
        ("<a href=x><script>var x</script><style>b {}</style></a>", None),
        ("<a href=x><!-- comment --></a>", None),
        ("<a href=x>  </a>after", None),
        ("<a href=x></a><img src=i alt='no text of the link'>", None),
        ("<a href=x>one<a href=y>", Some("one")),
        ("<a href=x>one<a name=y>two</a>", Some("one")),
        ("<a href=x>cut", Some("cut")),
        ("<a href=x>A&lt;B</a>", Some("A<B")),
        ("<a href=x>日本 語\u{3000}x</a>", Some("日本 語 x")),
        ("<noscript><a href=x>in <b>noscript</b></a></noscript>", Some("in noscript")),
    ] {
        assert_eq!(page(html).links[0].anchor.as_deref(), anchor, "{html}");
    }
    let long = format!("<a href=x>{}</a>", "é ".repeat(2000));
    assert_eq!(page(&long).links[0].anchor.as_ref().unwrap().chars().count(), 511);
    let long = format!("<a href=x>{}</a>", "é".repeat(2000));
    assert_eq!(page(&long).links[0].anchor.as_ref().unwrap().chars().count(), 512);
}

#[test]
fn robots_and_refresh_are_read_from_meta() {
    for (html, nofollow, noindex) in [
        ("<meta name=robots content=nofollow>", true, false),
        ("<meta name=ROBOTS content='NOINDEX,follow'>", false, true),
        ("<meta name=robots content='noindex nofollow'>", true, true),
        ("<meta name=robots content=none>", true, true),
        ("<meta name=robots content='index, follow'>", false, false),
        ("<meta name=robots content='max-snippet:-1, nofollowing'>", false, false),
        ("<meta name=robots content=noindex><meta name=robots content=nofollow>", true, true),
        ("<meta name=googlebot content=none>", false, false),
        ("<meta name=robots>", false, false),
    ] {
        let page = page(html);
        assert_eq!((page.nofollow, page.noindex), (nofollow, noindex), "{html}");
    }
    for (content, expected) in [
        ("0;url=x", Some("/a/x")),
        ("0; URL = x", Some("/a/x")),
        ("5,x", Some("/a/x")),
        ("5 x", Some("/a/x")),
        ("5.5; url=\"x\"y", Some("/a/x")),
        ("0; url='x", Some("/a/x")),
        ("0; urlx", Some("/a/urlx")),
        ("0; u", Some("/a/u")),
        (".5;url=x", Some("/a/x")),
        ("0;url=é", Some("/a/%C3%A9")),
        ("0;é", Some("/a/%C3%A9")),
        ("5", None),
        ("0;", None),
        ("0; url=", None),
        ("0x", None),
        ("url=x", None),
        ("0;url=javascript:x", None),
    ] {
        let html = format!("<meta http-equiv=refresh content='{}'>", content.replace('\'', "&#39;"));
        assert_eq!(links(&html).first().map(String::as_str), expected, "{content}");
    }
}

#[test]
fn a_srcset_is_split_as_browsers_do() {
    for (srcset, expected) in [
        ("x", &["/a/x"][..]),
        (" x 1x ,y 2x", &["/a/x", "/a/y"]),
        ("x, y", &["/a/x", "/a/y"]),
        ("x,y 1x", &["/a/x,y"]),
        ("x,, y", &["/a/x", "/a/y"]),
        (",x", &["/a/x"]),
        ("x (1,2) 3x, y", &["/a/x", "/a/y"]),
        ("x 100w 50h,y", &["/a/x", "/a/y"]),
        ("data:,x 1x, y 2x", &["/a/y"]),
        ("", &[]),
        (" , ,", &[]),
        ("x (", &["/a/x"]),
    ] {
        assert_eq!(links(&format!("<img srcset='{srcset}'>")), expected, "{srcset}");
    }
}

#[test]
fn links_are_read_in_the_page_s_encoding() {
    let base = "http://example.org/".parse().unwrap();
    let first = |body: &[u8], content_type| {
        let link = extract(body, content_type, &base, true).links.remove(0);
        (link.url.path_and_query().to_owned(), link.anchor.unwrap_or_default())
    };
    // a path is escaped as UTF-8 and a query in the page's encoding, as browsers do
    let latin1 = b"<meta charset=iso-8859-1><a href='/\xE9?q=\xE9'>\xE9</a>";
    assert_eq!(first(latin1, Some("text/html")), ("/%C3%A9?q=%E9".into(), "é".into()));
    let utf8 = "<a href='/é?q=é'>é</a>";
    assert_eq!(first(utf8.as_bytes(), None), ("/%C3%A9?q=%C3%A9".into(), "é".into()));
    let bom = [b"\xEF\xBB\xBF", utf8.as_bytes()].concat();
    assert_eq!(first(&bom, Some("text/html; charset=latin1")), ("/%C3%A9?q=%C3%A9".into(), "é".into()));
    for (order, bom) in [(u16::to_le_bytes as fn(u16) -> [u8; 2], b"\xFF\xFE"), (u16::to_be_bytes, b"\xFE\xFF")] {
        let mut body = bom.to_vec();
        body.extend(utf8.encode_utf16().flat_map(order));
        assert_eq!(first(&body, None), ("/%C3%A9?q=%C3%A9".into(), "é".into()));
    }
    // シ and ソ end in bytes that are `V` and `\` in ASCII; `q` is escaped in Shift_JIS
    let shift_jis = b"<a href='/\x83V?q=\x83\\'>\x83\\</a>";
    let found = first(shift_jis, Some("text/html; charset=Shift_JIS"));
    assert_eq!(found, ("/%E3%82%B7?q=%83\\".into(), "ソ".into()));
    let iso_2022_jp = b"<a href=/x>\x1B$B$\"\x1B(B</a>";
    assert_eq!(first(iso_2022_jp, Some("text/html; charset=iso-2022-jp")), ("/x".into(), "あ".into()));
    // what cannot be decoded is replaced
    assert_eq!(
        first(b"<a href='/\xFF'>\xFF</a>", Some("text/html; charset=utf-8")),
        ("/%EF%BF%BD".into(), "\u{FFFD}".into())
    );
}
