//! The canonical URL: two spellings of one resource become one text. Idempotent.
//!
//! Rules are listed, with examples, on [`canonicalise`].

use std::ops::Range;

use url::Url;

use crate::escapes;
use crate::reference::Resolver;

/// Longest canonical URL, in bytes; Kafka keys, index files and most servers are at ease below it.
pub(crate) const MAX_BYTES: usize = 2_048;

/// Longest text that is looked at. A canonical URL may be shorter than what was written (fragment, dot segments, tabs),
/// but a text beyond this is refused unread, so that a page of 15 MB cannot make one URL of 15 MB.
pub(crate) const MAX_INPUT_BYTES: usize = 16 * 1024;

/// Longest host name, in bytes (RFC 1035, section 2.3.4, without the root's dot).
pub(crate) const MAX_HOST_BYTES: usize = 253;

/// A canonical URL with its host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical {
    url: String,
    /// Where the host stands in the text; 16 bits hold [`MAX_BYTES`].
    host: (u16, u16),
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
        &self.url[self.host_range()]
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.url
    }

    /// Path with the query: `/a/b?c`.
    pub fn path_and_query(&self) -> &str {
        &self.url[self.host_range().end..]
    }

    /// Where the host stands in the text.
    pub(crate) fn host_range(&self) -> Range<usize> {
        usize::from(self.host.0)..usize::from(self.host.1)
    }

    /// A text that is canonical already, with its host's place.
    pub(crate) fn new(url: String, host: Range<usize>) -> Result<Canonical, Invalid> {
        if url.len() > MAX_BYTES {
            return Err(Invalid::TooLong(url.len()));
        }
        // both ends lie within the text, whose length was just found to fit
        let place = |end: usize| u16::try_from(end).unwrap_or(u16::MAX);
        Ok(Canonical { url, host: (place(host.start), place(host.end)) })
    }

    /// Canonical form of a parsed URL.
    pub(crate) fn from_url(url: Url) -> Result<Canonical, Invalid> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(scheme(url.scheme()));
        }
        let name = url.host_str().ok_or(Invalid::NoHost)?;
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.is_empty() {
            return Err(Invalid::NoHost);
        }
        if name.len() > MAX_HOST_BYTES || name.split('.').any(str::is_empty) {
            return Err(Invalid::Syntax("the host is not a name that DNS can hold".into()));
        }
        let mut text = String::with_capacity(url.as_str().len());
        text.push_str(url.scheme());
        text.push_str("://");
        let start = text.len();
        text.push_str(name);
        if let Some(port) = url.port() {
            text.push(':');
            text.push_str(&port.to_string());
        }
        let host = start..text.len();
        escapes::normalise(url.path(), &mut text);
        if let Some(query) = url.query().filter(|query| !query.is_empty()) {
            text.push('?');
            escapes::normalise(query, &mut text);
        }
        Canonical::new(text, host)
    }
}

impl AsRef<str> for Canonical {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::fmt::Display for Canonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scheme in an error, cut: it may be as long as a page.
pub(crate) fn scheme(name: &str) -> Invalid {
    Invalid::Scheme(name.chars().take(32).collect::<String>().to_ascii_lowercase())
}

/// Canonical form of an absolute URL.
///
/// The text is parsed as a browser does (WHATWG URL Standard: white space around it and tabs and line ends within it are
/// dropped, `\` is `/`, what must be escaped is), and then:
///
/// | rule | written | canonical |
/// |---|---|---|
/// | scheme is http or https, in lower case | `HTTP://example.org/` | `http://example.org/` |
/// | host in lower case, in ASCII (IDNA) | `http://Bücher.example/` | `http://xn--bcher-kva.example/` |
/// | IPv4 addresses are dotted | `http://0x7f.1/` | `http://127.0.0.1/` |
/// | the root's dot after the host is dropped | `http://example.org./` | `http://example.org/` |
/// | the scheme's own port is dropped | `https://example.org:443/` | `https://example.org/` |
/// | user and password are dropped | `http://me:pw@example.org/` | `http://example.org/` |
/// | an empty path is `/` | `http://example.org?q` | `http://example.org/?q` |
/// | dot segments are resolved | `http://example.org/a/../b/./c` | `http://example.org/b/c` |
/// | escapes have upper-case digits (RFC 3986, 6.2.2.1) | `http://example.org/%c3%a9` | `http://example.org/%C3%A9` |
/// | unreserved characters are not escaped (RFC 3986, 6.2.2.2) | `http://example.org/%7Eme` | `http://example.org/~me` |
/// | the fragment is dropped | `http://example.org/a#b` | `http://example.org/a` |
/// | an empty query is dropped | `http://example.org/a?` | `http://example.org/a` |
///
/// What may matter to a server stays as it is: the order of parameters, parameters that look like tracking or sessions
/// (`utm_source`, `PHPSESSID`), empty parameters, repeated slashes, a trailing slash, `index.html`, the letter case of
/// path and query, `www.`, and http beside https. A `%` that begins no escape stays too, and an escape is not decoded
/// where its character would complete such a `%` to an escape. The result has at most 2,048 bytes; a text of more than
/// 16 KiB is not looked at.
///
/// The function is idempotent: a canonical URL is its own canonical form.
///
/// # Errors
///
/// [`Invalid`] says why a text has no canonical form.
pub fn canonicalise(text: &str) -> Result<Canonical, Invalid> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(Invalid::TooLong(text.len()));
    }
    Canonical::from_url(Url::parse(text).map_err(|error| Invalid::Syntax(error.to_string()))?)
}

/// Canonical form of a reference on a page at `base`: the reference is resolved as a browser does, then
/// [`canonicalise`] applies.
///
/// For many references on one page, [`Resolver`] prepares the base once.
///
/// # Errors
///
/// [`Invalid`] says why the reference leads to no URL that a spider fetches.
pub fn resolve(base: &Url, reference: &str) -> Result<Canonical, Invalid> {
    Resolver::new(base).resolve(reference)
}
