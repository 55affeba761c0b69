//! Character sets: which one a body is in (WHATWG: BOM, HTTP header, meta, else windows-1252 or UTF-8), and decoding.

use std::borrow::Cow;

/// Name of the body's encoding (WHATWG label, lower case), from BOM, Content-Type, or the first 1,024 bytes.
pub fn sniff(_body: &[u8], _content_type: Option<&str>) -> &'static str {
    todo!()
}

/// The body as text; what does not decode is U+FFFD. Gives the encoding's name too.
pub fn decode<'a>(_body: &'a [u8], _content_type: Option<&str>) -> (Cow<'a, str>, &'static str) {
    todo!()
}
