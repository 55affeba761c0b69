//! The canonical URL: two spellings of one resource become one text. Idempotent.
//!
//! Rules are listed, with examples, on [`canonicalise`].

use url::Url;

/// A canonical URL with its host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical {
    url: String,
    host: std::ops::Range<usize>,
}

/// Why a text is not a URL that a spider fetches.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// It does not parse.
    #[error("not a URL: {0}")]
    Syntax(String),
    /// Scheme other than http and https.
    #[error("scheme `{0}` is not http or https")]
    Scheme(String),
    /// No host.
    #[error("the URL has no host")]
    NoHost,
    /// Longer than [`canonicalise`] allows.
    #[error("the URL has {0} bytes, over the limit of 2,048")]
    TooLong(usize),
}

impl Canonical {
    /// The URL's text.
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Host, with the port when it is not the scheme's default: `example.org`, `127.0.0.1:8000`, `[::1]:8080`.
    pub fn host(&self) -> &str {
        &self.url[self.host.clone()]
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.url
    }
}

/// Canonical form of an absolute URL.
pub fn canonicalise(_text: &str) -> Result<Canonical, Invalid> {
    todo!()
}

/// Canonical form of a reference on a page at `base`.
pub fn resolve(_base: &Url, _reference: &str) -> Result<Canonical, Invalid> {
    todo!()
}
