//! What extraction costs: CPU microseconds a page, beside a bare loop over the same parser, on folders of HTML.
//!
//! `cargo bench --profile release --workspace --bench extract -- /usr/share/doc/python3.11/html /usr/share/doc/apache2-doc`
//!
//! The bare loop takes the attributes of the same elements, joins them to the page's URL and gathers the texts; it knows
//! no canonical form, character set, base, entities or limits. Passes alternate, the median of five is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may panic")]

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lol_html::{HtmlRewriter, Settings, element};
use rustix::time::{ClockId, clock_gettime};
use url::Url;

const PASSES: usize = 5;

/// Goes through a page; how many links it found.
type Way = fn(&Url, &[u8]) -> usize;

fn main() {
    let folders: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).map(PathBuf::from).collect();
    let mut pages = Vec::new();
    for folder in &folders {
        gather(folder, &mut pages);
    }
    if pages.is_empty() {
        println!("not run: no HTML in {folders:?}; name folders of HTML");
        return;
    }
    let bytes: usize = pages.iter().map(|(_, body)| body.len()).sum();
    println!("{} pages, {} KB a page", pages.len(), bytes / pages.len() / 1000);
    let ways: [(&str, Way); 5] = [
        ("bare loop", bare),
        ("extract", |base, body| web::extract(body, Some("text/html"), base, false).links.len()),
        ("extract with anchors", |base, body| web::extract(body, Some("text/html"), base, true).links.len()),
        ("sniff", |_, body| web::sniff(body, Some("text/html")).len()),
        ("parser only", parser_only),
    ];
    let mut times = vec![Vec::new(); ways.len()];
    let mut links = vec![0; ways.len()];
    for pass in 0..=PASSES {
        for (way, (_, run)) in ways.iter().enumerate() {
            let start = cpu();
            links[way] = pages.iter().map(|(base, body)| run(base, body)).sum();
            // the first pass warms up
            if pass > 0 {
                times[way].push(cpu() - start);
            }
        }
    }
    let median = |way: usize| {
        let mut times = times[way].clone();
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6 / pages.len() as f64
    };
    for (way, (name, _)) in ways.iter().enumerate() {
        let (micros, bare) = (median(way), median(0));
        println!("{name:>22}  {micros:8.1} us a page  {:5.2} x bare  {} links", micros / bare, links[way]);
    }
}

fn bare(base: &Url, body: &[u8]) -> usize {
    let found = RefCell::new(Vec::new());
    let take = |attribute: &'static str| {
        let found = &found;
        move |element: &mut lol_html::html_content::Element<'_, '_>| {
            if let Some(url) = element.get_attribute(attribute).and_then(|value| base.join(&value).ok()) {
                found.borrow_mut().push(String::from(url));
            }
            Ok(())
        }
    };
    let settings = Settings::new()
        .append_element_content_handler(element!("a[href], area[href], link[href]", take("href")))
        .append_element_content_handler(element!("img[src], script[src], iframe[src], frame[src]", take("src")))
        .append_element_content_handler(element!("form[action]", take("action")))
        .with_strict(false);
    run(settings, body);
    found.into_inner().len()
}

/// The parser alone: no attribute is joined.
fn parser_only(_base: &Url, body: &[u8]) -> usize {
    let found = Cell::new(0);
    let settings = Settings::new()
        .append_element_content_handler(element!("a[href], area[href], link[href]", |_| {
            found.set(found.get() + 1);
            Ok(())
        }))
        .append_element_content_handler(element!(
            "img[src], script[src], iframe[src], frame[src], form[action]",
            |_| {
                found.set(found.get() + 1);
                Ok(())
            }
        ))
        .with_strict(false);
    run(settings, body);
    found.get()
}

fn run(settings: Settings<'_, '_>, body: &[u8]) {
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| ());
    if rewriter.write(body).is_ok() {
        let _ = rewriter.end();
    }
}

fn gather(folder: &Path, pages: &mut Vec<(Url, Vec<u8>)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map_while(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            gather(&path, pages);
        } else if path.to_string_lossy().contains(".htm") {
            let base = Url::parse(&format!("http://127.0.0.1:8000{}", path.display())).unwrap();
            pages.push((base, std::fs::read(&path).unwrap_or_default()));
        }
    }
}

fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}
