//! Against another parser: on pages of people, the links are those that html5ever's tree has, without scripting.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use html5ever::driver::{ParseOpts, parse_document};
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use scraper::{ElementRef, Html, HtmlTreeSink};
use url::Url;
use web::{LinkKind, decode, extract, resolve};

/// Trees of documentation that a machine may have, and how many pages of each are compared.
const TREES: [(&str, usize); 5] = [
    ("/usr/share/doc/python3.11/html", 40),
    ("/usr/share/doc/apache2-doc/manual", 200),
    ("/usr/share/doc/sqlite3", 100),
    ("/usr/share/doc/nodejs/api", 20),
    ("/usr/share/doc/debian-handbook/html", 100),
];

#[test]
fn the_small_site_has_the_links_that_another_parser_finds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/site");
    assert!(compare(&folder, 1000) > 0, "there are pages in {}", folder.display());
}

#[test]
fn pages_of_documentation_have_the_links_that_another_parser_finds() {
    for (folder, most) in TREES {
        if compare(Path::new(folder), most) == 0 {
            eprintln!("not run: pages_of_documentation_have_the_links_that_another_parser_finds: no {folder}");
        }
    }
}

/// Compares pages spread over a folder; says how many.
fn compare(folder: &Path, most: usize) -> usize {
    let mut files = Vec::new();
    pages(folder, &mut files);
    files.sort();
    let step = files.len().div_ceil(most).max(1);
    let mut compared = 0;
    for file in files.iter().step_by(step) {
        let body = std::fs::read(file).unwrap();
        let base = Url::parse(&format!("http://example.org{}", file.to_string_lossy())).unwrap();
        let links = extract(&body, Some("text/html"), &base, false).links;
        let ours: BTreeSet<_> = links.into_iter().map(|link| (link.kind, link.url.into_string())).collect();
        let theirs = peer(&body, &base);
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let extra: Vec<_> = ours.difference(&theirs).collect();
        assert!(missing.is_empty() && extra.is_empty(), "{}: missing {missing:?}, extra {extra:?}", file.display());
        compared += 1;
    }
    compared
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            pages(&path, found);
        } else if [".html", ".htm"].iter().any(|end| name.ends_with(end)) || name.contains(".html.") {
            found.push(path);
        }
    }
}

/// Links of a page by html5ever's tree.
fn peer(body: &[u8], base: &Url) -> BTreeSet<(LinkKind, String)> {
    let tree_builder = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let sink = HtmlTreeSink::new(Html::new_document());
    let text = decode(body, Some("text/html")).0.into_owned();
    let html = parse_document(sink, ParseOpts { tree_builder, ..ParseOpts::default() }).one(text);
    let mut base = base.clone();
    let mut found = BTreeSet::new();
    let (mut seen_base, mut add) = (false, |kind, base: &Url, reference: Option<&str>| {
        if let Some(Ok(url)) = reference.map(|reference| resolve(base, reference)) {
            found.insert((kind, url.into_string()));
        }
    });
    for element in html.tree.nodes().filter_map(ElementRef::wrap) {
        let inert = element.ancestors().filter_map(ElementRef::wrap).any(|one| one.value().name() == "template");
        if inert {
            continue;
        }
        let attribute = |name: &str| element.value().attr(name);
        match element.value().name() {
            "base" if !seen_base && attribute("href").is_some() => {
                seen_base = true;
                base = base.join(attribute("href").unwrap()).unwrap_or(base);
            }
            "a" | "area" => add(LinkKind::A, &base, attribute("href")),
            "img" => {
                add(LinkKind::Img, &base, attribute("src"));
                for candidate in attribute("srcset").unwrap_or_default().split(',') {
                    add(LinkKind::Img, &base, candidate.split_ascii_whitespace().next());
                }
            }
            "script" => add(LinkKind::Script, &base, attribute("src")),
            "iframe" | "frame" => add(LinkKind::Iframe, &base, attribute("src")),
            "link" => add(LinkKind::Link, &base, attribute("href")),
            "form" => add(LinkKind::Form, &base, attribute("action").filter(|action| !action.is_empty())),
            "meta" if attribute("http-equiv").is_some_and(|name| name.eq_ignore_ascii_case("refresh")) => {
                let content = attribute("content").unwrap_or_default();
                // after the time, with or without `url=`
                let url = content.split_once(';').map(|(_, url)| url.split_once('=').map_or(url, |(_, url)| url));
                let url = url.map(|url| url.trim_matches(['"', '\'', ' ']));
                add(LinkKind::Redirect, &base, url);
            }
            _ => {}
        }
    }
    found
}
