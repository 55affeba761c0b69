//! Parses a page into `scraper`'s tree, within bounds of nodes, depth and time.
//!
//! The page is fed to the parser in pieces, and after each piece the tree is looked at. A page beyond the bounds has no tree;
//! it is read as a stream of tokens instead ([`stream`](super::stream)), which needs no memory and no stack.

use std::time::{Duration, Instant};

use html5ever::ParseOpts;
use html5ever::driver;
use html5ever::tendril::{StrTendril, TendrilSink};
use scraper::{Html, HtmlTreeSink};

/// Bounds of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Nodes, of some 200 bytes each.
    pub nodes: usize,
    /// Elements within one another. Browsers end at 512 too; the parser's work per tag grows with it.
    pub depth: usize,
    /// Time of one page; only a page made to be slow reaches it.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { nodes: 1_000_000, depth: 512, time: Duration::from_secs(10) }
    }
}

/// Bytes that are parsed between two looks at the tree.
const PIECE: usize = 4 << 10;

/// The tree of a page; none when it is beyond the bounds.
pub fn parse(page: &str, bounds: &Bounds) -> Option<Html> {
    let started = Instant::now();
    let mut parser = driver::parse_document(HtmlTreeSink::new(Html::new_document()), ParseOpts::default());
    for piece in pieces(page, PIECE) {
        parser.process(StrTendril::from_slice(piece));
        let html = parser.tokenizer.sink.sink.0.borrow();
        let mut nodes = html.tree.nodes();
        let depth = |last: ego_tree::NodeRef<'_, scraper::Node>| last.ancestors().take(bounds.depth + 1).count();
        if nodes.len() > bounds.nodes
            || nodes.next_back().is_some_and(|last| depth(last) > bounds.depth)
            || started.elapsed() > bounds.time
        {
            return None;
        }
    }
    Some(parser.finish())
}

/// Cuts a text into pieces of about that many bytes, between characters.
pub fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece)
    })
}
