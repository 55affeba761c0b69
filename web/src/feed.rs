//! Links of a page that somebody else parses: who needs its elements for more than links goes through it once.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use encoding_rs::{Encoding, UTF_8};

use crate::collector::{Attributes, Full, Seen};
use crate::{Base, Extraction, collector};

/// Open elements that are searched one by one.
const NEAR: usize = 64;

/// Gathers the links of a page whose tags and texts it is given in order; what it finds is what [`extract`](crate::extract)
/// finds.
///
/// The tokens are those of a parser without scripting, to which the content of `<noscript>` is elements.
///
/// ```
/// struct Href(&'static str);
/// impl web::Attributes for Href {
///     fn value(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
///         (name == "href").then_some(self.0.into())
///     }
/// }
/// let base = "https://example.org/docs/".parse().unwrap();
/// let mut collector = web::Collector::new(&base, "utf-8", true);
/// collector.start("a", &Href("../about"), false);
/// collector.text("About &amp; more");
/// collector.end("a");
/// let page = collector.finish();
/// assert_eq!(page.links[0].url.as_str(), "https://example.org/about");
/// assert_eq!(page.links[0].anchor.as_deref(), Some("About & more"));
/// ```
#[derive(Debug)]
pub struct Collector {
    inner: collector::Collector,
    anchors: bool,
    /// Keys of the elements that are open: an end tag closes the last of its name and all in it.
    open: Vec<u64>,
    /// How many there are of each name beyond the first [`NEAR`], so that an end tag which closes nothing is not searched for
    /// through a million elements, again and again.
    far: HashMap<u64, usize>,
    /// How many of them are `<a>`.
    links: usize,
    /// Where in `open` the templates are that hide what is in them, each with the count that it raised.
    templates: Vec<(usize, Rc<Cell<usize>>)>,
    full: bool,
}

impl Collector {
    /// Begins a page in the encoding of that name, at an address. `anchors` asks for link texts.
    pub fn new(base: &Base, charset: &str, anchors: bool) -> Collector {
        let encoding = Encoding::for_label(charset.as_bytes()).unwrap_or(UTF_8);
        Collector {
            inner: collector::Collector::new(encoding, base, anchors),
            anchors,
            open: Vec::new(),
            far: HashMap::new(),
            links: 0,
            templates: Vec::new(),
            full: false,
        }
    }

    /// A start tag, its name in lower case. `closed` is a foreign element (of SVG or MathML) that ends with its start tag.
    pub fn start(&mut self, name: &str, attributes: &impl Attributes, closed: bool) {
        if self.full {
            return;
        }
        let key = key(name.as_bytes());
        if self.element(key, attributes, closed).is_err() {
            self.full = true;
        }
        if !closed && !is_void(key) && key != NOSCRIPT {
            self.links += usize::from(key == A);
            if self.open.len() >= NEAR {
                *self.far.entry(key).or_default() += 1;
            }
            self.open.push(key);
        }
    }

    /// An end tag, its name in lower case. That of a `<noscript>` closes nothing: a link that is open in it goes on behind it,
    /// as in browsers.
    pub fn end(&mut self, name: &str) {
        let key = key(name.as_bytes());
        let Some(place) = self.place(key) else { return };
        if self.links > 0 {
            self.links -= self.open[place..].iter().filter(|open| **open == A).count();
        }
        for closed in self.open.iter().skip(place.max(NEAR)) {
            if let Some(far) = self.far.get_mut(closed) {
                *far -= 1;
                if *far == 0 {
                    self.far.remove(closed);
                }
            }
        }
        self.open.truncate(place);
        while let Some((_, count)) = self.templates.pop_if(|(at, _)| *at >= place) {
            count.set(count.get().saturating_sub(1));
        }
    }

    /// Where the last open element of a name is.
    fn place(&self, key: u64) -> Option<usize> {
        let end = if self.far.contains_key(&key) { self.open.len() } else { self.open.len().min(NEAR) };
        self.open[..end].iter().rposition(|open| *open == key)
    }

    /// Text as it stands in the page, entities and all: that of elements, titles and text areas, not that of scripts, styles
    /// or CDATA sections. It may come in pieces.
    pub fn text(&mut self, text: &str) {
        if self.anchors && self.links > 0 && !self.full {
            self.inner.anchor_text(text);
        }
    }

    /// The extraction at the end of the page.
    pub fn finish(self) -> Extraction {
        self.inner.finish()
    }

    fn element(&mut self, key: u64, attributes: &impl Attributes, closed: bool) -> Result<(), Full> {
        let seen = match key {
            A => Seen::A,
            AREA => Seen::Area,
            IMG => Seen::Img,
            SOURCE => Seen::Source,
            SCRIPT => Seen::Script,
            IFRAME | FRAME => Seen::Frame,
            LINK => Seen::Link,
            FORM => Seen::Form,
            META => Seen::Meta,
            BASE if attributes.value("href").is_some() => Seen::Base,
            TEMPLATE if !closed => {
                let count = self.inner.template(attributes);
                self.templates.extend(count.map(|count| (self.open.len(), count)));
                return Ok(());
            }
            BR | P | DIV | LI | TR | TD | TH | DT | DD | H1 | H2 | H3 | H4 | H5 | H6 if self.links > 0 => Seen::Part,
            _ => return Ok(()),
        };
        if seen == Seen::Part && !self.anchors {
            return Ok(());
        }
        self.inner.element(seen, attributes)?;
        if seen == Seen::Img && self.links > 0 && self.anchors {
            self.inner.element(Seen::Alt, attributes)?;
        }
        Ok(())
    }
}

/// A number that stands for a name. Names of up to eight bytes have each their own; of longer ones two may share one, which
/// takes 2^31 names to happen.
const fn key(name: &[u8]) -> u64 {
    let mut key = 0;
    let mut i = 0;
    if name.len() > 8 {
        // FNV-1a
        key = 0xcbf2_9ce4_8422_2325;
        while i < name.len() {
            key = (key ^ name[i] as u64).wrapping_mul(0x0100_0000_01b3);
            i += 1;
        }
        return key | 1 << 63;
    }
    while i < name.len() {
        key = key << 8 | name[i] as u64;
        i += 1;
    }
    key
}

macro_rules! keys {
    ($($constant:ident $name:literal),* $(,)?) => { $(const $constant: u64 = key($name.as_bytes());)* };
}

keys! {
    A "a", AREA "area", IMG "img", SOURCE "source", SCRIPT "script", IFRAME "iframe", FRAME "frame", LINK "link", FORM "form",
    META "meta", BASE "base", TEMPLATE "template", NOSCRIPT "noscript", BR "br", P "p", DIV "div", LI "li", TR "tr", TD "td", TH "th", DT "dt",
    DD "dd", H1 "h1", H2 "h2", H3 "h3", H4 "h4", H5 "h5", H6 "h6", BASEFONT "basefont", BGSOUND "bgsound", COL "col",
    EMBED "embed", HR "hr", INPUT "input", KEYGEN "keygen", PARAM "param", TRACK "track", WBR "wbr",
}

/// An element without an end.
fn is_void(key: u64) -> bool {
    matches!(
        key,
        AREA | BASE
            | BASEFONT
            | BGSOUND
            | BR
            | COL
            | EMBED
            | HR
            | IMG
            | INPUT
            | KEYGEN
            | LINK
            | META
            | PARAM
            | SOURCE
            | TRACK
            | WBR
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    struct Href(String);
    impl Attributes for Href {
        fn value(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
            (name == "href" && !self.0.is_empty()).then_some(self.0.as_str().into())
        }
    }

    #[test]
    fn elements_close_however_deep_they_are() {
        for depth in [1, NEAR - 1, NEAR, NEAR + 1, 1_000_000] {
            let base = "https://example.org/".parse().unwrap();
            let mut collector = Collector::new(&base, "utf-8", true);
            let none = Href(String::new());
            for i in 0..depth {
                collector.start(if i == depth / 2 { "span" } else { "b" }, &none, false);
            }
            collector.start("a", &Href("/one".into()), false);
            collector.text("one");
            for _ in 0..depth {
                // closes nothing, and costs nothing
                collector.end("i");
            }
            collector.end("span");
            collector.text("not of the link");
            assert_eq!(collector.open.len(), depth / 2);
            assert_eq!(collector.far.values().sum::<usize>(), (depth / 2).saturating_sub(NEAR));
            collector.end("b");
            let page = collector.finish();
            assert_eq!(page.links[0].anchor.as_deref(), Some("one"), "depth {depth}");
        }
    }
}
