//! Links of an HTML page, by a streaming parser: the one extractor that spider and etl share.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use lol_html::errors::RewritingError;
use lol_html::html_content::{Element, TextChunk, TextType};
use lol_html::{ElementContentHandlers, HandlerResult, HtmlRewriter, MemorySettings, Selector, Settings};
use url::Url;

use crate::Canonical;
use crate::collector::{Attributes, Collector, Full, Seen};
use crate::page::Page;

/// Most memory that the parser may take for elements that are open and for attributes of one tag. Some 200,000 open
/// elements; a page beyond it has the links before that place.
const PARSER_MEMORY: usize = 32 << 20;

/// What kind of reference a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// `a`, `area`.
    A,
    /// `img` (src, srcset), `picture source`.
    Img,
    /// `script src`.
    Script,
    /// `iframe`, `frame`.
    Iframe,
    /// `link href`.
    Link,
    /// `form action`.
    Form,
    /// Redirect, by status or by meta refresh.
    Redirect,
}

impl LinkKind {
    /// Name in the `links` data set.
    pub fn name(self) -> &'static str {
        match self {
            LinkKind::A => "a",
            LinkKind::Img => "img",
            LinkKind::Script => "script",
            LinkKind::Iframe => "iframe",
            LinkKind::Link => "link",
            LinkKind::Form => "form",
            LinkKind::Redirect => "redirect",
        }
    }
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Kind.
    pub kind: LinkKind,
    /// Where it points; links that are not http(s) or do not parse are left out.
    pub url: Canonical,
    /// rel attribute.
    pub rel: Option<String>,
    /// Text of the link (white space folded, at most 512 characters), filled only when asked for.
    pub anchor: Option<String>,
}

/// Address of the page; `<base href>` changes what references are resolved against.
pub type Base = Url;

/// What is wanted of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extraction {
    /// Links in document order, duplicates included.
    pub links: Vec<Link>,
    /// `<meta name=robots content=nofollow>` (or none).
    pub nofollow: bool,
    /// `<meta name=robots content=noindex>` (or none).
    pub noindex: bool,
    /// The page has more than is taken: over 100,000 links, 32 MiB of URLs, or more open elements than the parser holds.
    pub truncated: bool,
}

/// Links of a page. `anchors` asks for link texts, which cost time, and changes nothing else. Never fails: what cannot be
/// parsed has no links.
///
/// The page is seen as by a browser without scripting: links in `<noscript>` count; those in comments, in the text of
/// scripts, styles, text areas, `<iframe>` and `<noframes>`, and in a `<template>` (but for shadow trees) do not. Taken are
/// `href` of `a` (`xlink:href` too), `area` and `link`, `src` of `img`, `script`, `iframe` and `frame`, `srcset` of `img`
/// and `source`, `action` of `form`, and the URL of a meta refresh. `<base href>` holds for what follows it. Queries are
/// escaped in the page's own encoding.
///
/// Elements without an end, damage and nesting of any depth are no obstacle; memory is bounded whatever the page
/// ([`Extraction::truncated`]).
///
/// ```
/// let base = "https://example.org/docs/".parse().unwrap();
/// let page = web::extract(b"<a href='../about?a=1&amp;b=2#team'>About <b>us</b></a>", None, &base, true);
/// assert_eq!(page.links[0].url.as_str(), "https://example.org/about?a=1&b=2");
/// assert_eq!(page.links[0].anchor.as_deref(), Some("About us"));
/// ```
pub fn extract(body: &[u8], content_type: Option<&str>, base: &Base, anchors: bool) -> Extraction {
    let mut page = Page::new(body, content_type);
    page.open_noscript(false);
    if let Some(extraction) = parse(&page, base, anchors) {
        return extraction;
    }
    page.open_noscript(true);
    parse(&page, base, anchors).unwrap_or_default()
}

/// Goes through the page once; `None` where it has a `<noscript>` that was not opened.
fn parse(page: &Page<'_>, base: &Base, anchors: bool) -> Option<Extraction> {
    let parsing =
        RefCell::new(Parsing { page, collector: Collector::new(page.original(), base, anchors), noscript: false });
    let ended = run(page.bytes(), settings(page, &parsing, anchors));
    let parsing = parsing.into_inner();
    let mut extraction = parsing.collector.finish();
    // what was found before an error counts
    extraction.truncated |= ended.is_err();
    (!parsing.noscript).then_some(extraction)
}

/// What the parser's handlers share.
struct Parsing<'p> {
    page: &'p Page<'p>,
    collector: Collector,
    /// The parser met a `<noscript>` whose content it takes for text.
    noscript: bool,
}

impl Parsing<'_> {
    fn element(&mut self, met: Met, element: &mut Element<'_, '_>) -> Result<(), Full> {
        match met {
            Met::Seen(seen) => self.collector.element(seen, &Of { page: self.page, element }),
            Met::Template => {
                // one that can have no content opens nothing
                if element.end_tag_handlers().is_some()
                    && let Some(open) = self.collector.template(&Of { page: self.page, element })
                    && let Some(handlers) = element.end_tag_handlers()
                {
                    handlers.push(Box::new(move |_| {
                        open.set(open.get().saturating_sub(1));
                        Ok(())
                    }));
                }
                Ok(())
            }
            // there is more on the page than the parser shows
            Met::Noscript => {
                self.noscript = true;
                Err(Full)
            }
        }
    }
}

/// An element, by what is done where the parser meets it.
#[derive(Debug, Clone, Copy)]
enum Met {
    Seen(Seen),
    Template,
    Noscript,
}

/// Attributes of an element on a page.
struct Of<'a, 'r, 't> {
    page: &'a Page<'a>,
    element: &'a Element<'r, 't>,
}

impl Attributes for Of<'_, '_, '_> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.page.attribute(self.element, name)
    }
}

fn run(bytes: &[u8], settings: Settings<'_, '_>) -> Result<(), RewritingError> {
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| ());
    // whole, so that nothing but the tail is copied and places in it are places in the page
    rewriter.write(bytes)?;
    rewriter.end()
}

/// What is looked at, parsed once.
static SELECTORS: LazyLock<Vec<(Selector, Met)>> = LazyLock::new(|| {
    parsed(&[
        ("a", Met::Seen(Seen::A)),
        ("area", Met::Seen(Seen::Area)),
        ("img", Met::Seen(Seen::Img)),
        ("source", Met::Seen(Seen::Source)),
        ("script", Met::Seen(Seen::Script)),
        ("iframe, frame", Met::Seen(Seen::Frame)),
        ("link", Met::Seen(Seen::Link)),
        ("form", Met::Seen(Seen::Form)),
        ("meta", Met::Seen(Seen::Meta)),
        ("base[href]", Met::Seen(Seen::Base)),
        ("template", Met::Template),
        ("noscript", Met::Noscript),
    ])
});

/// What is looked at besides for the texts of links.
static WITHIN_LINKS: LazyLock<Vec<(Selector, Met)>> = LazyLock::new(|| {
    let parts = "a br, a p, a div, a li, a tr, a td, a th, a dt, a dd, a h1, a h2, a h3, a h4, a h5, a h6";
    parsed(&[(parts, Met::Seen(Seen::Part)), ("a img", Met::Seen(Seen::Alt))])
});

/// Where the texts of links are.
static LINK_TEXT: LazyLock<Option<Selector>> = LazyLock::new(|| "a".parse().ok());

fn parsed(selectors: &[(&str, Met)]) -> Vec<(Selector, Met)> {
    // they are constants, and a test sees that each finds its elements
    selectors.iter().filter_map(|(selector, met)| Some((selector.parse().ok()?, *met))).collect()
}

fn settings<'c>(page: &Page<'_>, parsing: &'c RefCell<Parsing<'_>>, anchors: bool) -> Settings<'c, 'static> {
    let mut settings = Settings::new()
        .with_encoding(page.encoding())
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(PARSER_MEMORY))
        .with_strict(false)
        .with_adjust_charset_on_meta_tag(false);
    let within_links = if anchors { WITHIN_LINKS.as_slice() } else { &[] };
    for (selector, met) in SELECTORS.iter().chain(within_links) {
        let handler =
            move |element: &mut Element<'_, '_>| -> HandlerResult { Ok(parsing.borrow_mut().element(*met, element)?) };
        settings = settings.append_element_content_handler((
            Cow::Borrowed(selector),
            ElementContentHandlers::default().element(handler),
        ));
    }
    if let Some(selector) = LINK_TEXT.as_ref().filter(|_| anchors) {
        let handler = move |chunk: &mut TextChunk<'_>| -> HandlerResult {
            // not the text of a script or style
            if matches!(chunk.text_type(), TextType::Data | TextType::RCData) {
                parsing.borrow_mut().collector.anchor_text(chunk.as_str());
            }
            Ok(())
        };
        settings = settings
            .append_element_content_handler((Cow::Borrowed(selector), ElementContentHandlers::default().text(handler)));
    }
    settings
}
