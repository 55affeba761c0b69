//! What the elements of a page add to its extraction, whichever parser meets them.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use encoding_rs::Encoding;
use url::Url;

use crate::reference::Resolver;
use crate::{Canonical, Extraction, Link, LinkKind, attribute};

/// Most links that are taken from a page. Pages of people have some hundreds, indexes of documentation some ten thousand.
pub(crate) const MAX_LINKS: usize = 100_000;

/// Most text that the links of a page may have together, in bytes: a base of 2 KB makes 2 KB of every `href=a`.
pub(crate) const MAX_TEXT: usize = 32 << 20;

/// Longest text of a link and longest `rel`, in characters.
const MAX_CHARS: usize = 512;

/// How much raw text of a link is kept for its anchor, in bytes: enough for 512 characters, most of them escaped.
const MAX_RAW: usize = 8 * 1024;

/// The extraction is as large as it may be.
#[derive(Debug, thiserror::Error)]
#[error("the page has more links than are taken")]
pub(crate) struct Full;

/// Attributes of a start tag, by name.
pub trait Attributes {
    /// The attribute's value, entities decoded; of several with the name, the first. The name is in lower case.
    fn value(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// An element that is looked at, by what it is to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    A,
    Area,
    Img,
    Source,
    Script,
    Frame,
    Link,
    Form,
    Meta,
    Base,
    /// It parts words within a link.
    Part,
    /// An image within a link.
    Alt,
}

/// Gathers links while the parser goes through a page.
#[derive(Debug)]
pub(crate) struct Collector {
    /// The encoding that the page came in: browsers escape the queries of its links in it.
    encoding: &'static Encoding,
    resolver: Resolver,
    /// A `<base href>` was seen; later ones do not count.
    based: bool,
    anchors: bool,
    found: Extraction,
    /// Size of all that was found, in bytes.
    text: usize,
    open: Option<Open>,
    /// How many templates are open; what stands in one is not part of the page.
    templates: Rc<Cell<usize>>,
}

/// A link whose text is being read.
#[derive(Debug)]
struct Open {
    link: usize,
    text: String,
    alt: String,
}

impl Collector {
    pub(crate) fn new(encoding: &'static Encoding, base: &Url, anchors: bool) -> Collector {
        Collector {
            encoding,
            resolver: Resolver::in_encoding(base, encoding),
            based: false,
            anchors,
            found: Extraction::default(),
            text: 0,
            open: None,
            templates: Rc::default(),
        }
    }

    /// The extraction at the end of the page.
    pub(crate) fn finish(mut self) -> Extraction {
        self.close();
        self.found
    }

    /// The parser met an element.
    pub(crate) fn element(&mut self, seen: Seen, attributes: &impl Attributes) -> Result<(), Full> {
        match seen {
            Seen::A => self.a(attributes),
            Seen::Area => self.area(attributes),
            Seen::Img => self.img(attributes),
            Seen::Source => self.source(attributes),
            Seen::Script => self.src(LinkKind::Script, attributes),
            Seen::Frame => self.src(LinkKind::Iframe, attributes),
            Seen::Link => self.link(attributes),
            Seen::Form => self.form(attributes),
            Seen::Meta => self.meta(attributes),
            Seen::Base => self.base(attributes),
            Seen::Part => self.part(),
            Seen::Alt => self.alt(attributes),
        }
    }

    /// `<a>`: it ends the one before, since links do not nest. In SVG it may have its address in `xlink:href`.
    fn a(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        self.close();
        let href = attributes.value("href").or_else(|| attributes.value("xlink:href"));
        if self.add(LinkKind::A, href.as_deref(), || rel(attributes))? && self.anchors {
            self.open = Some(Open { link: self.found.links.len() - 1, text: String::new(), alt: String::new() });
        }
        Ok(())
    }

    /// `<area>`: its text is its `alt`.
    fn area(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        let href = attributes.value("href");
        if self.add(LinkKind::A, href.as_deref(), || rel(attributes))? && self.anchors {
            let alt = attributes.value("alt").unwrap_or_default();
            if let Some(link) = self.found.links.last_mut() {
                link.anchor = attribute::text(&alt, MAX_CHARS);
            }
        }
        Ok(())
    }

    /// `<img>`: `src` and `srcset`.
    fn img(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        let src = attributes.value("src");
        self.add(LinkKind::Img, src.as_deref(), none)?;
        self.source(attributes)
    }

    /// `srcset` of `<img>` or of a picture's `<source>`.
    fn source(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        let srcset = attributes.value("srcset").unwrap_or_default();
        for url in attribute::srcset(&srcset) {
            self.add(LinkKind::Img, Some(url), none)?;
        }
        Ok(())
    }

    fn src(&mut self, kind: LinkKind, attributes: &impl Attributes) -> Result<(), Full> {
        let src = attributes.value("src");
        self.add(kind, src.as_deref(), none).map(|_| ())
    }

    fn link(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        let href = attributes.value("href");
        self.add(LinkKind::Link, href.as_deref(), || rel(attributes)).map(|_| ())
    }

    /// `<form>`: one without an action, or an empty one, sends to its own page and is no link.
    fn form(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        let action = attributes.value("action").filter(|action| !action.is_empty());
        self.add(LinkKind::Form, action.as_deref(), || rel(attributes)).map(|_| ())
    }

    /// `<meta name=robots>` and `<meta http-equiv=refresh>`.
    fn meta(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        if self.templates.get() > 0 {
            return Ok(());
        }
        let is = |name: &str, expected: &str| {
            attributes.value(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(expected))
        };
        let content = || attributes.value("content").unwrap_or_default();
        if is("name", "robots") {
            for word in content().split(|c: char| c == ',' || c.is_ascii_whitespace()) {
                let none = word.eq_ignore_ascii_case("none");
                self.found.nofollow |= none || word.eq_ignore_ascii_case("nofollow");
                self.found.noindex |= none || word.eq_ignore_ascii_case("noindex");
            }
        } else if is("http-equiv", "refresh") {
            self.add(LinkKind::Redirect, attribute::refresh(&content()), none)?;
        }
        Ok(())
    }

    /// The first `<base href>` holds for all that follows it; one that is no http URL changes nothing.
    fn base(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        if self.templates.get() == 0 && !std::mem::replace(&mut self.based, true) {
            let href = attributes.value("href").unwrap_or_default();
            if let Some(base) = self.resolver.rebase(&href) {
                self.resolver = Resolver::in_encoding(&base, self.encoding);
            }
        }
        Ok(())
    }

    /// `<template>`: what is in it is no part of the page until a script makes it one, unless it is a shadow tree. For one
    /// that opens, gives the count of those that are open, to be lowered at its end.
    pub(crate) fn template(&mut self, attributes: &impl Attributes) -> Option<Rc<Cell<usize>>> {
        let shadow = attributes.value("shadowrootmode");
        if shadow.is_some_and(|mode| mode.eq_ignore_ascii_case("open") || mode.eq_ignore_ascii_case("closed")) {
            return None;
        }
        self.templates.set(self.templates.get() + 1);
        Some(Rc::clone(&self.templates))
    }

    /// `alt` of an image within a link stands for the link's text.
    fn alt(&mut self, attributes: &impl Attributes) -> Result<(), Full> {
        if let Some(open) = self.open.as_mut().filter(|open| open.alt.len() < MAX_RAW)
            && let Some(alt) = attributes.value("alt")
        {
            open.alt.push_str(attribute::cut(&alt, MAX_RAW));
            open.alt.push(' ');
        }
        Ok(())
    }

    /// An element within a link that parts words.
    fn part(&mut self) -> Result<(), Full> {
        self.anchor_text(" ");
        Ok(())
    }

    /// Text within links, as it stands in the page.
    pub(crate) fn anchor_text(&mut self, text: &str) {
        if let Some(open) = self.open.as_mut().filter(|open| open.text.len() < MAX_RAW) {
            open.text.push_str(attribute::cut(text, MAX_RAW));
        }
    }

    /// Ends the link whose text is being read.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let anchor = attribute::text(&htmlize::unescape(open.text), MAX_CHARS);
        if let Some(link) = self.found.links.get_mut(open.link) {
            link.anchor = anchor.or_else(|| attribute::text(&open.alt, MAX_CHARS));
        }
    }

    /// Takes a link, with the `rel` of its element, which is asked for when it is one; says whether it is one.
    fn add(
        &mut self,
        kind: LinkKind,
        reference: Option<&str>,
        rel: impl FnOnce() -> Option<String>,
    ) -> Result<bool, Full> {
        if self.templates.get() > 0 {
            return Ok(false);
        }
        let Some(Ok(url)) = reference.map(|reference| self.resolver.resolve(reference)) else { return Ok(false) };
        self.push(kind, url, rel()).map(|()| true)
    }

    fn push(&mut self, kind: LinkKind, url: Canonical, rel: Option<String>) -> Result<(), Full> {
        let text = self.text + url.as_str().len() + rel.as_ref().map_or(0, String::len);
        if self.found.links.len() >= MAX_LINKS || text > MAX_TEXT {
            self.found.truncated = true;
            return Err(Full);
        }
        self.text = text;
        self.found.links.push(Link { kind, url, rel, anchor: None });
        Ok(())
    }
}

/// The `rel` of an element.
fn rel(attributes: &impl Attributes) -> Option<String> {
    attribute::text(&attributes.value("rel")?, MAX_CHARS)
}

/// For links whose elements have no `rel`.
fn none() -> Option<String> {
    None
}
