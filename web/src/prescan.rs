//! What a document says about its own encoding within its first 1,024 bytes.
//!
//! "Prescan a byte stream to determine its encoding" of the WHATWG HTML Standard (13.2.3.2), with its extension to XML
//! declarations. It is not a parser: it knows comments, tags and attributes, nothing of scripts or entities.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::charset::labelled;

/// How much of a document is searched.
const LIMIT: usize = 1_024;

/// The encoding that the document's `<meta>`, else its XML declaration, names.
pub(crate) fn prescan(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(LIMIT)];
    if head.starts_with(b"<\0?\0x\0") {
        return Some(UTF_16LE);
    }
    if head.starts_with(b"\0<\0?\0x") {
        return Some(UTF_16BE);
    }
    let mut scan = Scan { bytes: head, at: 0 };
    scan.meta().or_else(|| declared(head))
}

/// The encoding in `<?xml … encoding="…"`.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let declaration = head.strip_prefix(b"<?xml")?;
    let declaration = &declaration[..memchr::memchr(b'>', declaration)?];
    let name = memchr::memmem::find(declaration, b"encoding")?;
    let rest = declaration[name + b"encoding".len()..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let quote = *rest.first().filter(|quote| matches!(quote, b'"' | b'\''))?;
    let label = &rest[1..];
    let label = &label[..memchr::memchr(quote, label)?];
    labelled(label).map(readable)
}

/// A document that could be read as ASCII so far is in no UTF-16, whatever it says; x-user-defined is for scripts.
fn readable(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == UTF_16LE || encoding == UTF_16BE {
        UTF_8
    } else if encoding == encoding_rs::X_USER_DEFINED {
        WINDOWS_1252
    } else {
        encoding
    }
}

/// A place in the first bytes. Running out of them ends every method with `None`.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// The encoding that the first `<meta>` with one names.
    fn meta(&mut self) -> Option<&'static Encoding> {
        loop {
            self.at += memchr::memchr(b'<', self.rest())?;
            let rest = self.rest();
            if rest.starts_with(b"<!--") {
                // the two dashes that open a comment may close it too
                self.at += 2 + memchr::memmem::find(&rest[2..], b"-->")? + 3;
            } else if rest.len() > 5
                && rest[1..5].eq_ignore_ascii_case(b"meta")
                && (is_space(rest[5]) || rest[5] == b'/')
            {
                self.at += 5;
                if let Some(encoding) = self.meta_attributes()? {
                    return Some(encoding);
                }
            } else if is_tag(rest) {
                self.at += rest.iter().position(|&byte| is_space(byte) || byte == b'>')?;
                while self.attribute()?.is_some() {}
            } else if matches!(rest.get(1), Some(b'!' | b'/' | b'?')) {
                self.at += memchr::memchr(b'>', rest)? + 1;
            } else {
                self.at += 1;
            }
        }
    }

    /// The encoding that the attributes of a `<meta>` name: outer `None` at the end of the bytes.
    fn meta_attributes(&mut self) -> Option<Option<&'static Encoding>> {
        let (mut seen, mut pragma, mut need_pragma, mut found) = (Vec::new(), false, None, None);
        while let Some((name, value)) = self.attribute()? {
            if seen.contains(&name) {
                continue;
            }
            match name.as_slice() {
                b"http-equiv" => pragma |= value == b"content-type",
                b"content" if found.is_none() => {
                    if let Some(encoding) = from_content(&value) {
                        found = Some(encoding);
                        need_pragma = Some(true);
                    }
                }
                b"charset" => {
                    found = labelled(&value);
                    need_pragma = Some(false);
                }
                _ => {}
            }
            seen.push(name);
        }
        Some(match need_pragma {
            Some(need) if !need || pragma => found.map(readable),
            _ => None,
        })
    }

    /// "Get an attribute": name and value in lower case; inner `None` at the end of the tag, which is passed.
    fn attribute(&mut self) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
        self.skip(|byte| is_space(byte) || byte == b'/')?;
        if self.peek()? == b'>' {
            self.at += 1;
            return Some(None);
        }
        let mut name = Vec::new();
        loop {
            match self.peek()? {
                b'=' if !name.is_empty() => break,
                byte if is_space(byte) => {
                    self.skip(is_space)?;
                    break;
                }
                b'/' | b'>' => return Some(Some((name, Vec::new()))),
                byte => name.push(byte.to_ascii_lowercase()),
            }
            self.at += 1;
        }
        if self.peek()? != b'=' {
            return Some(Some((name, Vec::new())));
        }
        self.at += 1;
        self.skip(is_space)?;
        let first = self.peek()?;
        let value = match first {
            b'"' | b'\'' => {
                self.at += 1;
                let end = memchr::memchr(first, self.rest())?;
                let value = self.rest()[..end].to_ascii_lowercase();
                self.at += end + 1;
                value
            }
            _ => {
                let end = self.rest().iter().position(|&byte| is_space(byte) || byte == b'>')?;
                let value = self.rest()[..end].to_ascii_lowercase();
                self.at += end;
                value
            }
        };
        Some(Some((name, value)))
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Goes on to the first byte that is not of a kind.
    fn skip(&mut self, kind: impl Fn(u8) -> bool) -> Option<()> {
        self.at += self.rest().iter().position(|&byte| !kind(byte))?;
        Some(())
    }
}

/// "Extract a character encoding from a meta element": `text/html; charset=…`, in lower case.
fn from_content(mut content: &[u8]) -> Option<&'static Encoding> {
    loop {
        content = &content[memchr::memmem::find(content, b"charset")? + b"charset".len()..];
        let value = content.trim_ascii_start();
        let Some(value) = value.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let label = match *value.first()? {
            quote @ (b'"' | b'\'') => &value[1..][..memchr::memchr(quote, &value[1..])?],
            _ => value.split(|&byte| is_space(byte) || byte == b';').next()?,
        };
        return labelled(label);
    }
}

/// A start or end tag begins here.
fn is_tag(rest: &[u8]) -> bool {
    match rest {
        [_, b'/', letter, ..] | [_, letter, ..] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}
