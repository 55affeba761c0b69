//! Character sets: which one a body is in, and decoding. Neither ever fails.
//!
//! The order is that of browsers (WHATWG HTML, "determining the character encoding"): byte order mark, `charset` of the
//! Content-Type, what the document says within its first 1,024 bytes. A document that says nothing is UTF-8 when it
//! reads as UTF-8, and windows-1252 otherwise.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::prescan::prescan;

/// Name of the body's encoding (WHATWG label, lower case), from BOM, Content-Type, or the first 1,024 bytes.
///
/// Only HTML and XML, or a body of unknown type, is searched for what the document says. A body that says nothing is
/// `utf-8` when it holds more well-formed than malformed UTF-8 sequences (or is ASCII), so that one damaged byte does
/// not turn a page into windows-1252.
///
/// ```
/// assert_eq!(web::sniff(b"<meta charset=latin1>", None), "windows-1252");
/// assert_eq!(web::sniff(b"<meta charset=latin1>", Some("text/html; charset=UTF-8")), "utf-8");
/// ```
pub fn sniff(body: &[u8], content_type: Option<&str>) -> &'static str {
    label(encoding(body, content_type))
}

/// The body as text; what does not decode is U+FFFD, and a byte order mark is dropped. Gives the encoding's name too.
/// Well-formed UTF-8 is not copied.
pub fn decode<'a>(body: &'a [u8], content_type: Option<&str>) -> (Cow<'a, str>, &'static str) {
    let encoding = encoding(body, content_type);
    (encoding.decode_with_bom_removal(body).0, label(encoding))
}

/// The body's encoding. Never `replacement`: a label that stands for it says nothing.
pub(crate) fn encoding(body: &[u8], content_type: Option<&str>) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding;
    }
    if let Some(encoding) = content_type.and_then(parameter).and_then(|label| labelled(label.as_bytes())) {
        return encoding;
    }
    if content_type.is_none_or(is_markup)
        && let Some(encoding) = prescan(body)
    {
        return encoding;
    }
    if reads_as_utf8(body) { UTF_8 } else { WINDOWS_1252 }
}

/// The encoding that a label stands for.
pub(crate) fn labelled(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label)
}

/// The `charset` parameter of a media type.
fn parameter(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("charset") {
            return None;
        }
        // some servers send the header twice, which arrives as one value with a comma
        let value = value.split(',').next().unwrap_or_default().trim();
        Some(value.trim_matches(['"', '\'']).trim())
    })
}

/// A type of document that may say what it is in. An empty or meaningless type is an unknown one.
fn is_markup(content_type: &str) -> bool {
    let essence = content_type.split([';', ',']).next().unwrap_or_default().trim().to_ascii_lowercase();
    !essence.contains('/') || essence.contains("html") || essence.contains("xml") || essence == "unknown/unknown"
}

/// More well-formed than malformed sequences beyond ASCII, or none at all.
fn reads_as_utf8(body: &[u8]) -> bool {
    if std::str::from_utf8(body).is_ok() {
        return true;
    }
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in body.utf8_chunks() {
        // every character beyond ASCII has one byte that begins it
        good += chunk.valid().bytes().filter(|&byte| byte >= 0xC0).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > bad
}

/// The encoding's name as a WHATWG label in lower case.
fn label(encoding: &'static Encoding) -> &'static str {
    let name = encoding.name();
    LABELS.iter().find(|label| label.eq_ignore_ascii_case(name)).copied().unwrap_or(name)
}

/// Names of all encodings of the Encoding Standard, in lower case; most frequent first.
const LABELS: [&str; 40] = [
    "utf-8",
    "windows-1252",
    "windows-1251",
    "shift_jis",
    "gbk",
    "gb18030",
    "euc-jp",
    "euc-kr",
    "big5",
    "iso-8859-2",
    "windows-1250",
    "windows-1254",
    "windows-1256",
    "iso-8859-15",
    "utf-16le",
    "utf-16be",
    "ibm866",
    "iso-2022-jp",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-8-i",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-16",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "windows-874",
    "windows-1253",
    "windows-1255",
    "windows-1257",
    "windows-1258",
    "x-mac-cyrillic",
    "x-user-defined",
    "replacement",
];
