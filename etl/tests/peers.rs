//! The one parse of a page against its peers: the tree against `scraper`'s, the links against [`web::extract`]'s.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use ego_tree::NodeRef;
use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{Attribute, QualName, ns};
use proptest::prelude::*;
use scraper::{Html, HtmlTreeSink, Node};
use url::Url;

use etl::extract::kind::{Kind, Role};
use etl::extract::tree::{self, Bounds, Id, Tree};

/// Pieces that pages are made of, the awkward ones above all. (Not `<pre>`: html5ever keeps the line feed after `<pre></>`,
/// which is white space all the same.)
const PIECES: [&str; 95] = [
    "<",
    ">",
    "/",
    "=",
    "\"",
    "'",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "-",
    "--",
    "!",
    "?",
    "x",
    "text ",
    "\u{e9}",
    "&amp;",
    "&lt",
    "&notit;",
    "&#0;",
    "&#x80;",
    "&#xD800",
    "&",
    "<p",
    "<p>",
    "</p>",
    "<div class=c>",
    "<DIV Hidden>",
    "<main>",
    "</main>",
    "<nav id='n'>",
    "</nav>",
    "<a href=\"u?a&amp;b=&copy=1\" title='t'>",
    "<a href=u/>",
    "</a",
    "</a>",
    "<b>",
    "</b>",
    "<br/>",
    "<br / >",
    "<img src=i alt='&eacute;'>",
    " hidden",
    " class=\"x\"",
    " style=display:none",
    " role=main",
    " role='&#109;ain'",
    "<article>",
    "</article>",
    "<header>",
    "<script>",
    "<script src=s>",
    "<script",
    "</script",
    "</script>",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<TITLE>",
    "<textarea>",
    "</textarea>",
    "<noscript>",
    "</noscript>",
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<!DOCTYPE html>",
    "<!doctype html public '>",
    "<?php ?>",
    "</>",
    "</ >",
    "<svg>",
    "<svg/>",
    "</svg>",
    "<math>",
    "<annotation-xml encoding=text/html>",
    "</math>",
    "<![CDATA[",
    "]]>",
    "<select>",
    "<option>",
    "<table><tr><td>",
    "</table>",
    "<input type=hidden>",
    "<template>",
    "</template>",
    "<meta name=description content='d &lt;'>",
    "<link rel=canonical href=c>",
    "<html lang=en class=x>",
    "<body role=main>",
    "<x-y>",
    "<font color=red>",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_that_of_scraper(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)) {
        let page = pieces.concat();
        let (ours, theirs) = trees(&page);
        prop_assert_eq!(ours, theirs, "{:?}", page);
    }
}

/// Pages of documentation that a machine may have: in each folder, every so-manieth is compared.
const FOLDERS: [(&str, usize); 5] = [
    ("/usr/share/doc/python3.11/html", 12),
    ("/usr/share/doc/apache2-doc/manual", 12),
    ("/usr/share/doc/sqlite3", 12),
    ("/usr/share/doc/nodejs/api", 8),
    ("/usr/share/doc/debian-handbook/html", 24),
];

#[test]
fn pages_of_people_have_the_tree_of_scraper_and_the_links_of_the_spider() {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/site");
    assert!(compare(&site, 1) > 0, "there are pages in {}", site.display());
    for (folder, every) in FOLDERS {
        if compare(Path::new(folder), every) == 0 {
            eprintln!(
                "not run: pages_of_people_have_the_tree_of_scraper_and_the_links_of_the_spider: no pages in {folder}"
            );
        }
    }
    let sysroot = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let documentation = Path::new(String::from_utf8(sysroot).unwrap().trim()).join("share/doc/rust/html");
    if compare(&documentation, 200) == 0 {
        eprintln!(
            "not run: pages_of_people_have_the_tree_of_scraper_and_the_links_of_the_spider: no Rust documentation"
        );
    }
}

/// Compares every so-manieth page of a folder; says how many.
fn compare(folder: &Path, every: usize) -> usize {
    let mut files = Vec::new();
    pages(folder, &mut files);
    files.sort();
    for file in files.iter().step_by(every) {
        let body = std::fs::read(file).unwrap();
        let url = Url::parse(&format!("http://example.org{}", file.to_string_lossy().replace(' ', "%20"))).unwrap();
        let (text, charset) = web::decode(&body, Some("text/html"));
        let (ours, theirs) = trees(&text);
        assert!(ours == theirs, "{}: {}", file.display(), difference(&ours, &theirs));
        let mut links = Some(web::Collector::new(&url, charset, true));
        tree::parse(&text, &Bounds::default(), &mut links).unwrap();
        let (ours, theirs) = (links.unwrap().finish(), web::extract(&body, Some("text/html"), &url, true));
        assert!(ours == theirs, "{}: {}", file.display(), difference(&format!("{ours:#?}"), &format!("{theirs:#?}")));
    }
    files.len().div_ceil(every)
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            pages(&path, found);
        } else if [".html", ".htm"].iter().any(|end| name.ends_with(end)) || name.contains(".html.") {
            found.push(path);
        }
    }
}

/// The first lines in which two texts differ.
fn difference(ours: &str, theirs: &str) -> String {
    let differs = ours.lines().zip(theirs.lines()).position(|(a, b)| a != b);
    let at = differs.unwrap_or_else(|| ours.lines().count().min(theirs.lines().count()));
    let lines = |text: &str| text.lines().skip(at.saturating_sub(2)).take(6).collect::<Vec<_>>().join("\n");
    format!("ours:\n{}\ntheirs:\n{}", lines(ours), lines(theirs))
}

/// Both trees of a page, each as text.
fn trees(page: &str) -> (String, String) {
    let ours = tree::parse(page, &Bounds::default(), &mut None).unwrap();
    let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let options = ParseOpts { tree_builder, ..ParseOpts::default() };
    let theirs = parse_document(HtmlTreeSink::new(Html::new_document()), options).one(page);
    (of_ours(&ours), of_scraper(theirs.tree.root()))
}

/// Gathers a tree as text: one line for each element and for each text that nothing but comments part.
#[derive(Default)]
struct Shown {
    out: String,
    depth: usize,
    text: String,
}

impl Shown {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn line(&mut self, line: &str) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.line(&format!("{text:?}"));
        }
        if !line.is_empty() {
            self.out.push_str(&format!("{}{line}\n", " ".repeat(self.depth)));
        }
    }

    fn element(&mut self, kind: Kind, attributes: impl Iterator<Item = (String, String)>) {
        let mut attributes: Vec<_> = attributes.collect();
        attributes.sort();
        self.line(&format!("{kind:?} {attributes:?}"));
        self.depth += 1;
    }

    fn leave(&mut self) {
        self.line("");
        self.depth -= 1;
    }
}

fn of_ours(tree: &Tree) -> String {
    let shown = std::cell::RefCell::new(Shown::default());
    let is_element = |id: Id| tree.element(id).is_some();
    tree.walk(
        Tree::ROOT,
        |id| {
            let mut shown = shown.borrow_mut();
            match (tree.element(id), tree.text(id)) {
                (Some(kind), _) => {
                    let attributes = tree.attributes(id).iter();
                    shown.element(kind, attributes.map(|a| (a.name.local.to_string(), a.value.to_string())));
                }
                (None, Some(text)) => shown.text(text),
                (None, None) => {}
            }
            true
        },
        |id| {
            if is_element(id) {
                shown.borrow_mut().leave();
            }
        },
    );
    let mut shown = shown.into_inner();
    shown.line("");
    shown.out
}

fn of_scraper(root: NodeRef<'_, Node>) -> String {
    let mut shown = Shown::default();
    for edge in root.traverse() {
        match edge {
            ego_tree::iter::Edge::Open(node) => match node.value() {
                Node::Text(text) => shown.text(text),
                Node::Element(element) => {
                    let name = element.name();
                    let kept = |name: &str, attribute: &str| match attribute {
                        "role" | "style" | "hidden" | "aria-hidden" => true,
                        "src" => name == "script",
                        "href" => matches!(name, "base" | "link"),
                        "rel" => name == "link",
                        "lang" | "xml:lang" => name == "html",
                        "name" | "content" | "property" | "http-equiv" => name == "meta",
                        _ => false,
                    };
                    let attributes: Vec<(String, String)> = element
                        .attrs()
                        .filter(|(attribute, _)| kept(name, attribute))
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect();
                    let mut kind = Kind::of(name);
                    if element.name.ns != ns!(html) && kind.role == Role::Title {
                        kind.role = Role::Other;
                    }
                    let seen = attributes.iter().map(|(name, value)| Attribute {
                        name: QualName::new(None, ns!(), name.as_str().into()),
                        value: value.as_str().into(),
                    });
                    kind.see(&seen.collect::<Vec<_>>());
                    shown.element(kind, attributes.into_iter().filter(|_| kind.is_read()));
                }
                _ => {}
            },
            ego_tree::iter::Edge::Close(node) => {
                if node.value().is_element() {
                    shown.leave();
                }
            }
        }
    }
    shown.line("");
    shown.out
}

/// Pieces of pages about whose links a parser with a tree and one without agree. (One without takes `<svg/>` for the beginning
/// of an SVG, for one.)
const LINKS: [&str; 43] = [
    "text ",
    "\n",
    "&amp; ",
    "\u{e9}",
    "<a href=u>",
    "<a href='v?a=1&amp;b=2' rel='x  y'>",
    "<A HREF=\"../w\">",
    "<a name=x>",
    "<a href=mailto:x>",
    "</a>",
    "</A >",
    "<b>",
    "</b>",
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<br>",
    "<ul><li>",
    "</ul>",
    "<img src=i.png alt='an &quot;image&quot;'>",
    "<img srcset='a 1x, b 2x' alt=>",
    "<source srcset=c>",
    "<area href=m alt=' map '>",
    "<link rel=stylesheet href=s.css>",
    "<form action=go>",
    "</form>",
    "<script src=s.js></script>",
    "<script>'<a href=no>'</script>",
    "<script><!-- <script> </script> --></script>",
    "<style><a href=no></style>",
    "<title>t &lt; u</title>",
    "<textarea>x</textarea>",
    "<iframe src=f></iframe>",
    "<noscript><a href=n>",
    "</noscript>",
    "<base href=/base/>",
    "<meta name=robots content=nofollow>",
    "<meta http-equiv=refresh content='0; url=r'>",
    "<template><a href=no>",
    "</template>",
    "<!-- <a href=no> -->",
    "<svg><a xlink:href=z></a></svg>",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn links_are_those_of_the_spider(pieces in proptest::collection::vec(proptest::sample::select(&LINKS[..]), 0..40)) {
        let page = pieces.concat();
        let url = Url::parse("http://example.org/dir/page").unwrap();
        let mut links = Some(web::Collector::new(&url, "utf-8", true));
        tree::parse(&page, &Bounds::default(), &mut links).unwrap();
        let theirs = web::extract(page.as_bytes(), Some("text/html; charset=utf-8"), &url, true);
        prop_assert_eq!(links.unwrap().finish(), theirs, "{:?}", page);
    }
}
