//! Takes from a page the attributes that extraction does not read, before it is parsed: a tree without them is built in far
//! less time and says the same.
//!
//! Attributes are taken only from start tags that the parser sees as such. Where it reads text instead (in scripts, styles,
//! titles, comments) or has rules of its own (in foreign elements), the page is copied as it stands; where it is doubtful what
//! the parser sees, all the rest is. A property test holds what is read off a stripped page to what is read off the page.

use memchr::{memchr, memchr_iter};

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
    /// Finds the next markup from a place where the parser reads elements; gives such a place behind it, or none when all the
    /// rest is to be copied as it stands.
    fn tag(&mut self, from: usize) -> Option<usize> {
        let bytes = self.page.as_bytes();
        let open = from + memchr(b'<', bytes.get(from..)?)?;
        let rest = &bytes[open..];
        match rest.get(1)? {
            b'!' if rest.starts_with(b"<!--") => self.comment(open + 4),
            b'/' if rest.get(2)?.is_ascii_alphabetic() => {
                let name = open + 2 + name_length(&rest[2..])?;
                self.attributes(None, name)
            }
            // A doctype, a processing instruction, `</3`: the first `>` ends it, whatever comes before.
            b'!' | b'?' | b'/' => Some(open + 1 + memchr(b'>', &rest[1..])? + 1),
            first if first.is_ascii_alphabetic() => self.start_tag(open),
            _ => Some(open + 1),
        }
    }

    fn comment(&self, from: usize) -> Option<usize> {
        let rest = self.page.as_bytes().get(from..)?;
        if rest.starts_with(b">") || rest.starts_with(b"->") {
            return Some(from);
        }
        let end = memchr_iter(b'>', rest).find(|i| rest[..*i].ends_with(b"--") || rest[..*i].ends_with(b"--!"))?;
        Some(from + end + 1)
    }

    fn start_tag(&mut self, open: usize) -> Option<usize> {
        let bytes = self.page.as_bytes();
        let name_end = open + 1 + name_length(&bytes[open + 1..])?;
        let name = &bytes[open + 1..name_end];
        let end = self.attributes(Some(name), name_end)?;
        let is = |other: &&&str| name.eq_ignore_ascii_case(other.as_bytes());
        if let Some(text) = TEXTS.iter().find(is) {
            let past = end + end_tag(&bytes[end..], text)?;
            let within = &bytes[end..past];
            let doubtful = match *text {
                // A script within a comment within a script hides the first end tag.
                "script" => find(within, "<!--").is_some_and(|i| find(&within[i..], "<script").is_some()),
                // Text to us only, if the parser ignores the element where it stands: then that is a script.
                _ => find(within, "<script").is_some(),
            };
            return (!doubtful).then_some(past);
        }
        if let Some(foreign) = FOREIGN.iter().find(is) {
            if bytes[..end].ends_with(b"\"/>") || bytes[..end].ends_with(b" />") {
                return Some(end);
            }
            let past = end + end_tag(&bytes[end..], foreign)?;
            let doubtful = ["<script", "<svg", "<math"].iter().any(|start| find(&bytes[end..past], start).is_some());
            return (!doubtful).then_some(past);
        }
        if name.eq_ignore_ascii_case(b"plaintext") { None } else { Some(end) }
    }

    /// Goes through the attributes of a tag and leaves out those of a start tag that tell nothing; gives the place behind it.
    fn attributes(&mut self, element: Option<&[u8]>, from: usize) -> Option<usize> {
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
            if element.is_some_and(|element| !is_kept(element, name)) {
                self.copy_up_to(begin);
                self.out.push(' ');
                self.copied = at;
            }
        }
    }

    fn copy_up_to(&mut self, end: usize) {
        self.out.push_str(&self.page[self.copied..end]);
        self.copied = end;
    }
}

/// Length of the name that a tag begins with.
fn name_length(text: &[u8]) -> Option<usize> {
    text.iter().position(|b| is_blank(*b) || matches!(b, b'/' | b'>'))
}

/// Where the end tag of a text element begins.
fn end_tag(text: &[u8], name: &str) -> Option<usize> {
    memchr_iter(b'<', text).find(|i| {
        let rest = text[i + 1..].strip_prefix(b"/").unwrap_or_default();
        let after = rest.get(name.len()).copied().unwrap_or_default();
        let named = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
        named && (is_blank(after) || matches!(after, b'/' | b'>'))
    })
}

/// Where a text that begins with `<` begins, in any case.
fn find(text: &[u8], what: &str) -> Option<usize> {
    memchr_iter(b'<', text)
        .find(|i| text[*i..].get(..what.len()).is_some_and(|s| s.eq_ignore_ascii_case(what.as_bytes())))
}

/// Attributes that are read, and one that changes how the tree is built (`type` of `input`, in a table).
fn is_kept(element: &[u8], name: &[u8]) -> bool {
    let on = |elements: &[&str]| elements.iter().any(|e| element.eq_ignore_ascii_case(e.as_bytes()));
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    match name.len() {
        3 => is("src") && on(&["script"]) || is("rel") && on(&["link"]),
        4 => {
            is("role")
                || is("href") && on(&["base", "link"])
                || is("name") && on(&["meta"])
                || is("lang") && on(&["html"])
                || is("type") && on(&["input"])
        }
        5 => is("style"),
        6 => is("hidden"),
        7 => is("content") && on(&["meta"]),
        8 => is("property") && on(&["meta"]) || is("xml:lang") && on(&["html"]),
        10 => is("http-equiv") && on(&["meta"]),
        11 => is("aria-hidden"),
        _ => false,
    }
}

/// White space between attributes.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::super::{content, tree};
    use super::*;

    #[test]
    fn what_tells_nothing_is_gone_and_the_rest_stays() {
        for (page, want) in [
            ("<p class=\"a > b\" id=x>t</p>", "<p  >t</p>"),
            ("<a href='x' hidden>t", "<a  hidden>t"),
            (
                "<link rel=canonical href=/c crossorigin><base target=_top href=\"/\">",
                "<link rel=canonical href=/c ><base  href=\"/\">",
            ),
            (
                "<script src=a.js async>'<p class=x>'</script><p class=x>",
                "<script src=a.js >'<p class=x>'</script><p >",
            ),
            ("<!-- <p class=x> --><p class=x><!--><p class=x>", "<!-- <p class=x> --><p ><!--><p >"),
            ("<title class=x><p class=x></title ><p class=x>", "<title ><p class=x></title ><p >"),
            ("<svg><p class=x></svg><p class=x>", "<svg><p class=x></svg><p >"),
            ("</p class='<b id=x>'><p class=x>", "</p class='<b id=x>'><p >"),
            ("<p class=x", "<p class=x"),
            ("a < b <3 <p\u{e9} x=\u{e9}>", "a < b <3 <p\u{e9} >"),
        ] {
            assert_eq!(strip(page), want, "{page}");
        }
    }

    /// Pieces that pages are made of, the awkward ones above all.
    const PIECES: [&str; 62] = [
        "<",
        ">",
        "/",
        "=",
        "\"",
        "'",
        " ",
        "\n",
        "-",
        "--",
        "!",
        "?",
        "x",
        "text ",
        "\u{e9}",
        "&amp;",
        "<p",
        "<p>",
        "</p>",
        "<div class=c>",
        "<main>",
        "</main>",
        "<nav id='n'>",
        "</nav>",
        "<a href=\"u\" title='t'>",
        "</a",
        "</a>",
        "<b>",
        "</b>",
        " hidden",
        " class=\"x\"",
        " style=display:none",
        " role=main",
        "<script>",
        "<script",
        "</script",
        "</script>",
        "<style>",
        "</style>",
        "<title>",
        "</title>",
        "<textarea>",
        "</textarea>",
        "<noscript>",
        "</noscript>",
        "<!--",
        "-->",
        "--!>",
        "<!DOCTYPE html>",
        "<svg>",
        "<svg/>",
        "</svg>",
        "<math>",
        "</math>",
        "<![CDATA[",
        "]]>",
        "<select>",
        "<table><tr><td>",
        "<input type=hidden>",
        "<meta name=description content=d>",
        "<link rel=canonical href=c>",
        "<html lang=en class=x>",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_stripped_page_says_the_same(pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)) {
            let page = pieces.concat();
            let read = |page: &str| content::read(&tree::parse(page, &tree::Bounds::default()).unwrap());
            prop_assert_eq!(read(&strip(&page)), read(&page), "{}", strip(&page));
        }
    }
}
