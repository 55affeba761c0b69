//! Reads a page off its tree: head, scripts, and the main content.
//!
//! **Main content.** The first `<main>` or `role=main` that has text; else all outermost `<article>`s, when they hold at
//! least two fifths of the page's text; else the body. In each, what is not content is left out: scripts, styles, templates, navigation, asides,
//! footers, controls, embedded things, what is hidden, and what has the role of one of these; of the body also its header.
//!
//! The tree is walked with no recursion, so its depth does not matter.

use std::cell::{Cell, RefCell};

use ego_tree::NodeRef;
use scraper::{Html, Node};

use super::facts::{Attributes, Facts, Head, Lines};

/// What a parsed page says.
pub fn read(html: &Html) -> Facts {
    let mut head = Head::default();
    let mut places = Places::default();
    // Articles around the place where the walk is.
    let within = Cell::new(0_usize);
    walk(
        html.tree.root(),
        |node| {
            let Node::Element(element) = node.value() else { return true };
            let name = element.name();
            match name {
                "template" => return false,
                "title" if element.name.ns == html5ever::ns!(html) => head.title(&inner_text(node)),
                "script" => head.script(element.attr("src"), || inner_text(node)),
                "html" | "base" | "meta" | "link" => head.element(name, &Of(element)),
                "body" if places.body.is_none() => places.body = Some(node),
                "article" if within.replace(within.get() + 1) == 0 => {
                    places.articles.push(node);
                }
                _ => {}
            }
            if name == "main" || !element.attrs.is_empty() && element.attr("role").is_some_and(|role| role == "main") {
                places.mains.push(node);
            }
            true
        },
        |node| {
            if node.value().as_element().is_some_and(|e| e.name() == "article") {
                within.set(within.get() - 1);
            }
        },
    );
    head.finish(places.main_content())
}

/// Where content may be.
#[derive(Default)]
struct Places<'a> {
    body: Option<NodeRef<'a, Node>>,
    mains: Vec<NodeRef<'a, Node>>,
    /// Those that are in no other.
    articles: Vec<NodeRef<'a, Node>>,
}

impl Places<'_> {
    fn main_content(&self) -> String {
        // A page with hundreds of these means nothing by them; a bound keeps the work linear.
        for main in self.mains.iter().take(4) {
            let mut lines = Lines::default();
            gather(*main, &mut lines);
            if !lines.is_empty() {
                return lines.finish();
            }
        }
        let body = self.body.map(|body| {
            let mut lines = Lines::default();
            gather(body, &mut lines);
            lines.finish()
        });
        let body = body.unwrap_or_default();
        let mut articles = Lines::default();
        for article in &self.articles {
            gather(*article, &mut articles);
            articles.line();
        }
        let articles = articles.finish();
        if !articles.is_empty() && articles.len() * 5 >= body.len() * 2 { articles } else { body }
    }
}

/// Adds the text below a node that is content.
fn gather(root: NodeRef<'_, Node>, lines: &mut Lines) {
    let whole_page = root.value().as_element().is_some_and(|e| e.name() == "body");
    let lines = RefCell::new(lines);
    walk(
        root,
        |node| match node.value() {
            Node::Text(text) => {
                lines.borrow_mut().text(text);
                false
            }
            Node::Element(element) => {
                let name = element.name();
                lines.borrow_mut().element(name);
                node == root
                    || !(is_clutter(name) || whole_page && name == "header" || is_clutter_by_attribute(element))
            }
            _ => false,
        },
        |node| {
            if let Node::Element(element) = node.value() {
                lines.borrow_mut().element(element.name());
            }
        },
    );
}

fn is_clutter(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "noscript"
            | "template"
            | "nav"
            | "aside"
            | "footer"
            | "head"
            | "title"
            | "svg"
            | "iframe"
            | "object"
            | "embed"
            | "canvas"
            | "audio"
            | "video"
            | "map"
            | "select"
            | "datalist"
            | "button"
            | "input"
            | "textarea"
            | "dialog"
            | "noembed"
            | "noframes"
            | "menu"
            | "search"
    )
}

fn is_clutter_by_attribute(element: &scraper::node::Element) -> bool {
    element.attrs().any(|(name, value)| match name {
        "hidden" => value != "until-found",
        "aria-hidden" => value == "true",
        "role" => matches!(
            value,
            "navigation"
                | "banner"
                | "contentinfo"
                | "search"
                | "complementary"
                | "menu"
                | "menubar"
                | "toolbar"
                | "dialog"
                | "alertdialog"
                | "directory"
                | "doc-toc"
        ),
        "style" => hides(value),
        _ => false,
    })
}

/// `display: none`, in whatever spelling.
fn hides(style: &str) -> bool {
    style.split(';').any(|declaration| {
        declaration.split_once(':').is_some_and(|(property, value)| {
            property.trim().eq_ignore_ascii_case("display")
                && value.trim_start().get(..4).is_some_and(|v| v.eq_ignore_ascii_case("none"))
        })
    })
}

/// All text below a node, as it stands.
fn inner_text(root: NodeRef<'_, Node>) -> String {
    let mut out = String::new();
    walk(
        root,
        |node| {
            if let Node::Text(text) = node.value() {
                out.push_str(text);
            }
            true
        },
        |_| {},
    );
    out
}

/// Visits a node and all below it in document order: `enter` says whether to go below, `leave` comes after that.
fn walk<'a>(
    root: NodeRef<'a, Node>,
    mut enter: impl FnMut(NodeRef<'a, Node>) -> bool,
    mut leave: impl FnMut(NodeRef<'a, Node>),
) {
    let mut node = root;
    loop {
        if enter(node)
            && let Some(child) = node.first_child()
        {
            node = child;
            continue;
        }
        loop {
            leave(node);
            if node == root {
                return;
            }
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            match node.parent() {
                Some(parent) => node = parent,
                None => return,
            }
        }
    }
}

struct Of<'a>(&'a scraper::node::Element);

impl Attributes for Of<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.attr(name)
    }
}
