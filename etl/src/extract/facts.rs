//! What is read off a page, whichever way it was parsed.

/// The version of the extractor: raise it when the same page would give other rows. Files of an older one are made anew.
pub const VERSION: &str = "4";

/// What a page says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Text of the first `<title>`.
    pub title: Option<String>,
    /// `<meta name=description>`, else `og:description`.
    pub description: Option<String>,
    /// `<link rel=canonical>`, as it stands there.
    pub canonical: Option<String>,
    /// The first `<base href>`, as it stands there.
    pub base: Option<String>,
    /// `lang` of `<html>`, else `<meta http-equiv=content-language>`.
    pub lang: Option<String>,
    /// Script elements in order, data blocks among them.
    pub scripts: Vec<Script>,
    /// The main content, lines parted by line feeds, white space folded.
    pub text: String,
}

/// A script element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// `src`, as it stands there.
    Elsewhere(String),
    /// Its text.
    Inline(String),
}

/// Attributes of a `<meta>`, `<link>`, `<base>`, `<html>` or `<script>` element, by name.
pub trait Attributes {
    /// Value of the attribute.
    fn value(&self, name: &str) -> Option<&str>;
}

/// A description that only the page's preview for other sites gives, until a better one comes.
#[derive(Debug, Default)]
pub struct Head {
    facts: Facts,
    preview: Option<String>,
    http_lang: Option<String>,
}

impl Head {
    /// Takes note of an element of the page's head (or body: many pages have them there).
    pub fn element(&mut self, name: &str, attributes: &impl Attributes) {
        match name {
            "html" => fill(&mut self.facts.lang, attributes.value("lang").or(attributes.value("xml:lang"))),
            "base" => fill(&mut self.facts.base, attributes.value("href")),
            "meta" => self.meta(attributes),
            "link" => {
                let rel = attributes.value("rel").unwrap_or_default();
                if rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("canonical")) {
                    fill(&mut self.facts.canonical, attributes.value("href"));
                }
            }
            _ => {}
        }
    }

    fn meta(&mut self, attributes: &impl Attributes) {
        let Some(content) = attributes.value("content") else { return };
        let is = |attribute: &str, value: &str| {
            attributes.value(attribute).is_some_and(|v| v.trim().eq_ignore_ascii_case(value))
        };
        if is("name", "description") {
            fill(&mut self.facts.description, Some(content));
        } else if is("property", "og:description") {
            fill(&mut self.preview, Some(content));
        } else if is("http-equiv", "content-language") {
            fill(&mut self.http_lang, content.split(',').next());
        }
    }

    /// The first title counts.
    pub fn title(&mut self, text: &str) {
        fill(&mut self.facts.title, Some(text));
    }

    /// A script element.
    pub fn script(&mut self, src: Option<&str>, text: impl FnOnce() -> String) {
        let script = match src {
            Some(src) => Script::Elsewhere(src.to_owned()),
            None => Script::Inline(text()),
        };
        if !matches!(&script, Script::Inline(text) if text.trim().is_empty()) {
            self.facts.scripts.push(script);
        }
    }

    /// The facts, with the main content.
    pub fn finish(mut self, text: String) -> Facts {
        self.facts.text = text;
        self.facts.description = self.facts.description.or(self.preview);
        self.facts.lang = self.facts.lang.or(self.http_lang);
        self.facts
    }
}

/// Keeps the first text that is not blank, white space folded.
fn fill(fact: &mut Option<String>, text: Option<&str>) {
    if fact.is_none() {
        *fact = text.map(folded).filter(|text| !text.is_empty());
    }
}

/// White space folded to single blanks, none at the ends.
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(1024));
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Gathers text: white space folded, lines where blocks begin and end.
#[derive(Debug, Default)]
pub struct Lines {
    out: String,
    gap: Gap,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Blank,
    Line,
}

impl Lines {
    /// Text as it stands in the page.
    pub fn text(&mut self, text: &str) {
        let Some(first) = text.chars().next() else { return };
        if first.is_whitespace() {
            self.blank();
        }
        if text.is_ascii() {
            // the same, byte by byte; vertical tab is white space too
            let words = text.as_bytes().split(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
            let mut at = 0;
            for word in words {
                if !word.is_empty() {
                    self.word(&text[at..at + word.len()]);
                }
                at += word.len() + 1;
            }
        } else {
            text.split_whitespace().for_each(|word| self.word(word));
        }
        if !text.ends_with(char::is_whitespace) {
            self.gap = Gap::None;
        }
    }

    /// A word, after which a blank comes unless the text says otherwise.
    fn word(&mut self, word: &str) {
        if !self.out.is_empty() {
            match self.gap {
                Gap::None => {}
                Gap::Blank => self.out.push(' '),
                Gap::Line => self.out.push('\n'),
            }
        }
        self.out.push_str(word);
        self.gap = Gap::Blank;
    }

    /// A word ends here.
    pub fn blank(&mut self) {
        self.gap = self.gap.max(Gap::Blank);
    }

    /// A line ends here.
    pub fn line(&mut self) {
        self.gap = Gap::Line;
    }

    /// True while nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was gathered.
    pub fn finish(self) -> String {
        self.out
    }
}

/// How an element parts the text before it from the text after it.
pub fn breaks(name: &str) -> Break {
    match name {
        "address" | "article" | "aside" | "blockquote" | "body" | "br" | "caption" | "center" | "dd" | "details"
        | "dialog" | "dir" | "div" | "dl" | "dt" | "fieldset" | "figcaption" | "figure" | "footer" | "form" | "h1"
        | "h2" | "h3" | "h4" | "h5" | "h6" | "header" | "hgroup" | "hr" | "html" | "legend" | "li" | "listing"
        | "main" | "menu" | "nav" | "ol" | "option" | "p" | "plaintext" | "pre" | "search" | "section" | "summary"
        | "table" | "tbody" | "tfoot" | "thead" | "title" | "tr" | "ul" | "xmp" => Break::Line,
        "td" | "th" | "img" | "rp" | "rt" => Break::Blank,
        _ => Break::None,
    }
}

/// See [`breaks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// It does not.
    None,
    /// Words end.
    Blank,
    /// Lines end.
    Line,
}

impl Lines {
    /// Begin or end of an element.
    pub fn element(&mut self, name: &str) {
        self.part(breaks(name));
    }

    /// Begin or end of an element that parts text so.
    pub fn part(&mut self, breaks: Break) {
        match breaks {
            Break::None => {}
            Break::Blank => self.blank(),
            Break::Line => self.line(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_folded_and_blocks_are_lines() {
        let mut lines = Lines::default();
        lines.text("  a\u{a0}b");
        lines.text("c ");
        lines.text("\n d");
        lines.element("b");
        lines.text("e");
        lines.element("p");
        lines.element("p");
        lines.text("  ");
        lines.text("f");
        lines.element("td");
        lines.text("g");
        assert_eq!(lines.finish(), "a bc de\nf g");
    }

    #[test]
    fn the_first_that_says_something_counts() {
        struct A(&'static [(&'static str, &'static str)]);
        impl Attributes for A {
            fn value(&self, name: &str) -> Option<&str> {
                self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
            }
        }
        let mut head = Head::default();
        head.title("  ");
        head.title(" a\n b ");
        head.title("c");
        head.element("meta", &A(&[("http-equiv", "Content-Language"), ("content", "de, en")]));
        head.element("meta", &A(&[("property", "og:description"), ("content", "preview")]));
        head.element("meta", &A(&[("name", "Description"), ("content", " own ")]));
        head.element("link", &A(&[("rel", "x CANONICAL"), ("href", "/c")]));
        head.script(None, || " ".into());
        head.script(None, || "x".into());
        let facts = head.finish("t".into());
        assert_eq!(facts.title.as_deref(), Some("a b"));
        assert_eq!(facts.description.as_deref(), Some("own"));
        assert_eq!(facts.lang.as_deref(), Some("de"));
        assert_eq!(facts.canonical.as_deref(), Some("/c"));
        assert_eq!(facts.scripts, [Script::Inline("x".into())]);
    }
}
