//! `etl extract` as a user runs it, on pages good, bad and hostile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use bus::payload::Artefact;
use parquet::record::Row;
use support::*;

/// Stages and extracts some artefacts; gives the rows of one data set.
struct Extracted(World);

impl Extracted {
    fn of(artefacts: Vec<Artefact>) -> Extracted {
        let world = World::new();
        world.append(0, artefacts);
        world.ok(&["stage", "--once"]);
        world.ok(&["extract"]);
        Extracted(world)
    }

    fn rows(&self, set: &str) -> Vec<Row> {
        files(&self.0.path().join(set)).iter().flat_map(|path| rows(path)).collect()
    }

    /// The only page.
    fn page(&self) -> Row {
        let pages = self.rows("pages");
        assert_eq!(pages.len(), 1);
        pages.into_iter().next().unwrap()
    }
}

fn page_of(body: impl Into<Vec<u8>>) -> Row {
    Extracted::of(vec![artefact("http://example.org/dir/page", body)]).page()
}

fn or_none(row: &Row, name: &str) -> Option<String> {
    (!is_null(row, name)).then(|| string(row, name))
}

#[test]
fn a_page_becomes_a_row() {
    let body = r#"<!DOCTYPE html><html lang="en-GB"><head><title> The
        title </title><meta name=description content="What it &amp; is"><link rel="canonical" href="../canonical?b=1#x">
        </head><body><header>Brand</header><nav><a href=/menu>Menu</a></nav>
        <main><h1>Heading</h1><p>Some <b>bold</b> words in the main text, and it is about the things that people do.</p>
        <aside>aside</aside><ul><li>one</li><li>two</li></ul><script>var x = "not text";</script><div hidden>hidden</div></main>
        <footer>Imprint</footer></body></html>"#;
    let mut page = artefact("http://www.example.co.uk/dir/page", body);
    page.crawl = "other".into();
    let (id, sha256) = (page.id.to_string(), page.sha256.clone());
    let extracted = Extracted::of(vec![page]);
    let row = extracted.page();
    assert_eq!((string(&row, "id"), string(&row, "crawl")), (id, "other".into()));
    assert_eq!((string(&row, "host"), string(&row, "site")), ("www.example.co.uk".into(), "example.co.uk".into()));
    assert_eq!(or_none(&row, "title").as_deref(), Some("The title"));
    assert_eq!(or_none(&row, "description").as_deref(), Some("What it & is"));
    assert_eq!(or_none(&row, "canonical").as_deref(), Some("http://www.example.co.uk/canonical?b=1"));
    assert_eq!(
        (or_none(&row, "lang").as_deref(), or_none(&row, "lang_declared").as_deref()),
        (Some("en"), Some("en-GB"))
    );
    assert_eq!(
        string(&row, "text"),
        "Heading\nSome bold words in the main text, and it is about the things that people do.\none\ntwo"
    );
    assert_eq!((int(&row, "words"), int(&row, "links_out"), int(&row, "status")), (19, 2, 200));
    assert_eq!((string(&row, "body_sha256"), int(&row, "offset")), (sha256, 0));
    let file = &files(&extracted.0.path().join("pages"))[0];
    assert_eq!(facts(file)["extractor"], string(&row, "extractor"));
    assert_eq!(
        file.strip_prefix(extracted.0.path()).unwrap().display().to_string(),
        "pages/day=2026-11-21/pages-p000-00000000000000000000-00000000000000000001.parquet"
    );
}

#[test]
fn main_content_is_found_where_pages_have_it() {
    let filler = "The quick brown fox jumps over the lazy dog. ".repeat(5);
    let filler = filler.trim_end();
    for (body, want) in [
        ("<body><nav>n</nav><p>a</p><p>b<br>c</p><footer>f</footer>".to_owned(), "a\nb\nc".to_owned()),
        ("<body><div role=main>a</div><div>b</div>".into(), "a".into()),
        ("<body><main></main><p>outside</p>".into(), "outside".into()),
        (format!("<body>x<article><header>h</header>{filler}</article>y"), format!("h\n{filler}")),
        (format!("<body>{filler}{filler}<article>teaser</article>"), format!("{filler}{filler}\nteaser")),
        ("<body><article>a<article>inner</article></article><article>b</article>".into(), "a\ninner\nb".into()),
        ("<body><table><tr><td>a<td>b<tr><td>c</table><pre>x\n  y</pre>".into(), "a b\nc\nx y".into()),
        (
            "<body>vis<span style='color:red; DISPLAY : none'>no</span>ible<i aria-hidden=true>no</i>".into(),
            "visible".into(),
        ),
        ("<body><div role=navigation>no</div><select><option>no</select><button>no</button>yes".into(), "yes".into()),
        ("<body>a<noscript>no</noscript><template>no</template><svg><text>no</text></svg>b".into(), "ab".into()),
        ("plain text, no tags &amp; an entity".into(), "plain text, no tags & an entity".into()),
        ("".into(), "no page".into()),
    ] {
        let extracted = Extracted::of(vec![artefact("http://example.org/", body.clone())]);
        let found = extracted.rows("pages").first().map_or("no page".to_owned(), |row| string(row, "text"));
        assert_eq!(found, want, "{body}");
    }
}

#[test]
fn links_are_those_of_the_one_extractor_with_anchors() {
    let body = r#"<base href="/b/"><a href="x">An  anchor</a><a href="http://sub.example.org/" rel="nofollow me">s</a>
        <a href="http://other.test/"><img src=/i.png alt=Alt></a><link rel=stylesheet href=s.css><script src=a.js></script>
        <iframe src=f></iframe><form action=go></form><meta http-equiv=refresh content="3;url=/r"><a href="mailto:x">m</a>"#;
    let extracted = Extracted::of(vec![artefact("http://www.example.org/page", body)]);
    let url: url::Url = "http://www.example.org/page".parse().unwrap();
    let direct = web::extract(body.as_bytes(), Some("text/html; charset=utf-8"), &url, true);
    let rows = extracted.rows("links");
    let found: Vec<_> = rows
        .iter()
        .map(|r| (int(r, "ordinal"), string(r, "kind"), string(r, "dst"), or_none(r, "rel"), or_none(r, "anchor")))
        .collect();
    let want: Vec<_> = (0..)
        .zip(direct.links)
        .map(|(i, l)| (i, l.kind.name().to_owned(), l.url.as_str().to_owned(), l.rel, l.anchor))
        .collect();
    assert_eq!(found, want);
    assert!(found.len() >= 9, "{found:?}");
    let internal: BTreeMap<String, String> =
        rows.iter().map(|r| (string(r, "dst_host"), field(r, "internal").to_string())).collect();
    let internal: Vec<(&str, &str)> = internal.iter().map(|(host, is)| (host.as_str(), is.as_str())).collect();
    assert_eq!(internal, [("other.test", "false"), ("sub.example.org", "true"), ("www.example.org", "true")]);
    assert!(
        rows.iter()
            .all(|r| string(r, "src") == "http://www.example.org/page" && string(r, "src_host") == "www.example.org")
    );
    assert_eq!(int(&extracted.page(), "links_out"), found.len() as i64);
}

#[test]
fn a_redirect_is_one_link_whatever_its_page_says() {
    let redirect = |url: &str, status, location: &str, body: &str| {
        let mut a = artefact(url, body);
        a.status = Some(status);
        a.http_headers.0 = format!("Content-Type: text/html\r\nLOCATION:  {location} \r\nX: y").into();
        a
    };
    let mut no_type = redirect("http://example.org/4", 302, "/elsewhere", "");
    no_type.content_type = None;
    let extracted = Extracted::of(vec![
        redirect("http://example.org/1", 301, "../a?x=1#f", "<a href=/b>moved</a>"),
        redirect("http://example.org/2", 308, "javascript:alert(1)", "<a href=/b>moved</a>"),
        redirect("http://example.org/3", 200, "/not-a-redirect", "x"),
        no_type,
    ]);
    let links: Vec<_> =
        extracted.rows("links").iter().map(|r| (string(r, "src"), string(r, "kind"), string(r, "dst"))).collect();
    let link = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(
        links,
        [
            link("http://example.org/1", "redirect", "http://example.org/a?x=1"),
            link("http://example.org/2", "a", "http://example.org/b"),
            link("http://example.org/4", "redirect", "http://example.org/elsewhere")
        ]
    );
    let pages: Vec<i64> = extracted.rows("pages").iter().map(|r| int(r, "status")).collect();
    assert_eq!(pages, [301, 308, 200]);
}

#[test]
fn scripts_are_listed_with_their_hashes() {
    let body = "<script src='/a.js?v=1'></script><script>let a = '</p>';</script><base href=/late/><script src=b.js></script>\
                <script> </script><script src='data:text/javascript,1'></script><body onload=x><script type=module>b</script>";
    let extracted = Extracted::of(vec![artefact("http://example.org/p/q", body)]);
    let found: Vec<_> = extracted
        .rows("scripts")
        .iter()
        .map(|r| (int(r, "ordinal"), or_none(r, "src"), or_none(r, "body"), or_none(r, "sha256").map(|s| s.len())))
        .collect();
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(
        found,
        [
            (0, text("http://example.org/a.js?v=1"), None, None),
            (1, None, text("let a = '</p>';"), Some(64)),
            (2, text("http://example.org/late/b.js"), None, None),
            (3, None, text("b"), Some(64)),
        ]
    );
    assert_eq!(int(&extracted.rows("scripts")[1], "bytes"), 15);
}

#[test]
fn only_html_becomes_a_page() {
    let typed = |n: usize, content_type: Option<&str>, body: &str| {
        let mut a = artefact(&format!("http://example.org/{n}"), body);
        a.content_type = content_type.map(Into::into);
        a.http_headers = Default::default();
        a
    };
    let mut failed = typed(7, None, "");
    (failed.status, failed.error) = (None, Some("timeout".into()));
    let mut missing = typed(8, Some("text/html"), "<title>404</title>");
    missing.status = Some(404);
    let extracted = Extracted::of(vec![
        typed(0, Some("text/html"), "<p>a"),
        typed(1, Some("TEXT/HTML;charset=latin1"), "<p>\u{e4}"),
        typed(2, Some("application/xhtml+xml"), "<p>a"),
        typed(3, Some("text/plain"), "<p>a"),
        typed(4, Some("image/png"), "\u{89}PNG"),
        typed(5, None, " \n<!DOCTYPE html><p>by its look"),
        typed(6, None, "no look at all"),
        failed,
        missing,
    ]);
    let urls: Vec<String> = extracted.rows("pages").iter().map(|r| string(r, "url")).collect();
    assert_eq!(urls, [0, 1, 2, 5, 8].map(|n| format!("http://example.org/{n}")));
}

#[test]
fn wrong_character_sets_and_nul_still_give_a_row() {
    let row = page_of(b"<meta charset=utf-16><title>\xe4\xf6\xfc</title>caf\xe9 \0 nul".to_vec());
    assert!(string(&row, "text").starts_with("caf"), "{row}");
    let mut latin = artefact("http://example.org/", b"<title>\xe4\xf6\xfc</title>caf\xe9".to_vec());
    latin.content_type = Some("text/html; charset=iso-8859-1".into());
    let row = Extracted::of(vec![latin]).page();
    assert_eq!((or_none(&row, "title").as_deref(), string(&row, "text").as_str()), (Some("äöü"), "café"));
    let utf16: Vec<u8> = "\u{feff}<title>ü</title>text".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let row = page_of(utf16);
    assert_eq!((or_none(&row, "title").as_deref(), string(&row, "text").as_str()), (Some("ü"), "text"));
    for hostile in [
        &b"\0\0\0\0"[..],
        b"<",
        b"</",
        b"<!",
        b"<a",
        b"<a href=",
        b"&#",
        b"\xff\xfe",
        b"<script>",
        b"<!--",
        b"<title>",
        b"]]>",
    ] {
        page_of(hostile.to_vec());
    }
}

#[test]
fn deep_nesting_still_gives_a_row_with_its_text() {
    for (tag, depth) in [
        ("div", 10_000),
        ("div", 200_000),
        ("b", 200_000),
        ("table><tr><td", 50_000),
        ("svg", 100_000),
        ("p><a", 100_000),
    ] {
        let body = format!("<title>deep</title><p>before</p>{}within", format!("<{tag}>").repeat(depth));
        let row = page_of(body);
        assert_eq!(or_none(&row, "title").as_deref(), Some("deep"), "{tag} {depth}");
        let text = string(&row, "text");
        assert!(text.starts_with("before") && text.ends_with("within"), "{tag} {depth}: {} bytes", text.len());
    }
}

#[test]
fn the_largest_pages_stay_within_memory() {
    let megabytes = 15 << 20;
    let fill = |unit: &str| unit.repeat(megabytes / unit.len());
    let attributes: String = (0..400_000).map(|i| format!(" a{i}=1")).collect();
    let fonts: String = (0..5_000).map(|i| format!("<p><font size={i}>")).collect();
    let pages = [
        fill("<a>"),
        fill("x<b>"),
        fill("<p>some words of text</p>"),
        fill("<a href=x>y</a>"),
        format!("<base href=http://example.org/{}/>{}", "d".repeat(1900), fill("<a href=x>y</a>")),
        format!("<p{attributes}>text"),
        format!("{fonts}{}", fill("<p>x")),
        format!("<!--{}", fill("-")),
        format!("<script>{}", fill("<!--<script>")),
        fill("&amp;"),
        fill("</x>"),
    ];
    let world = World::new();
    for (i, body) in pages.iter().enumerate() {
        let body = body.as_bytes()[..body.len().min(megabytes - 2000)].to_vec();
        world.append(0, vec![artefact(&format!("http://example.org/{i}"), body)]);
    }
    let staged: serde_json::Value = serde_json::from_str(&world.ok(&["stage", "--once", "--json"])).unwrap();
    assert!(staged["peak_memory"].as_u64().unwrap() < 256 << 20, "{staged}");
    let extracted: serde_json::Value = serde_json::from_str(&world.ok(&["extract", "--json", "--jobs", "4"])).unwrap();
    assert_eq!(extracted["pages"].as_u64(), Some(pages.len() as u64), "{extracted}");
    assert!(extracted["peak_memory"].as_u64().unwrap() < 512 << 20, "{extracted}");
}

#[test]
fn a_second_run_does_nothing_and_new_segments_are_all_that_a_later_one_does() {
    let world = World::new();
    world.append(0, artefacts(2));
    world.ok(&["stage", "--once"]);
    let json = |args: &[&str]| -> serde_json::Value { serde_json::from_str(&world.ok(args)).unwrap() };
    assert_eq!(json(&["extract", "--dry-run", "--json"])["segments"].as_array().unwrap().len(), 1);
    assert_eq!(json(&["extract", "--json"])["segments"], 1);
    let times = || -> Vec<_> {
        files(&world.path().join("pages")).iter().map(|p| p.metadata().unwrap().modified().unwrap()).collect()
    };
    let before = times();
    assert_eq!(json(&["extract", "--json"])["segments"], 0);
    assert_eq!(times(), before);
    world.append(0, artefacts(1));
    world.ok(&["stage", "--once"]);
    assert_eq!(json(&["extract", "--json"])["pages"], 1);
    assert_eq!(times()[0], before[0]);
    // Without its links, a segment is not extracted.
    std::fs::remove_file(&files(&world.path().join("links"))[0]).unwrap();
    assert_eq!(json(&["extract", "--json"])["segments"], 1);
    assert_eq!(json(&["extract", "--json", "--force"])["segments"], 2);
    assert_eq!(json(&["extract", "--json", "--day", "2026-11-20", "--force"])["segments"], 0);
}

#[test]
fn a_damaged_segment_is_named_and_the_others_are_extracted() {
    let world = World::new();
    world.append(0, artefacts(2));
    world.append(1, artefacts(2));
    world.ok(&["stage", "--once"]);
    let damaged = &world.segments()[0];
    let mut bytes = std::fs::read(damaged).unwrap();
    bytes[10..60].fill(0xff);
    std::fs::write(damaged, bytes).unwrap();
    let output = world.etl(&["extract", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("artefacts-p000"), "{}", text(&output));
    assert_eq!(files(&world.path().join("pages")).len(), 1);
}

#[test]
fn a_crash_at_every_step_of_an_extraction_is_made_good_by_the_next_run() {
    if !have("strace", "a_crash_at_every_step_of_an_extraction_is_made_good_by_the_next_run") {
        return;
    }
    for call in ["write", "fsync", "rename", "mkdir", "unlink"] {
        for n in 1.. {
            let world = World::new();
            world.append(0, vec![artefact("http://example.org/", "<a href=/x>x</a><script>1</script>")]);
            world.ok(&["stage", "--once"]);
            let mut strace = std::process::Command::new("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
            strace.args(["-e", &format!("inject={call}:signal=KILL:when={n}"), env!("CARGO_BIN_EXE_etl")]);
            let output = strace.args(["extract", "--jobs", "1", "--data"]).arg(world.path()).output().unwrap();
            world.ok(&["extract"]);
            for set in ["pages", "links", "scripts"] {
                assert_eq!(
                    files(&world.path().join(set)).iter().flat_map(|p| rows(p)).count(),
                    1,
                    "{set} after {call} {n}"
                );
            }
            let again: serde_json::Value = serde_json::from_str(&world.ok(&["extract", "--json"])).unwrap();
            assert_eq!(again["segments"], 0, "after {call} {n}");
            assert_eq!(std::fs::read_dir(world.path().join("tmp")).unwrap().count(), 0, "after {call} {n}");
            if output.status.code() == Some(0) {
                break;
            }
        }
    }
}

#[test]
fn each_of_the_three_files_that_is_damaged_is_made_again() {
    let world = World::new();
    world.append(0, vec![artefact("http://example.org/1", "<title>t</title><a href=/2>2</a><script>1</script>")]);
    world.ok(&["stage", "--once"]);
    world.ok(&["extract"]);
    for set in ["pages", "links", "scripts"] {
        let path = files(&world.path().join(set)).remove(0);
        let whole = rows(&path).len();
        assert_eq!(whole, 1, "{set}");
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..100]).unwrap();
        let status = world.ok(&["status"]);
        assert!(status.contains("0 of 1"), "{set}: {status}");
        let done = world.ok(&["extract"]);
        assert!(done.starts_with("extracted 1 segments"), "{set}: {done}");
        assert_eq!(rows(&path).len(), whole, "{set}");
        assert!(world.ok(&["extract"]).starts_with("extracted 0 segments"), "{set}");
    }
}
