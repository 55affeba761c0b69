//! Links of an HTML page, by a streaming parser: the one extractor that spider and etl share.

use url::Url;

use crate::Canonical;

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
pub fn extract(_body: &[u8], _content_type: Option<&str>, _base: &Base, _anchors: bool) -> Extraction {
    todo!()
}
