//! Takes from a page the attributes that extraction does not read, before it is parsed: a tree without them is built in half the
//! time and says the same.
//!
//! Attributes are taken only from start tags that the parser sees as such. Where it may be reading text instead (in scripts,
//! styles, titles, comments, foreign elements), the page is copied as it stands; where that is doubtful, all the rest is.
//! A property test holds what is read off a stripped page to what is read off the page.

use memchr::{memchr, memmem};

/// The page without attributes that tell nothing.
pub fn strip(page: &str) -> String {
    let mut stripper = Stripper { page, out: String::with_capacity(page.len() / 2), copied: 0 };
    let mut at = 0;
    while let Some(next) = stripper.tag(at) {
        at = next;
    }
    stripper.copy_up_to(page.len());
    stripper.out
}

/// Attributes that are read, or that change how the parser builds the tree.
const KEPT: [&str; 14] = [
    "src", "href", "rel", "name", "property", "content", "http-equiv", "lang", "xml:lang", "role", "hidden", "aria-hidden", "style", "type",
];
/// Elements whose content is text to the parser.
const TEXTS: [&str; 9] = ["script", "style", "title", "textarea", "noscript", "iframe", "xmp", "noembed", "noframes"];
/// Elements with rules of their own inside.
const FOREIGN: [&str; 2] = ["svg", "math"];

struct Stripper<'p> {
    page: &'p str,
    out: String,
    /// Up to here the page has been copied or left out.
    copied: usize,
}

impl Stripper<'_> {
    /// Finds the next tag from a place where the parser reads elements; gives such a place behind it, or none when all the
    /// rest is to be copied as it stands.
    fn tag(&mut self, from: usize) -> Option<usize> {
        let bytes = self.page.as_bytes();
        let open = from + memchr(b'<', bytes.get(from..)?)?;
        match bytes.get(open + 1)? {
            b'!' if bytes[open..].starts_with(b"<!--") => self.past(open + 4, b"-->"),
            b'!' | b'?' => Some(open + 1 + memchr(b'>', &bytes[open + 1..])? + 1),
            b'/' => Some(open + 2),
            first if first.is_ascii_alphabetic() => self.start_tag(open),
            _ => Some(open + 1),
        }
    }

    fn start_tag(&mut self, open: usize) -> Option<usize> {
        let bytes = self.page.as_bytes();
        let name_end = open + 1 + bytes[open + 1..].iter().position(|b| is_blank(*b) || matches!(b, b'/' | b'>'))?;
        let name = &bytes[open + 1..name_end];
        let end = self.attributes(name, name_end)?;
        let is = |other: &&str| name.eq_ignore_ascii_case(other.as_bytes());
        if let Some(name) = TEXTS.iter().find(|text| is(text)) {
            let past = self.past(end, format!("</{name}").as_bytes())?;
            // A script in a script is text, and so is the end of the inner one.
            let doubtful = *name == "script" && memmem::find(&bytes[end..past], b"<!--").is_some();
            return (!doubtful).then_some(past);
        }
        if let Some(name) = FOREIGN.iter().find(|foreign| is(foreign)) {
            return self.past(end, format!("</{name}").as_bytes());
        }
        if name.eq_ignore_ascii_case(b"plaintext") { None } else { Some(end) }
    }

    /// Goes through the attributes of a tag, leaving out those that tell nothing; gives the place behind the tag.
    fn attributes(&mut self, element: &[u8], from: usize) -> Option<usize> {
        let bytes = self.page.as_bytes();
        let mut at = from;
        loop {
            let begin = at;
            at += bytes[at..].iter().position(|b| !is_blank(*b) && *b != b'/')?;
            if bytes[at] == b'>' {
                return Some(at + 1);
            }
            let name = at;
            // A `=` in the first place is part of the name.
            at += 1 + bytes[at + 1..].iter().position(|b| is_blank(*b) || matches!(b, b'/' | b'>' | b'='))?;
            let name = &bytes[name..at];
            let equals = at + bytes[at..].iter().position(|b| !is_blank(*b))?;
            if bytes[equals] == b'=' {
                at = equals + 1 + bytes[equals + 1..].iter().position(|b| !is_blank(*b))?;
                at = match bytes[at] {
                    b'>' => at,
                    quote @ (b'"' | b'\'') => at + 1 + memchr(quote, &bytes[at + 1..])? + 1,
                    _ => at + bytes[at..].iter().position(|b| is_blank(*b) || *b == b'>')?,
                };
            }
            if !is_kept(element, name) {
                self.copy_up_to(begin);
                self.out.push(' ');
                self.copied = at;
            }
        }
    }

    /// The place behind the next such text, in any case; what lies before it is copied as it stands. None when it does not
    /// come, or when a script may begin before it after all.
    fn past(&self, from: usize, end: &[u8]) -> Option<usize> {
        let bytes = self.page.as_bytes();
        let mut at = from;
        loop {
            at += memchr(end[0], &bytes[at..])?;
            let here = bytes.get(at..at + end.len())?;
            if here.eq_ignore_ascii_case(end) {
                let within = &bytes[from..at];
                let doubtful = end != b"</script" && memchr::memchr_iter(b'<', within).any(|i| starts_script(&within[i..]));
                return (!doubtful).then_some(at + end.len());
            }
            at += 1;
        }
    }

    fn copy_up_to(&mut self, end: usize) {
        self.out.push_str(&self.page[self.copied..end]);
        self.copied = end;
    }
}

fn starts_script(text: &[u8]) -> bool {
    text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"<script"))
}

/// `href` is read off two elements only, and links have no other attribute that tells anything.
fn is_kept(element: &[u8], name: &[u8]) -> bool {
    let known = KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept.as_bytes()));
    let is = |other: &str| element.eq_ignore_ascii_case(other.as_bytes());
    match name.to_ascii_lowercase().as_slice() {
        b"href" => is("base") || is("link"),
        b"src" => is("script"),
        b"type" => is("input"),
        _ => known,
    }
}

/// White space between attributes.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}
