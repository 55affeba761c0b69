//! Cuts a page into tokens, each of which goes to the tree builder and, if links are wanted, to their collector.
//!
//! The tree builder is html5ever's. Its tokeniser is made for a network that gives a page piece by piece, and takes each
//! attribute and each text as a string of its own; this one has the whole page, looks for the next character that matters,
//! shares the page's memory, and keeps of a tag's attributes only those that somebody reads. States and rules are those of
//! WHATWG HTML, 13.2.5; a property test holds the trees of both to each other.

use std::borrow::Cow;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, Doctype, Tag, TagKind, Token, TokenSink, TokenSinkResult};
use memchr::{memchr, memchr_iter, memchr2};

use super::attributes::{Attributes, is_blank};
use super::names::Names;

/// A page that is being cut.
pub struct Tokens<'p> {
    page: &'p str,
    /// The page too; texts share its memory.
    shared: StrTendril,
    /// Where the next token begins.
    at: usize,
    state: State,
    names: Names,
    /// Attributes of the tag at hand.
    attributes: Attributes<'p>,
}

/// How what comes next is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    /// Up to the end tag of that name.
    Raw(RawKind, &'static str),
    Plaintext,
    Ended,
}

impl<'p> Tokens<'p> {
    /// The page must have no carriage returns: browsers make line feeds of them first ([`unified`]).
    pub fn new(page: &'p str) -> Tokens<'p> {
        Tokens {
            page,
            shared: StrTendril::from_slice(page),
            at: 0,
            state: State::Data,
            names: Names::default(),
            attributes: Attributes::default(),
        }
    }

    /// How much of the page was cut.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Gives the next token to both; false after the last.
    pub fn step(&mut self, tree: &impl TokenSink, links: &mut Option<web::Collector>) -> bool {
        if self.at >= self.page.len() && self.state != State::Ended {
            self.state = State::Ended;
            give(tree, Token::EOFToken);
        }
        match self.state {
            State::Data => self.data(tree, links),
            State::Raw(kind, name) => self.raw(kind, name, tree, links),
            State::Plaintext => {
                self.text(self.page.len(), Text::Raw, tree);
            }
            State::Ended => return false,
        }
        true
    }

    /// Text up to the next markup, or markup.
    fn data(&mut self, tree: &impl TokenSink, links: &mut Option<web::Collector>) {
        let rest = &self.page.as_bytes()[self.at..];
        let open = memchr(b'<', rest).unwrap_or(rest.len());
        if open > 0 {
            self.data_text(self.at + open, tree, links);
            return;
        }
        match rest.get(1) {
            Some(first) if first.is_ascii_alphabetic() => self.tag(TagKind::StartTag, self.at + 1, tree, links),
            Some(b'/') => match rest.get(2) {
                Some(first) if first.is_ascii_alphabetic() => self.tag(TagKind::EndTag, self.at + 2, tree, links),
                Some(b'>') => self.at += 3,
                Some(_) => self.bogus_comment(tree),
                None => self.data_text(self.page.len(), tree, links),
            },
            Some(b'!') => self.declaration(tree),
            Some(b'?') => self.bogus_comment(tree),
            _ => self.data_text(self.at + 1, tree, links),
        }
    }

    fn data_text(&mut self, end: usize, tree: &impl TokenSink, links: &mut Option<web::Collector>) {
        let start = self.at;
        self.text(end, Text::Data, tree);
        if let Some(links) = links {
            links.text(&self.page[start..end]);
        }
    }

    /// Gives text up to a place.
    fn text(&mut self, end: usize, kind: Text, tree: &impl TokenSink) {
        let mut start = std::mem::replace(&mut self.at, end);
        let escape = if kind.has_references() { b'&' } else { b'\0' };
        while let Some(next) = memchr2(b'\0', escape, &self.page.as_bytes()[start..end]) {
            // up to the next NUL, which no reference spans
            let rest = &self.page.as_bytes()[start..end];
            let stop = start + next + memchr(b'\0', &rest[next..]).unwrap_or(rest.len() - next);
            let piece = &self.page[start..stop];
            if !piece.is_empty() {
                let piece = if kind.has_references() { htmlize::unescape(piece) } else { Cow::Borrowed(piece) };
                give(tree, Token::CharacterTokens(StrTendril::from_slice(&piece)));
            }
            start = stop;
            if start < end {
                start += 1;
                give(
                    tree,
                    if kind.keeps_nul() {
                        Token::NullCharacterToken
                    } else {
                        Token::CharacterTokens(StrTendril::from_char('\u{fffd}'))
                    },
                );
            }
        }
        if start < end {
            // tendrils have lengths of 32 bits, and a body has at most 15 MiB
            let (start, length) = (start as u32, (end - start) as u32);
            let text = self.shared.try_subtendril(start, length);
            give(tree, Token::CharacterTokens(text.unwrap_or_default()));
        }
    }

    /// `<!` and what follows it.
    fn declaration(&mut self, tree: &impl TokenSink) {
        let rest = &self.page.as_bytes()[self.at..];
        if rest.starts_with(b"<!--") {
            let rest = &rest[4..];
            let length = if rest.starts_with(b">") {
                1
            } else if rest.starts_with(b"->") {
                2
            } else {
                let mut ends = memchr_iter(b'>', rest);
                let end = ends.find(|end| rest[..*end].ends_with(b"--") || rest[..*end].ends_with(b"--!"));
                end.map_or(rest.len(), |end| end + 1)
            };
            self.at += 4 + length;
            give(tree, Token::CommentToken(StrTendril::new()));
        } else if rest.get(2..9).is_some_and(|name| name.eq_ignore_ascii_case(b"doctype")) {
            let length = memchr(b'>', rest).map_or(rest.len(), |end| end + 1);
            let doctype = doctype(&self.page[self.at..self.at + length]);
            self.at += length;
            give(tree, Token::DoctypeToken(doctype));
        } else if rest.starts_with(b"<![CDATA[") && tree.adjusted_current_node_present_but_not_in_html_namespace() {
            self.at += 9;
            let end = memchr::memmem::find(&rest[9..], b"]]>");
            let after = end.map_or(self.page.len(), |end| self.at + end + 3);
            self.text(end.map_or(self.page.len(), |end| self.at + end), Text::Cdata, tree);
            self.at = after;
        } else {
            self.bogus_comment(tree);
        }
    }

    fn bogus_comment(&mut self, tree: &impl TokenSink) {
        let rest = &self.page.as_bytes()[self.at..];
        self.at += memchr(b'>', rest).map_or(rest.len(), |end| end + 1);
        give(tree, Token::CommentToken(StrTendril::new()));
    }

    /// A tag whose name begins at a place. One that the page's end cuts off is none.
    fn tag(&mut self, kind: TagKind, name: usize, tree: &impl TokenSink, links: &mut Option<web::Collector>) {
        let page = self.page;
        let start = kind == TagKind::StartTag;
        let Some(tag) = self.attributes.read(page, name, start) else {
            self.at = page.len();
            return;
        };
        let name = lower_case(&page[name..tag.name_end]);
        if let Some(links) = links {
            match kind {
                TagKind::StartTag => {
                    let closed = tag.self_closing
                        && (matches!(&*name, "svg" | "math")
                            || tree.adjusted_current_node_present_but_not_in_html_namespace());
                    links.start(&name, &self.attributes, closed);
                }
                TagKind::EndTag => links.end(&name),
            }
        }
        self.at = tag.end;
        let token = Tag {
            kind,
            name: self.names.local(&name),
            self_closing: tag.self_closing,
            attrs: if start { self.attributes.kept(&name) } else { Vec::new() },
            had_duplicate_attributes: false,
        };
        match tree.process_token(Token::TagToken(token), 1) {
            TokenSinkResult::RawData(kind) => {
                // the tree builder says so only of these
                let texts =
                    ["script", "style", "title", "textarea", "iframe", "xmp", "noembed", "noframes", "noscript"];
                if let Some(name) = texts.into_iter().find(|text| *text == name) {
                    self.state = State::Raw(kind, name);
                }
            }
            TokenSinkResult::Plaintext => self.state = State::Plaintext,
            _ => {}
        }
    }

    /// The text of an element that has no elements.
    fn raw(&mut self, kind: RawKind, name: &str, tree: &impl TokenSink, links: &mut Option<web::Collector>) {
        let rest = &self.page.as_bytes()[self.at..];
        let end = match kind {
            RawKind::Rcdata | RawKind::Rawtext => {
                memchr_iter(b'<', rest).find(|open| is_tag(&rest[*open + 1..], b"/", name))
            }
            _ => script_end(rest),
        };
        let end = end.map_or(self.page.len(), |end| self.at + end);
        self.state = State::Data;
        let start = self.at;
        self.text(end, if kind == RawKind::Rcdata { Text::Rcdata } else { Text::Raw }, tree);
        if let Some(links) = links
            && kind == RawKind::Rcdata
        {
            links.text(&self.page[start..end]);
        }
    }
}

/// What a text may have in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Data,
    Rcdata,
    Raw,
    Cdata,
}

impl Text {
    fn has_references(self) -> bool {
        matches!(self, Text::Data | Text::Rcdata)
    }

    /// The tree builder decides what becomes of a NUL; elsewhere it is U+FFFD.
    fn keeps_nul(self) -> bool {
        matches!(self, Text::Data | Text::Cdata)
    }
}

/// Gives a token that has no effect on how the next is read.
fn give(tree: &impl TokenSink, token: Token) {
    let _ = tree.process_token(token, 1);
}

/// The page with line ends as browsers see them: `\r\n` and `\r` are line feeds.
pub fn unified(page: &str) -> Cow<'_, str> {
    if memchr(b'\r', page.as_bytes()).is_none() {
        return Cow::Borrowed(page);
    }
    Cow::Owned(page.replace("\r\n", "\n").replace('\r', "\n"))
}

/// A doctype, by html5ever's own tokeniser: a page has one.
fn doctype(text: &str) -> Doctype {
    use std::cell::RefCell;

    use html5ever::tokenizer::{Tokenizer, TokenizerOpts};

    #[derive(Default)]
    struct Found(RefCell<Doctype>);

    impl TokenSink for Found {
        type Handle = ();

        fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
            if let Token::DoctypeToken(doctype) = token {
                self.0.replace(doctype);
            }
            TokenSinkResult::Continue
        }
    }

    let tokenizer = Tokenizer::new(Found::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(text));
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

/// Where the end tag of a script begins. A script within a comment within the script hides it.
fn script_end(text: &[u8]) -> Option<usize> {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Script {
        Plain,
        Comment,
        Nested,
    }
    let mut state = Script::Plain;
    let mut at = 0;
    loop {
        at += match state {
            Script::Plain => memchr(b'<', &text[at..])?,
            _ => memchr2(b'<', b'-', &text[at..])?,
        };
        let rest = &text[at..];
        let is_end = is_tag(&rest[1..], b"/", "script");
        match state {
            Script::Plain if rest.starts_with(b"<!--") => {
                // the dashes that open the comment may close it
                state = Script::Comment;
                at += 2;
                continue;
            }
            Script::Comment | Script::Nested if rest.starts_with(b"-->") => state = Script::Plain,
            Script::Plain | Script::Comment if is_end && rest[0] == b'<' => return Some(at),
            Script::Comment if rest[0] == b'<' && is_tag(&rest[1..], b"", "script") => state = Script::Nested,
            Script::Nested if is_end && rest[0] == b'<' => state = Script::Comment,
            _ => {}
        }
        at += 1;
    }
}

/// True where a prefix, a name, and what ends a name follow.
fn is_tag(text: &[u8], prefix: &[u8], name: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() > name.len()
            && rest[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            && (is_blank(rest[name.len()]) || matches!(rest[name.len()], b'/' | b'>'))
    })
}

/// A tag's name as the tree has it.
fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| !byte.is_ascii_uppercase() && byte != b'\0') {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace('\0', "\u{fffd}").to_ascii_lowercase())
}
