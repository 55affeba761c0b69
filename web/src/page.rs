//! The page that is parsed, and the attributes of its elements, read where they stand in it.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use lol_html::AsciiCompatibleEncoding;
use lol_html::html_content::Element;

use crate::{attribute, charset};

/// A page as it is given to the parser: its bytes, in an encoding that has ASCII in its place.
#[derive(Debug)]
pub(crate) struct Page<'p> {
    bytes: Cow<'p, [u8]>,
    encoding: AsciiCompatibleEncoding,
    /// The encoding that the page came in.
    original: &'static Encoding,
}

impl<'p> Page<'p> {
    /// Finds the body's encoding. What has no ASCII in its place (UTF-16, ISO-2022-JP) is made UTF-8.
    pub(crate) fn new(body: &'p [u8], content_type: Option<&str>) -> Page<'p> {
        let original = charset::encoding(body, content_type);
        match AsciiCompatibleEncoding::new(original) {
            Some(encoding) => Page { bytes: Cow::Borrowed(body), encoding, original },
            None => {
                let text = original.decode_with_bom_removal(body).0.into_owned();
                Page { bytes: Cow::Owned(text.into_bytes()), encoding: AsciiCompatibleEncoding::utf_8(), original }
            }
        }
    }

    /// Makes `<noscript>` an element as any other, as it is to a browser without scripting; the parser takes its content
    /// for text. All names change with `in_any_case`, else the lower-case ones, which is much faster to find.
    pub(crate) fn open_noscript(&mut self, in_any_case: bool) {
        // another name of the same length, so that places in the page stay what they are
        const OTHER: &[u8] = b"<noscriqt";
        let finder = memchr::memmem::Finder::new(b"<noscript");
        let mut from = 0;
        loop {
            let rest = &self.bytes[from..];
            let found = if in_any_case {
                let mut tags = memchr::memchr_iter(b'<', rest);
                tags.find(|&at| {
                    rest[at..].len() >= OTHER.len() && rest[at..at + OTHER.len()].eq_ignore_ascii_case(b"<noscript")
                })
            } else {
                finder.find(rest)
            };
            let Some(at) = found.map(|at| from + at) else { return };
            from = at + OTHER.len();
            self.bytes.to_mut()[at..from].copy_from_slice(OTHER);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn encoding(&self) -> AsciiCompatibleEncoding {
        self.encoding
    }

    /// The encoding that the page came in: browsers escape the queries of its links in it.
    pub(crate) fn original(&self) -> &'static Encoding {
        self.original
    }

    /// Value of an element's attribute, entities decoded; of several with the name, the first. The name is in lower case.
    ///
    /// The parser gives names and values as strings of their own; taken from the page by their places they cost less. The
    /// places are right because the parser is given the page whole.
    pub(crate) fn attribute(&self, element: &Element<'_, '_>, name: &str) -> Option<Cow<'_, str>> {
        let attribute = element.attributes().iter().find(|attribute| {
            let place = attribute.name_source_location().and_then(|place| self.bytes.get(place.bytes()));
            place.is_some_and(|written| written.eq_ignore_ascii_case(name.as_bytes()))
        })?;
        let raw = match attribute.value_source_location() {
            Some(place) => self.bytes.get(place.bytes())?,
            None => b"",
        };
        let encoding: &'static Encoding = self.encoding.into();
        let text = match std::str::from_utf8(raw) {
            Ok(text) if encoding == UTF_8 || text.is_ascii() => Cow::Borrowed(text),
            _ => encoding.decode_without_bom_handling(raw).0,
        };
        Some(attribute::decoded(text))
    }
}
