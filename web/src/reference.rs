//! References on a page: most are plain relative paths, and those are resolved without the general parser.
//!
//! A page has some 80 references and a spider reads thousands of pages a second. The short way takes only what is
//! certain to give what the long way ([`Url::join`], then the canonical form) gives; a property test holds it to that.

use url::Url;

use crate::canonical::{Canonical, Invalid, MAX_HOST_BYTES, MAX_INPUT_BYTES, scheme};

/// Resolves the references of one page.
///
/// ```
/// let base = "https://example.org/a/b.html".parse().unwrap();
/// let resolver = web::Resolver::new(&base);
/// assert_eq!(resolver.resolve("../c.html#top").unwrap().as_str(), "https://example.org/c.html");
/// ```
#[derive(Debug, Clone)]
pub struct Resolver {
    base: Url,
    /// Canonical form of the base, where it has one.
    page: Option<Page>,
    /// Encoding of the page, where it is not UTF-8: a query is escaped in it.
    encoding: Option<&'static encoding_rs::Encoding>,
}

/// A canonical base, with the end of its host and path.
#[derive(Debug, Clone)]
struct Page {
    url: Canonical,
    /// End of scheme and host.
    origin: usize,
    /// End of the path's last slash.
    folder: usize,
    /// End of the path.
    path: usize,
    /// The path may have a segment like `a:`.
    drive: bool,
}

impl Resolver {
    /// Prepares the references of a page at `base`.
    pub fn new(base: &Url) -> Resolver {
        Resolver { base: base.clone(), page: Canonical::from_url(base.clone()).ok().map(Page::new), encoding: None }
    }

    /// The same for a page in an encoding other than UTF-8: browsers escape a query in the page's encoding.
    pub(crate) fn in_encoding(base: &Url, encoding: &'static encoding_rs::Encoding) -> Resolver {
        let output = encoding.output_encoding();
        let encoding = (output != encoding_rs::UTF_8).then_some(output);
        Resolver { encoding, ..Resolver::new(base) }
    }

    /// Canonical form of a reference.
    ///
    /// # Errors
    ///
    /// [`Invalid`] says why the reference leads to no URL that a spider fetches.
    pub fn resolve(&self, reference: &str) -> Result<Canonical, Invalid> {
        match self.page.as_ref().and_then(|page| page.resolve_plain(reference)) {
            Some(plain) => plain,
            None => self.resolve_any(reference),
        }
    }

    /// The URL that a `<base href>` on the page makes the base; `None` where it makes none.
    pub(crate) fn rebase(&self, href: &str) -> Option<Url> {
        let base =
            Some(href).filter(|href| href.len() <= MAX_INPUT_BYTES).and_then(|href| self.base.join(href).ok())?;
        matches!(base.scheme(), "http" | "https").then_some(base)
    }

    /// The long way.
    fn resolve_any(&self, reference: &str) -> Result<Canonical, Invalid> {
        if let Some(name) = foreign_scheme(reference) {
            return Err(scheme(name));
        }
        if reference.len() > MAX_INPUT_BYTES {
            return Err(Invalid::TooLong(reference.len()));
        }
        let reference = without_extra_slashes(reference);
        let parsed = match self.encoding {
            None => self.base.join(reference),
            Some(encoding) => Url::options()
                .base_url(Some(&self.base))
                .encoding_override(Some(&|query| encoding.encode(query).0))
                .parse(reference),
        };
        Canonical::from_url(parsed.map_err(|error| Invalid::Syntax(error.to_string()))?)
    }
}

impl Page {
    fn new(url: Canonical) -> Page {
        let text = url.as_str();
        let origin = text.len() - url.path_and_query().len();
        let path = memchr::memchr(b'?', text.as_bytes()).unwrap_or(text.len());
        let folder = memchr::memrchr(b'/', &text.as_bytes()[..path]).map_or(path, |slash| slash + 1);
        let drive = text[origin..path].contains([':', '|']);
        Page { origin, folder, path, drive, url }
    }

    /// The short way; `None` is "take the long one".
    fn resolve_plain(&self, reference: &str) -> Option<Result<Canonical, Invalid>> {
        if let Some((scheme, rest)) = reference.split_once("://") {
            return absolute(scheme, rest);
        }
        let (path, query) = plain_parts(reference)?;
        // the parser takes a segment `a:` for a drive, which `..` does not leave
        if path.starts_with("//") || self.drive && path.contains("..") {
            return None;
        }
        let base = self.url.as_str();
        let mut text = String::with_capacity(self.folder + path.len() + query.map_or(0, |query| query.len() + 1));
        if path.is_empty() {
            match query {
                None => text.push_str(base),
                Some(_) => text.push_str(&base[..self.path]),
            }
        } else if let Some(path) = path.strip_prefix('/') {
            text.push_str(&base[..self.origin]);
            text.push('/');
            push_segments(path, self.origin, &mut text);
        } else {
            text.push_str(&base[..self.folder]);
            push_segments(path, self.origin, &mut text);
        }
        push_query(query, &mut text);
        Some(Canonical::new(text, self.url.host_range()))
    }
}

/// The short way for an absolute URL whose host is a plain name in lower case, without a port.
fn absolute(scheme: &str, rest: &str) -> Option<Result<Canonical, Invalid>> {
    if scheme != "http" && scheme != "https" {
        return None;
    }
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    let (path, query) = plain_parts(rest)?;
    if !is_plain_host(host) {
        return None;
    }
    let start = scheme.len() + "://".len();
    let origin = start + host.len();
    let mut text = String::with_capacity(origin + rest.len() + 1);
    text.push_str(scheme);
    text.push_str("://");
    text.push_str(host);
    text.push('/');
    push_segments(path.strip_prefix('/').unwrap_or_default(), origin, &mut text);
    push_query(query, &mut text);
    Some(Canonical::new(text, start..origin))
}

/// A name of labels of lower-case letters and digits, that is neither a number nor needs IDNA.
fn is_plain_host(host: &str) -> bool {
    let plain = |label: &str| {
        !label.is_empty()
            && !label.starts_with("xn--")
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // a last label that begins with a digit may be (part of) an IPv4 address
    host.len() <= MAX_HOST_BYTES && last.starts_with(|c: char| c.is_ascii_lowercase()) && host.split('.').all(plain)
}

/// Path and query of a reference in which nothing is to be escaped or decoded, without its fragment.
fn plain_parts(reference: &str) -> Option<(&str, Option<&str>)> {
    let of = |class: u8| move |byte: u8| CLASS[usize::from(byte)] & class == 0;
    let end = reference.bytes().position(of(PATH)).unwrap_or(reference.len());
    let (path, rest) = reference.split_at(end);
    if rest.is_empty() || rest.starts_with('#') {
        return Some((path, None));
    }
    let query = rest.strip_prefix('?')?;
    let end = query.bytes().position(of(QUERY)).unwrap_or(query.len());
    (end == query.len() || query.as_bytes()[end] == b'#').then(|| (path, Some(&query[..end])))
}

/// An empty query is none.
fn push_query(query: Option<&str>, text: &mut String) {
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        text.push('?');
        text.push_str(query);
    }
}

/// Appends a path to a text that ends with `/`, dot segments resolved; `origin` is where the text's path begins.
fn push_segments(path: &str, origin: usize, text: &mut String) {
    let mut rest = path;
    // leading dot segments are the common case, others are rare
    while let Some(after) = rest.strip_prefix('.') {
        if let Some(after) = after.strip_prefix('/') {
            rest = after;
        } else if let Some(after) = after.strip_prefix("./") {
            pop_segment(origin, text);
            rest = after;
        } else {
            break;
        }
    }
    if !rest.starts_with('.') && memchr::memmem::find(rest.as_bytes(), b"/.").is_none() {
        text.push_str(rest);
        return;
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." => {}
            ".." => pop_segment(origin, text),
            _ => {
                text.push_str(segment);
                if segments.peek().is_some() {
                    text.push('/');
                }
            }
        }
    }
}

/// Drops the last segment of a text that ends with `/`; the root stays.
fn pop_segment(origin: usize, text: &mut String) {
    let path = &text.as_bytes()[origin..text.len() - 1];
    if let Some(parent) = memchr::memrchr(b'/', path) {
        text.truncate(origin + parent + 1);
    }
}

/// `///host` is `//host` to browsers, and an error to the parser.
fn without_extra_slashes(reference: &str) -> &str {
    let reference = reference.trim_start_matches(|c: char| c <= ' ');
    let slashes = reference.bytes().take_while(|byte| matches!(byte, b'/' | b'\\')).count();
    &reference[slashes.saturating_sub(2)..]
}

/// The scheme of a reference that is plainly of another kind than http: `mailto`, `javascript`, `data` …
fn foreign_scheme(reference: &str) -> Option<&str> {
    let reference = reference.trim_matches(|c: char| c <= ' ');
    let bytes = reference.as_bytes();
    let end = bytes.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))?;
    let name = &reference[..end];
    let foreign = bytes[end] == b':'
        && bytes[0].is_ascii_alphabetic()
        && !name.eq_ignore_ascii_case("http")
        && !name.eq_ignore_ascii_case("https");
    foreign.then_some(name)
}

/// May stand in a path as it is, and means nothing to the parser there.
const PATH: u8 = 1;
/// The same in a query.
const QUERY: u8 = 2;

/// Which bytes the short way knows. Not among them: what is escaped, `%`, `\`, and `:`, which may end a scheme.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        if c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~' | b'/' | b'!' | b'$' | b'&') {
            class[byte] = PATH | QUERY;
        }
        if matches!(c, b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b'@') {
            class[byte] = PATH | QUERY;
        }
        if matches!(c, b'?' | b':') {
            class[byte] = QUERY;
        }
        byte += 1;
    }
    class
};
