//! What html5ever's tree builder builds with.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tree_builder::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, LocalName, Namespace, QualName, local_name, ns};

use super::{Content, Id, Kind, NONE, Tree};

/// What the tree builder knows a node by. It asks for names at every tag, so they are at hand.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) id: Id,
    ns: Namespace,
    local: LocalName,
}

impl Handle {
    fn nameless(id: Id) -> Handle {
        Handle { id, ns: ns!(), local: local_name!("") }
    }
}

impl ElemName for &Handle {
    fn ns(&self) -> &Namespace {
        &self.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.local
    }
}

/// Takes what the tree builder builds.
pub(super) struct Sink(pub(super) RefCell<Tree>);

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Tree;
    type ElemName<'a> = &'a Handle;

    fn finish(self) -> Tree {
        self.0.into_inner()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        Handle::nameless(Tree::ROOT)
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> &'a Handle {
        target
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> Handle {
        let mut tree = self.0.borrow_mut();
        let mut kind = tree.kind(&name);
        kind.see(&attributes);
        let id = tree.add(Content::Element(kind));
        if flags.template {
            // the next node, by which `get_template_contents` finds it
            let content = tree.add(Content::Root);
            tree.append(id, content);
        }
        if !attributes.is_empty() && kind.is_read() {
            tree.attributes.insert(id, attributes);
        }
        Handle { id, ns: name.ns, local: name.local }
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        Handle::nameless(NONE)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        Handle::nameless(NONE)
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        let mut tree = self.0.borrow_mut();
        let id = tree.child(child);
        tree.append(parent.id, id);
    }

    fn append_based_on_parent_node(&self, element: &Handle, previous: &Handle, child: NodeOrText<Handle>) {
        let has_parent = self.0.borrow().nodes[element.id as usize].parent != NONE;
        if has_parent { self.append_before_sibling(element, child) } else { self.append(previous, child) }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Handle) -> Handle {
        Handle::nameless(target.id + 1)
    }

    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        x.id == y.id
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        let mut tree = self.0.borrow_mut();
        let id = tree.child(child);
        tree.detach(id);
        tree.insert_before(sibling.id, id);
    }

    fn add_attrs_if_missing(&self, target: &Handle, more: Vec<Attribute>) {
        let mut tree = self.0.borrow_mut();
        let attributes = tree.attributes.entry(target.id).or_default();
        for attribute in more {
            if attributes.iter().all(|known| known.name != attribute.name) {
                attributes.push(attribute);
            }
        }
        let mut seen = Kind::of(&target.local);
        seen.see(attributes);
        tree.nodes[target.id as usize].content = Content::Element(seen);
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.0.borrow_mut().detach(target.id);
    }

    fn reparent_children(&self, node: &Handle, parent: &Handle) {
        let mut tree = self.0.borrow_mut();
        loop {
            let first = tree.nodes[node.id as usize].first;
            if first == NONE {
                return;
            }
            tree.detach(first);
            tree.append(parent.id, first);
        }
    }

    fn attach_declarative_shadow(&self, _: &Handle, _: &Handle, _: &[Attribute]) -> bool {
        false
    }
}
