//! What an element is to extraction: told once by its name and attributes, so that a walk of the tree compares no texts.

use html5ever::Attribute;

use super::facts::{Break, breaks};

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The elements that a walk looks at.
    pub role: Role,
    /// How it parts text.
    pub breaks: Break,
    /// It is no content: by its name, or by an attribute.
    pub clutter: bool,
    /// It is, or says that it is, the page's main content.
    pub main: bool,
}

/// Elements that a walk looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// None of these.
    Other,
    /// `article`.
    Article,
    /// `base`.
    Base,
    /// `body`.
    Body,
    /// `header`.
    Header,
    /// `html`.
    Html,
    /// `link`.
    Link,
    /// `meta`.
    Meta,
    /// `script`.
    Script,
    /// `template`.
    Template,
    /// `title`.
    Title,
}

impl Default for Kind {
    fn default() -> Kind {
        Kind { role: Role::Other, breaks: Break::None, clutter: false, main: false }
    }
}

impl Kind {
    /// The kind of an element of that name.
    pub fn of(name: &str) -> Kind {
        let role = match name {
            "article" => Role::Article,
            "base" => Role::Base,
            "body" => Role::Body,
            "header" => Role::Header,
            "html" => Role::Html,
            "link" => Role::Link,
            "meta" => Role::Meta,
            "script" => Role::Script,
            "template" => Role::Template,
            "title" => Role::Title,
            _ => Role::Other,
        };
        Kind { role, breaks: breaks(name), clutter: is_clutter(name), main: name == "main" }
    }

    /// Takes note of the element's attributes.
    pub fn see(&mut self, attributes: &[Attribute]) {
        for Attribute { name, value } in attributes {
            match &*name.local {
                "role" if &**value == "main" => self.main = true,
                name => self.clutter |= is_clutter_by_attribute(name, value),
            }
        }
    }

    /// Its attributes are read when the tree is there.
    pub fn is_read(self) -> bool {
        matches!(self.role, Role::Base | Role::Body | Role::Html | Role::Link | Role::Meta | Role::Script)
    }
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

fn is_clutter_by_attribute(name: &str, value: &str) -> bool {
    match name {
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
    }
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
