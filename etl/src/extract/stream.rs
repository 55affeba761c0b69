//! Reads a page as a stream of tokens, with no tree: for pages beyond the bounds of one, however deep, long or hostile.
//!
//! Head, scripts and text come out as from a tree, but that the text is all of the page's, navigation and all: without a tree
//! nobody can say where an element that is never closed ends.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{Rawtext, Rcdata, ScriptData};
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use super::facts::{Attributes, Facts, Head, Lines};
use super::tree::pieces;

/// Bytes that are read between two looks at the clock.
const PIECE: usize = 4 << 10;

/// What a page says, as far as it can be read in that time.
pub fn read(page: &str, time: Duration) -> Facts {
    let started = Instant::now();
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    for piece in pieces(page, PIECE) {
        input.push_back(StrTendril::from_slice(piece));
        while !matches!(tokenizer.feed(&input), TokenizerResult::Done) {}
        if started.elapsed() > time {
            break;
        }
    }
    tokenizer.end();
    let State { head, lines, .. } = tokenizer.sink.0.into_inner();
    head.finish(lines.finish())
}

#[derive(Default)]
struct Sink(RefCell<State>);

#[derive(Default)]
struct State {
    head: Head,
    lines: Lines,
    /// The element whose raw text is being read, with that text where it is wanted.
    raw: Option<Raw>,
}

struct Raw {
    name: String,
    src: Option<String>,
    text: Option<String>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut state = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return state.start(&tag),
            Token::TagToken(tag) => state.end(&tag.name),
            Token::CharacterTokens(text) => state.text(&text),
            Token::EOFToken => state.close(),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State {
    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        self.close();
        let name: &str = &tag.name;
        self.lines.element(name);
        let (wanted, kind) = match name {
            "title" => (true, Rcdata),
            "textarea" => (false, Rcdata),
            "script" => (true, ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" | "noscript" => (false, Rawtext),
            _ => {
                self.head.element(name, &Of(tag));
                return TokenSinkResult::Continue;
            }
        };
        let src = Of(tag).value("src").filter(|_| name == "script").map(str::to_owned);
        self.raw = Some(Raw { name: name.to_owned(), src, text: wanted.then(String::new) });
        TokenSinkResult::RawData(kind)
    }

    fn end(&mut self, name: &str) {
        self.close();
        self.lines.element(name);
    }

    fn text(&mut self, text: &str) {
        match &mut self.raw {
            Some(raw) => {
                if let Some(wanted) = &mut raw.text {
                    wanted.push_str(text);
                }
            }
            None => self.lines.text(text),
        }
    }

    fn close(&mut self) {
        let Some(raw) = self.raw.take() else { return };
        match (raw.name.as_str(), raw.text) {
            ("title", Some(text)) => self.head.title(&text),
            ("script", text) => self.head.script(raw.src.as_deref(), || text.unwrap_or_default()),
            _ => {}
        }
    }
}

struct Of<'a>(&'a Tag);

impl Attributes for Of<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.attrs.iter().find(|a| &*a.name.local == name).map(|a| &*a.value)
    }
}
