//! Links of an HTML page, by a streaming parser: the one extractor that spider and etl share.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use lol_html::html_content::{Element, TextChunk, TextType};
use lol_html::{AsciiCompatibleEncoding, ElementContentHandlers, HandlerResult, HtmlRewriter, Selector, Settings};
use url::Url;

use crate::collector::Collector;
use crate::{Canonical, charset};

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

/// What is wanted besides the links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extraction {
    /// Links in document order, duplicates included.
    pub links: Vec<Link>,
    /// `<meta name=robots content=nofollow>` (or none).
    pub nofollow: bool,
    /// `<meta name=robots content=noindex>` (or none).
    pub noindex: bool,
}

/// Links of a page. `anchors` asks for link texts, which cost time. Never fails: what cannot be parsed has no links.
pub fn extract(body: &[u8], content_type: Option<&str>, base: &Base, anchors: bool) -> Extraction {
    let encoding = charset::encoding(body, content_type);
    let (text, encoding) = match AsciiCompatibleEncoding::new(encoding) {
        Some(parsed) => (Cow::Borrowed(body), parsed),
        None => match encoding.decode_with_bom_removal(body).0 {
            Cow::Borrowed(text) => (Cow::Borrowed(text.as_bytes()), AsciiCompatibleEncoding::utf_8()),
            Cow::Owned(text) => (Cow::Owned(text.into_bytes()), AsciiCompatibleEncoding::utf_8()),
        },
    };
    let collector = RefCell::new(Collector::new(base, encoding.into(), anchors));
    // an error ends the parsing; what was found before it counts
    let _ = run(&text, settings(&collector, encoding, anchors));
    collector.into_inner().finish()
}

fn run(text: &[u8], settings: Settings<'_, '_>) -> Result<(), lol_html::errors::RewritingError> {
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| ());
    rewriter.write(text)?;
    rewriter.end()
}

type Handle = fn(&mut Collector, &mut Element<'_, '_>);

/// What is looked at, parsed once.
static SELECTORS: LazyLock<Vec<(Selector, Handle)>> = LazyLock::new(|| {
    let handles: [(&str, Handle); 10] = [
        ("a", Collector::a),
        ("area", Collector::area),
        ("img", Collector::img),
        ("source", Collector::source),
        ("script[src]", Collector::script),
        ("iframe[src], frame[src]", Collector::frame),
        ("link[href]", Collector::link),
        ("form[action]", Collector::form),
        ("meta", Collector::meta),
        ("base[href]", Collector::base),
    ];
    handles.into_iter().filter_map(|(selector, handle)| Some((selector.parse().ok()?, handle))).collect()
});

/// Where the text of links is: elements that part words, and the links themselves.
static TEXTS: LazyLock<Option<[Selector; 2]>> = LazyLock::new(|| {
    let breaks = "a br, a p, a div, a li, a tr, a td, a th, a dt, a dd, a h1, a h2, a h3, a h4, a h5, a h6";
    Some([breaks.parse().ok()?, "a".parse().ok()?])
});

fn settings<'c>(
    collector: &'c RefCell<Collector>,
    encoding: AsciiCompatibleEncoding,
    anchors: bool,
) -> Settings<'c, 'static> {
    let mut settings =
        Settings::new().with_encoding(encoding).with_strict(false).with_adjust_charset_on_meta_tag(false);
    for (selector, handle) in SELECTORS.iter() {
        let handler = move |element: &mut Element<'_, '_>| -> HandlerResult {
            handle(&mut collector.borrow_mut(), element);
            Ok(())
        };
        settings = settings.append_element_content_handler((
            Cow::Borrowed(selector),
            ElementContentHandlers::default().element(handler),
        ));
    }
    if let Some([breaks, link]) = TEXTS.as_ref().filter(|_| anchors) {
        let part = move |_: &mut Element<'_, '_>| -> HandlerResult {
            collector.borrow_mut().anchor_text(" ");
            Ok(())
        };
        let text = move |chunk: &mut TextChunk<'_>| -> HandlerResult {
            if matches!(chunk.text_type(), TextType::Data | TextType::RCData) {
                collector.borrow_mut().anchor_text(chunk.as_str());
            }
            Ok(())
        };
        settings = settings
            .append_element_content_handler((Cow::Borrowed(breaks), ElementContentHandlers::default().element(part)))
            .append_element_content_handler((Cow::Borrowed(link), ElementContentHandlers::default().text(text)));
    }
    settings
}
