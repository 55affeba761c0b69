//! The tree of a page, within bounds of nodes, depth and time: html5ever's tree builder over nodes of 28 bytes that know only
//! what content is read from.
//!
//! The page is cut into tokens, and now and then the tree is looked at. A page beyond the bounds has no tree; it is read as a
//! stream of tokens instead ([`stream`](super::stream)), which needs no memory and no stack.

mod sink;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::TokenSink;
use html5ever::tree_builder::{NodeOrText, TreeBuilder, TreeBuilderOpts};
use html5ever::{Attribute, QualName, ns};

use super::kind::{Kind, Role};
use super::tokens::{Tokens, unified};
use sink::{Handle, Sink};

/// Bounds of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Nodes.
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

/// The tree of a page; none when it is beyond the bounds. A collector of links is given the page's tags and texts on the way.
pub fn parse(page: &str, bounds: &Bounds, links: &mut Option<web::Collector>) -> Option<Tree> {
    let started = Instant::now();
    let page = unified(page);
    // without scripting, `<noscript>` has elements, and links among them
    let options = TreeBuilderOpts { scripting_enabled: false, ..TreeBuilderOpts::default() };
    let builder = TreeBuilder::new(Sink(RefCell::new(Tree::new(page.len()))), options);
    let mut tokens = Tokens::new(&page);
    let mut look = PIECE;
    while tokens.step(&builder, links) {
        if tokens.at() >= look {
            look = tokens.at() + PIECE;
            let tree = builder.sink.0.borrow();
            let last = Node::index(tree.nodes.len().saturating_sub(1));
            if tree.nodes.len() > bounds.nodes || tree.is_deeper(last, bounds.depth) || started.elapsed() > bounds.time
            {
                return None;
            }
        }
    }
    builder.end();
    Some(builder.sink.0.into_inner())
}

/// A node of a tree, by its place in it.
pub type Id = u32;

/// No node.
const NONE: Id = Id::MAX;

/// Places for kinds; a page has some thirty names.
const KINDS: usize = 64;

/// A parsed page.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    texts: Vec<StrTendril>,
    /// Attributes of the elements that have some, by node.
    attributes: HashMap<Id, Vec<Attribute>>,
    /// Kinds of names that were met, with what stands for the name.
    kinds: [(u64, Kind); KINDS],
}

#[derive(Debug)]
struct Node {
    parent: Id,
    previous: Id,
    next: Id,
    first: Id,
    last: Id,
    content: Content,
}

/// What a node is.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// The document, or the content of a template.
    Root,
    Text(u32),
    Element(Kind),
}

impl Node {
    fn new(content: Content) -> Node {
        Node { parent: NONE, previous: NONE, next: NONE, first: NONE, last: NONE, content }
    }

    /// A place as an id. A page of 15 MiB has fewer nodes than 32 bits count.
    fn index(place: usize) -> Id {
        Id::try_from(place).unwrap_or(NONE)
    }
}

impl Tree {
    /// The document.
    pub const ROOT: Id = 0;

    fn new(bytes: usize) -> Tree {
        let mut nodes = Vec::with_capacity(bytes / 32);
        nodes.push(Node::new(Content::Root));
        Tree {
            nodes,
            texts: Vec::with_capacity(bytes / 64),
            attributes: HashMap::new(),
            kinds: [(0, Kind::default()); KINDS],
        }
    }

    /// The kind of an element.
    pub fn element(&self, id: Id) -> Option<Kind> {
        match self.nodes[id as usize].content {
            Content::Element(kind) => Some(kind),
            _ => None,
        }
    }

    /// The text of a text node.
    pub fn text(&self, id: Id) -> Option<&str> {
        match self.nodes[id as usize].content {
            Content::Text(text) => self.texts.get(text as usize).map(|text| &**text),
            _ => None,
        }
    }

    /// The attributes of an element that are read, by local name.
    pub fn attributes(&self, id: Id) -> &[Attribute] {
        self.attributes.get(&id).map_or(&[], |attributes| attributes)
    }

    /// All text below a node, as it stands.
    pub fn inner_text(&self, root: Id) -> String {
        let mut out = String::new();
        self.walk(
            root,
            |id| {
                out.push_str(self.text(id).unwrap_or_default());
                true
            },
            |_| {},
        );
        out
    }

    /// Visits a node and all below it in document order: `enter` says whether to go below, `leave` comes after that. There is
    /// no recursion, so depth does not matter.
    pub fn walk(&self, root: Id, mut enter: impl FnMut(Id) -> bool, mut leave: impl FnMut(Id)) {
        let mut id = root;
        loop {
            if enter(id) {
                let first = self.nodes[id as usize].first;
                if first != NONE {
                    id = first;
                    continue;
                }
            }
            loop {
                leave(id);
                if id == root {
                    return;
                }
                let node = &self.nodes[id as usize];
                if node.next != NONE {
                    id = node.next;
                    break;
                }
                if node.parent == NONE {
                    return;
                }
                id = node.parent;
            }
        }
    }

    fn is_deeper(&self, mut id: Id, depth: usize) -> bool {
        for _ in 0..=depth {
            if id == NONE {
                return false;
            }
            id = self.nodes[id as usize].parent;
        }
        true
    }

    fn add(&mut self, content: Content) -> Id {
        self.nodes.push(Node::new(content));
        Node::index(self.nodes.len() - 1)
    }

    fn add_text(&mut self, text: StrTendril) -> Id {
        self.texts.push(text);
        self.add(Content::Text(Node::index(self.texts.len() - 1)))
    }

    fn kind(&mut self, name: &QualName) -> Kind {
        if name.local.is_dynamic() || name.ns != ns!(html) {
            // what stands for such a name may stand for another later; and a title is one in HTML only
            let kind = Kind::of(&name.local);
            return if kind.role == Role::Title { Kind { role: Role::Other, ..kind } } else { kind };
        }
        let atom = name.local.unsafe_data();
        // 2^64 over the golden ratio spreads them
        let place = atom.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let known = &mut self.kinds[place as usize % KINDS];
        if known.0 != atom {
            *known = (atom, Kind::of(&name.local));
        }
        known.1
    }

    /// The node that a child to be added is. What is no node of ours (a comment) is none.
    fn child(&mut self, child: NodeOrText<Handle>) -> Id {
        match child {
            NodeOrText::AppendNode(handle) => handle.id,
            NodeOrText::AppendText(text) => self.add_text(text),
        }
    }

    fn append(&mut self, parent: Id, id: Id) {
        if id == NONE || parent == NONE {
            return;
        }
        let last = std::mem::replace(&mut self.nodes[parent as usize].last, id);
        let node = &mut self.nodes[id as usize];
        node.parent = parent;
        node.previous = last;
        node.next = NONE;
        match last {
            NONE => self.nodes[parent as usize].first = id,
            last => self.nodes[last as usize].next = id,
        }
    }

    fn insert_before(&mut self, sibling: Id, id: Id) {
        let (parent, previous) = match self.nodes.get(sibling as usize) {
            Some(node) if node.parent != NONE && id != NONE => (node.parent, node.previous),
            _ => return,
        };
        let node = &mut self.nodes[id as usize];
        (node.parent, node.previous, node.next) = (parent, previous, sibling);
        self.nodes[sibling as usize].previous = id;
        match previous {
            NONE => self.nodes[parent as usize].first = id,
            previous => self.nodes[previous as usize].next = id,
        }
    }

    fn detach(&mut self, id: Id) {
        if id == NONE {
            return;
        }
        let node = &mut self.nodes[id as usize];
        let (parent, previous, next) = (node.parent, node.previous, node.next);
        (node.parent, node.previous, node.next) = (NONE, NONE, NONE);
        if parent == NONE {
            return;
        }
        match previous {
            NONE => self.nodes[parent as usize].first = next,
            previous => self.nodes[previous as usize].next = next,
        }
        match next {
            NONE => self.nodes[parent as usize].last = previous,
            next => self.nodes[next as usize].previous = previous,
        }
    }
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
