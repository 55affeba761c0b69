//! Reads a page off its tree: head, scripts, and the main content.
//!
//! **Main content.** The first `<main>` or `role=main` that has text; else all outermost `<article>`s, when they hold at
//! least two fifths of the page's text; else the body. In each, what is not content is left out: scripts, styles, templates, navigation, asides,
//! footers, controls, embedded things, what is hidden, and what has the role of one of these; of the body also its header.
//!
//! The tree is walked with no recursion, so its depth does not matter.

use std::cell::{Cell, RefCell};

use html5ever::Attribute;

use super::facts::{Attributes, Facts, Head, Lines};
use super::kind::Role;
use super::tree::{Id, Tree};

/// What a parsed page says.
pub fn read(tree: &Tree) -> Facts {
    let mut head = Head::default();
    let mut places = Places::default();
    // Articles around the place where the walk is.
    let within = Cell::new(0_usize);
    tree.walk(
        Tree::ROOT,
        |id| {
            let Some(kind) = tree.element(id) else { return true };
            let attributes = || Of(tree.attributes(id));
            match kind.role {
                Role::Other | Role::Header => {}
                Role::Template => return false,
                Role::Title => head.title(&tree.inner_text(id)),
                Role::Script => head.script(attributes().value("src"), || tree.inner_text(id)),
                Role::Html => head.element("html", &attributes()),
                Role::Base => head.element("base", &attributes()),
                Role::Meta => head.element("meta", &attributes()),
                Role::Link => head.element("link", &attributes()),
                Role::Body => {
                    places.body.get_or_insert(id);
                }
                Role::Article => {
                    if within.replace(within.get() + 1) == 0 {
                        places.articles.push(id);
                    }
                }
            }
            if kind.main {
                places.mains.push(id);
            }
            true
        },
        |id| {
            if tree.element(id).is_some_and(|kind| kind.role == Role::Article) {
                within.set(within.get() - 1);
            }
        },
    );
    head.finish(places.main_content(tree))
}

/// Where content may be.
#[derive(Default)]
struct Places {
    body: Option<Id>,
    mains: Vec<Id>,
    /// Those that are in no other.
    articles: Vec<Id>,
}

impl Places {
    fn main_content(&self, tree: &Tree) -> String {
        // A page with hundreds of these means nothing by them; a bound keeps the work linear.
        for main in self.mains.iter().take(4) {
            let mut lines = Lines::default();
            gather(tree, *main, &mut lines);
            if !lines.is_empty() {
                return lines.finish();
            }
        }
        let body = self.body.map(|body| {
            let mut lines = Lines::default();
            gather(tree, body, &mut lines);
            lines.finish()
        });
        let body = body.unwrap_or_default();
        let mut articles = Lines::default();
        for article in &self.articles {
            gather(tree, *article, &mut articles);
            articles.line();
        }
        let articles = articles.finish();
        if !articles.is_empty() && articles.len() * 5 >= body.len() * 2 { articles } else { body }
    }
}

/// Adds the text below a node that is content.
fn gather(tree: &Tree, root: Id, lines: &mut Lines) {
    let whole_page = tree.element(root).is_some_and(|kind| kind.role == Role::Body);
    let lines = RefCell::new(lines);
    tree.walk(
        root,
        |id| {
            let mut lines = lines.borrow_mut();
            match tree.element(id) {
                Some(kind) => {
                    lines.part(kind.breaks);
                    id == root || !(kind.clutter || whole_page && kind.role == Role::Header)
                }
                None => {
                    lines.text(tree.text(id).unwrap_or_default());
                    false
                }
            }
        },
        |id| {
            if let Some(kind) = tree.element(id) {
                lines.borrow_mut().part(kind.breaks);
            }
        },
    );
}

struct Of<'a>(&'a [Attribute]);

impl Attributes for Of<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
    }
}
