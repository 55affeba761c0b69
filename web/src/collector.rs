//! What the elements of a page add to its extraction.

use std::cell::Cell;
use std::rc::Rc;

use lol_html::html_content::Element;
use url::Url;

use crate::page::Page;
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

/// An element that is looked at, by what it is to a page.
#[derive(Debug, Clone, Copy)]
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
    Template,
    Noscript,
    /// It parts words within a link.
    Part,
    /// An image within a link.
    Alt,
}

/// Gathers links while the parser goes through a page.
pub(crate) struct Collector<'p> {
    page: &'p Page<'p>,
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
    /// The parser met a `<noscript>` whose content it takes for text.
    noscript: bool,
}

/// A link whose text is being read.
struct Open {
    link: usize,
    text: String,
    alt: String,
}

impl<'p> Collector<'p> {
    pub(crate) fn new(page: &'p Page<'p>, base: &Url, anchors: bool) -> Collector<'p> {
        Collector {
            page,
            resolver: Resolver::in_encoding(base, page.original()),
            based: false,
            anchors,
            found: Extraction::default(),
            text: 0,
            open: None,
            templates: Rc::default(),
            noscript: false,
        }
    }

    /// The extraction at the end of the page; `None` where a `<noscript>` must be opened first.
    pub(crate) fn finish(mut self) -> Option<Extraction> {
        self.close();
        (!self.noscript).then_some(self.found)
    }

    /// The parser met an element.
    pub(crate) fn element(&mut self, seen: Seen, element: &mut Element<'_, '_>) -> Result<(), Full> {
        match seen {
            Seen::A => self.a(element),
            Seen::Area => self.area(element),
            Seen::Img => self.img(element),
            Seen::Source => self.source(element),
            Seen::Script => self.src(LinkKind::Script, element),
            Seen::Frame => self.src(LinkKind::Iframe, element),
            Seen::Link => self.link(element),
            Seen::Form => self.form(element),
            Seen::Meta => self.meta(element),
            Seen::Base => self.base(element),
            Seen::Template => self.template(element),
            Seen::Noscript => self.noscript(),
            Seen::Part => self.part(),
            Seen::Alt => self.alt(element),
        }
    }

    /// `<a>`: it ends the one before, since links do not nest. In SVG it may have its address in `xlink:href`.
    fn a(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        self.close();
        let href = self.page.attribute(element, "href").or_else(|| self.page.attribute(element, "xlink:href"));
        if self.add(LinkKind::A, href.as_deref(), Some(element))? && self.anchors {
            self.open = Some(Open { link: self.found.links.len() - 1, text: String::new(), alt: String::new() });
        }
        Ok(())
    }

    /// `<area>`: its text is its `alt`.
    fn area(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        let href = self.page.attribute(element, "href");
        if self.add(LinkKind::A, href.as_deref(), Some(element))? && self.anchors {
            let alt = self.page.attribute(element, "alt").unwrap_or_default();
            if let Some(link) = self.found.links.last_mut() {
                link.anchor = attribute::text(&alt, MAX_CHARS);
            }
        }
        Ok(())
    }

    /// `<img>`: `src` and `srcset`.
    fn img(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        let src = self.page.attribute(element, "src");
        self.add(LinkKind::Img, src.as_deref(), None)?;
        self.source(element)
    }

    /// `srcset` of `<img>` or of a picture's `<source>`.
    fn source(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        let srcset = self.page.attribute(element, "srcset").unwrap_or_default();
        for url in attribute::srcset(&srcset) {
            self.add(LinkKind::Img, Some(url), None)?;
        }
        Ok(())
    }

    fn src(&mut self, kind: LinkKind, element: &Element<'_, '_>) -> Result<(), Full> {
        let src = self.page.attribute(element, "src");
        self.add(kind, src.as_deref(), None).map(|_| ())
    }

    fn link(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        let href = self.page.attribute(element, "href");
        self.add(LinkKind::Link, href.as_deref(), Some(element)).map(|_| ())
    }

    /// `<form>`: one without an action, or an empty one, sends to its own page and is no link.
    fn form(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        let action = self.page.attribute(element, "action").filter(|action| !action.is_empty());
        self.add(LinkKind::Form, action.as_deref(), Some(element)).map(|_| ())
    }

    /// `<meta name=robots>` and `<meta http-equiv=refresh>`.
    fn meta(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        if self.templates.get() > 0 {
            return Ok(());
        }
        let page = self.page;
        let is = |name: &str, expected: &str| {
            page.attribute(element, name).is_some_and(|value| value.trim().eq_ignore_ascii_case(expected))
        };
        let content = || page.attribute(element, "content").unwrap_or_default();
        if is("name", "robots") {
            for word in content().split(|c: char| c == ',' || c.is_ascii_whitespace()) {
                let none = word.eq_ignore_ascii_case("none");
                self.found.nofollow |= none || word.eq_ignore_ascii_case("nofollow");
                self.found.noindex |= none || word.eq_ignore_ascii_case("noindex");
            }
        } else if is("http-equiv", "refresh") {
            self.add(LinkKind::Redirect, attribute::refresh(&content()), None)?;
        }
        Ok(())
    }

    /// The first `<base href>` holds for all that follows it; one that is no http URL changes nothing.
    fn base(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        if self.templates.get() == 0 && !std::mem::replace(&mut self.based, true) {
            let href = self.page.attribute(element, "href").unwrap_or_default();
            if let Some(base) = self.resolver.rebase(&href) {
                self.resolver = Resolver::in_encoding(&base, self.page.original());
            }
        }
        Ok(())
    }

    /// `<template>`: what is in it is no part of the page until a script makes it one, unless it is a shadow tree.
    fn template(&mut self, element: &mut Element<'_, '_>) -> Result<(), Full> {
        let shadow = self.page.attribute(element, "shadowrootmode");
        if shadow.is_some_and(|mode| mode.eq_ignore_ascii_case("open") || mode.eq_ignore_ascii_case("closed")) {
            return Ok(());
        }
        let templates = Rc::clone(&self.templates);
        if let Some(handlers) = element.end_tag_handlers() {
            self.templates.set(self.templates.get() + 1);
            handlers.push(Box::new(move |_| {
                templates.set(templates.get().saturating_sub(1));
                Ok(())
            }));
        }
        Ok(())
    }

    /// `<noscript>` that was not opened: there is more on the page than the parser shows.
    fn noscript(&mut self) -> Result<(), Full> {
        self.noscript = true;
        Err(Full)
    }

    /// `alt` of an image within a link stands for the link's text.
    fn alt(&mut self, element: &Element<'_, '_>) -> Result<(), Full> {
        if let Some(open) = self.open.as_mut().filter(|open| open.alt.len() < MAX_RAW)
            && let Some(alt) = self.page.attribute(element, "alt")
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

    /// Takes a link, with the `rel` of its element; says whether it is one.
    fn add(
        &mut self,
        kind: LinkKind,
        reference: Option<&str>,
        with_rel: Option<&Element<'_, '_>>,
    ) -> Result<bool, Full> {
        if self.templates.get() > 0 {
            return Ok(false);
        }
        let Some(Ok(url)) = reference.map(|reference| self.resolver.resolve(reference)) else { return Ok(false) };
        let rel = with_rel.and_then(|element| self.page.attribute(element, "rel"));
        let rel = rel.and_then(|rel| attribute::text(&rel, MAX_CHARS));
        self.push(kind, url, rel).map(|()| true)
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
