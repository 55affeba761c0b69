//! What the elements of a page add to its extraction.

use encoding_rs::Encoding;
use lol_html::html_content::Element;
use url::Url;

use crate::reference::Resolver;
use crate::{Extraction, Link, LinkKind, attribute};

/// Longest text of a link, in characters.
const MAX_ANCHOR: usize = 512;

/// How much raw text of a link is kept for its anchor, in bytes: enough for 512 characters, most of them escaped.
const MAX_RAW: usize = 8 * 1024;

/// Gathers links while the parser goes through a page.
pub(crate) struct Collector {
    resolver: Resolver,
    encoding: &'static Encoding,
    /// A `<base href>` was seen; later ones do not count.
    based: bool,
    anchors: bool,
    found: Extraction,
    open: Option<Open>,
}

/// A link whose text is being read.
struct Open {
    link: usize,
    text: String,
    alt: String,
}

impl Collector {
    pub(crate) fn new(base: &Url, encoding: &'static Encoding, anchors: bool) -> Collector {
        Collector {
            resolver: Resolver::in_encoding(base, encoding),
            encoding,
            based: false,
            anchors,
            found: Extraction::default(),
            open: None,
        }
    }

    /// The extraction at the end of the page.
    pub(crate) fn finish(mut self) -> Extraction {
        self.close();
        self.found
    }

    /// `<a>`: it ends the one before, since links do not nest.
    pub(crate) fn a(&mut self, element: &mut Element<'_, '_>) {
        self.close();
        let Some(href) = element.get_attribute("href") else { return };
        if self.add(LinkKind::A, &href, rel(element)) && self.anchors {
            self.open = Some(Open { link: self.found.links.len() - 1, text: String::new(), alt: String::new() });
        }
    }

    /// `<area>`: its text is its `alt`.
    pub(crate) fn area(&mut self, element: &mut Element<'_, '_>) {
        let Some(href) = element.get_attribute("href") else { return };
        if self.add(LinkKind::A, &href, rel(element)) && self.anchors {
            let alt = element.get_attribute("alt").unwrap_or_default();
            let anchor = attribute::text(&attribute::decoded(&alt), MAX_ANCHOR);
            if let Some(link) = self.found.links.last_mut() {
                link.anchor = anchor;
            }
        }
    }

    /// `<img>`: `src` and `srcset`; its `alt` stands for the text of a link around it.
    pub(crate) fn img(&mut self, element: &mut Element<'_, '_>) {
        if let Some(src) = element.get_attribute("src") {
            self.add(LinkKind::Img, &src, None);
        }
        self.source(element);
        if let Some(open) = self.open.as_mut().filter(|open| open.alt.len() < MAX_RAW)
            && let Some(alt) = element.get_attribute("alt")
        {
            open.alt.push_str(attribute::cut(&alt, MAX_RAW));
            open.alt.push(' ');
        }
    }

    /// `srcset` of `<img>` or `<source>`.
    pub(crate) fn source(&mut self, element: &mut Element<'_, '_>) {
        let Some(srcset) = element.get_attribute("srcset") else { return };
        let srcset = attribute::decoded(&srcset);
        for url in attribute::srcset(&srcset) {
            self.add_decoded(LinkKind::Img, url, None);
        }
    }

    pub(crate) fn script(&mut self, element: &mut Element<'_, '_>) {
        if let Some(src) = element.get_attribute("src") {
            self.add(LinkKind::Script, &src, None);
        }
    }

    pub(crate) fn frame(&mut self, element: &mut Element<'_, '_>) {
        if let Some(src) = element.get_attribute("src") {
            self.add(LinkKind::Iframe, &src, None);
        }
    }

    pub(crate) fn link(&mut self, element: &mut Element<'_, '_>) {
        if let Some(href) = element.get_attribute("href") {
            self.add(LinkKind::Link, &href, rel(element));
        }
    }

    pub(crate) fn form(&mut self, element: &mut Element<'_, '_>) {
        if let Some(action) = element.get_attribute("action").filter(|action| !action.is_empty()) {
            self.add(LinkKind::Form, &action, rel(element));
        }
    }

    /// `<meta name=robots>` and `<meta http-equiv=refresh>`.
    pub(crate) fn meta(&mut self, element: &mut Element<'_, '_>) {
        let named = |attribute: &str, name: &str| {
            element.get_attribute(attribute).is_some_and(|value| value.trim().eq_ignore_ascii_case(name))
        };
        if named("name", "robots") {
            let content = element.get_attribute("content").unwrap_or_default();
            for word in attribute::decoded(&content).split(|c: char| c == ',' || c.is_ascii_whitespace()) {
                let none = word.eq_ignore_ascii_case("none");
                self.found.nofollow |= none || word.eq_ignore_ascii_case("nofollow");
                self.found.noindex |= none || word.eq_ignore_ascii_case("noindex");
            }
        } else if named("http-equiv", "refresh") {
            let content = element.get_attribute("content").unwrap_or_default();
            if let Some(url) = attribute::refresh(&attribute::decoded(&content)) {
                self.add_decoded(LinkKind::Redirect, url, None);
            }
        }
    }

    /// The first `<base href>` holds for all that follows it.
    pub(crate) fn base(&mut self, element: &mut Element<'_, '_>) {
        if std::mem::replace(&mut self.based, true) {
            return;
        }
        let href = element.get_attribute("href").unwrap_or_default();
        if let Some(base) = self.resolver.rebase(&attribute::decoded(&href)) {
            self.resolver = Resolver::in_encoding(&base, self.encoding);
        }
    }

    /// Text within links, as it stands in the page.
    pub(crate) fn anchor_text(&mut self, text: &str) {
        if let Some(open) = &mut self.open
            && open.text.len() < MAX_RAW
        {
            open.text.push_str(attribute::cut(text, MAX_RAW));
        }
    }

    /// Ends the link whose text is being read.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let anchor = attribute::text(&htmlize::unescape(open.text), MAX_ANCHOR)
            .or_else(|| attribute::text(&attribute::decoded(&open.alt), MAX_ANCHOR));
        if let Some(link) = self.found.links.get_mut(open.link) {
            link.anchor = anchor;
        }
    }

    fn add(&mut self, kind: LinkKind, raw: &str, rel: Option<String>) -> bool {
        self.add_decoded(kind, &attribute::decoded(raw), rel)
    }

    fn add_decoded(&mut self, kind: LinkKind, reference: &str, rel: Option<String>) -> bool {
        let Ok(url) = self.resolver.resolve(reference) else { return false };
        self.found.links.push(Link { kind, url, rel, anchor: None });
        true
    }
}

fn rel(element: &Element<'_, '_>) -> Option<String> {
    let rel = element.get_attribute("rel")?;
    attribute::text(&attribute::decoded(&rel), MAX_ANCHOR)
}
