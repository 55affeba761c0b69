//! The attributes of a tag, of which only those are kept that somebody reads.

use std::borrow::Cow;

use html5ever::tendril::StrTendril;
use html5ever::{Attribute, QualName, ns};
use memchr::{memchr, memchr2};

/// Attributes of one tag that somebody reads, as they stand in the page: name and value. Of several with a name, the first.
#[derive(Default)]
pub struct Attributes<'p>(Vec<(&'static str, &'p str)>);

/// The end of a tag.
pub struct End {
    /// The end of its name.
    pub name_end: usize,
    /// Behind its `>`.
    pub end: usize,
    /// A `/` stands before that.
    pub self_closing: bool,
}

impl<'p> Attributes<'p> {
    /// Reads a tag from its name on; none when the page ends first. Attributes of an end tag count for nothing.
    pub fn read(&mut self, page: &'p str, name: usize, start: bool) -> Option<End> {
        self.0.clear();
        let bytes = page.as_bytes();
        let name_end = name + bytes[name..].iter().position(|b| is_blank(*b) || matches!(b, b'/' | b'>'))?;
        let mut at = name_end;
        loop {
            let begin = at;
            at += bytes[at..].iter().position(|b| !is_blank(*b) && *b != b'/')?;
            if bytes[at] == b'>' {
                // a `/` that is part of a value is behind already
                return Some(End { name_end, end: at + 1, self_closing: at > begin && bytes[at - 1] == b'/' });
            }
            let name = at;
            // a `=` in the first place is part of the name
            at += 1 + bytes[at + 1..].iter().position(|b| is_blank(*b) || matches!(b, b'/' | b'>' | b'='))?;
            let name = &bytes[name..at];
            let after = at + bytes[at..].iter().position(|b| !is_blank(*b))?;
            let mut value = "";
            if bytes[after] == b'=' {
                at = after + 1 + bytes[after + 1..].iter().position(|b| !is_blank(*b))?;
                match bytes[at] {
                    b'>' => {}
                    quote @ (b'"' | b'\'') => {
                        let end = at + 1 + memchr(quote, &bytes[at + 1..])?;
                        value = &page[at + 1..end];
                        at = end + 1;
                    }
                    _ => {
                        let end = at + bytes[at..].iter().position(|b| is_blank(*b) || *b == b'>')?;
                        value = &page[at..end];
                        at = end;
                    }
                }
            }
            self.put(start, name, value);
        }
    }

    fn put(&mut self, start: bool, name: &[u8], value: &'p str) {
        if start
            && let Some(name) = known(name)
            && self.0.iter().all(|(other, _)| *other != name)
        {
            self.0.push((name, value));
        }
    }

    /// Those that the tree needs: what content is read from, and what changes how a tree is built.
    pub fn kept(&self, element: &str) -> Vec<Attribute> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let kept = self.0.iter().filter(|(name, _)| is_kept(element, name));
        kept.map(|(name, value)| Attribute {
            name: QualName::new(None, ns!(), (*name).into()),
            value: StrTendril::from_slice(&decoded(value)),
        })
        .collect()
    }
}

impl web::Attributes for Attributes<'_> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| decoded(value))
    }
}

/// A value with its references decoded.
fn decoded(value: &str) -> Cow<'_, str> {
    if memchr2(b'&', b'\0', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    if value.contains('\0') {
        // a NUL ends a reference, as what stands for it does
        return Cow::Owned(htmlize::unescape_attribute(value.replace('\0', "\u{fffd}")).into_owned());
    }
    htmlize::unescape_attribute(value)
}

/// The names of attributes that somebody reads, links' collector or content.
const KNOWN: [&str; 22] = [
    "alt",
    "src",
    "rel",
    "href",
    "name",
    "lang",
    "role",
    "type",
    "face",
    "size",
    "color",
    "style",
    "action",
    "hidden",
    "srcset",
    "content",
    "encoding",
    "property",
    "xml:lang",
    "http-equiv",
    "xlink:href",
    "aria-hidden",
];

/// A name that somebody reads.
fn known(name: &[u8]) -> Option<&'static str> {
    if name.len() == "shadowrootmode".len() {
        return name.eq_ignore_ascii_case(b"shadowrootmode").then_some("shadowrootmode");
    }
    // most attributes are `class`, `id` and `title`, or have a length of their own
    let same_length = match name.len() {
        3 => &KNOWN[0..3],
        4 => &KNOWN[3..10],
        5 => &KNOWN[10..12],
        6 => &KNOWN[12..15],
        7 => &KNOWN[15..16],
        8 => &KNOWN[16..19],
        10 => &KNOWN[19..21],
        11 => &KNOWN[21..22],
        _ => return None,
    };
    same_length.iter().copied().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// What content is read from; `type` of `input` in a table, `encoding` and a font's attributes in foreign elements change how
/// the tree is built.
fn is_kept(element: &str, name: &str) -> bool {
    match name {
        "role" | "style" | "hidden" | "aria-hidden" => true,
        "src" => element == "script",
        "href" => matches!(element, "base" | "link"),
        "rel" => element == "link",
        "lang" | "xml:lang" => element == "html",
        "name" | "content" | "property" | "http-equiv" => element == "meta",
        "type" => element == "input",
        "encoding" => element == "annotation-xml",
        "color" | "face" | "size" => element == "font",
        _ => false,
    }
}

/// White space in a tag; there are no carriage returns.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c')
}
