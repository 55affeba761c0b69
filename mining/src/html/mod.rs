//! The report for people: one self-contained HTML page, which needs no network and works from a file.
//!
//! Everything that comes from outside goes through [`escape`]; the page's own policy (Content-Security-Policy) lets only
//! its one script run and nothing be loaded, should an escape ever be forgotten.

mod chart;
mod escape;
mod script;
mod table;

use std::fmt::Write;

pub use escape::escape;

use crate::findings::{Body, Cell, Fact, Section};

const STYLE: &str = include_str!("style.css");

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Heading.
    pub title: &'a str,
    /// Line under it.
    pub subtitle: &'a str,
    /// Figures for the head.
    pub facts: &'a [Fact],
    /// Files beside the page: (name, what it is).
    pub files: &'a [(String, String)],
    /// Charts and tables.
    pub sections: &'a [Section],
}

/// The page as text. The same findings give the same bytes.
pub fn page(page: &Page<'_>) -> String {
    let mut out = String::with_capacity(1 << 16);
    let title = escape(page.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src '{}'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"sub\">{}</p>\n",
        script::hash(),
        escape(page.subtitle)
    );
    facts(&mut out, page.facts);
    out.push_str("</header>\n<main>\n");
    for section in page.sections {
        let _ = write!(
            out,
            "<section>\n<h2>{}</h2>\n<p class=\"note\">{}</p>\n",
            escape(&section.title),
            escape(&section.note)
        );
        match &section.body {
            Body::Bars(bars) => chart::bars(&mut out, bars),
            Body::LogLog(plot) => chart::log_log(&mut out, plot),
            Body::Map(series) => chart::map(&mut out, series),
            Body::Matrix(matrix) => table::matrix(&mut out, matrix),
            Body::Table(view) => table::view(&mut out, view),
        }
        out.push_str("</section>\n");
    }
    out.push_str("</main>\n");
    files(&mut out, page.files);
    let _ = write!(out, "<script>{}</script>\n</body>\n</html>\n", script::SORT);
    out
}

fn facts(out: &mut String, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    out.push_str("<dl class=\"facts\">\n");
    for fact in facts {
        let _ = write!(out, "<div><dt>{}</dt><dd>", escape(fact.name));
        cell(out, &fact.value);
        out.push_str("</dd></div>\n");
    }
    out.push_str("</dl>\n");
}

fn files(out: &mut String, files: &[(String, String)]) {
    if files.is_empty() {
        return;
    }
    out.push_str("<footer>\n<h2>Files</h2>\n<ul>\n");
    for (name, what) in files {
        let _ = writeln!(out, "<li><a href=\"{0}\">{0}</a> – {1}</li>", escape(name), escape(what));
    }
    out.push_str("</ul>\n</footer>\n");
}

/// Content of a cell. A page links to its URL only when that is http or https.
fn cell(out: &mut String, cell: &Cell) {
    match cell {
        Cell::Null => {}
        Cell::Text(text) => out.push_str(&escape(text)),
        Cell::Int(n) => out.push_str(&crate::report::grouped(*n)),
        Cell::Float(x) => out.push_str(&crate::report::score(*x)),
        Cell::File { path, name } => drop(write!(out, "<a href=\"{}\">{}</a>", escape(path), escape(name))),
        Cell::Page { url, title } => {
            let shown = escape(title.as_deref().unwrap_or(url));
            if url.starts_with("http://") || url.starts_with("https://") {
                let _ = write!(out, "<a href=\"{}\" rel=\"noreferrer noopener\">{shown}</a>", escape(url));
            } else {
                out.push_str(&shown);
            }
            if title.is_some() {
                let _ = write!(out, "<span class=\"url\">{}</span>", escape(url));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Bar, LogLog, Matrix, Series, View};

    fn hostile() -> Vec<Section> {
        let evil = || "<script>alert(1)</script>\"'&\u{0}".to_owned();
        let url = || format!("javascript:{}", evil());
        let section = |body| Section { title: evil(), note: evil(), body };
        let page = Cell::Page { url: url(), title: Some(evil()) };
        vec![
            section(Body::Bars(vec![Bar { label: page.clone(), value: f64::NAN, text: evil() }])),
            section(Body::LogLog(LogLog {
                x: evil(),
                y: evil(),
                series: vec![Series { name: evil(), points: vec![(0.0, 1.0), (f64::INFINITY, 2.0), (1.0, 1.0)] }],
            })),
            section(Body::Matrix(Matrix { rows: vec![evil()], columns: vec![evil()], counts: vec![vec![1]] })),
            section(Body::Table(View { columns: vec!["<b>"], rows: vec![vec![page], vec![Cell::Text(evil())]] })),
        ]
    }

    #[test]
    fn what_comes_from_outside_is_text_and_never_markup() {
        let sections = hostile();
        let facts = [Fact { name: "<i>", value: Cell::Text("<script>".to_owned()) }];
        let files = [("\"><img src=x>".to_owned(), "<script>".to_owned())];
        let html =
            page(&Page { title: "<script>", subtitle: "<script>", facts: &facts, files: &files, sections: &sections });
        assert_eq!(html.matches("<script").count(), 1, "only the page's own");
        assert!(!html.contains("href=\"javascript:") && !html.contains("<img") && !html.contains("<b>"));
        assert!(!html.contains('\u{0}') && !html.contains("NaN") && !html.contains("inf"));
    }

    #[test]
    fn nothing_is_loaded_from_anywhere() {
        let sections = hostile();
        let html = page(&Page { title: "t", subtitle: "s", facts: &[], files: &[], sections: &sections });
        for loads in [" src=", "@import", "url(", "<link", "<iframe", "fetch(", "XMLHttpRequest"] {
            assert!(!html.contains(loads), "{loads}");
        }
    }

    #[test]
    fn empty_findings_still_make_a_page() {
        let empty = |body| Section { title: "t".to_owned(), note: String::new(), body };
        let sections = [
            empty(Body::Bars(vec![])),
            empty(Body::LogLog(LogLog { x: "x".to_owned(), y: "y".to_owned(), series: vec![] })),
            empty(Body::Matrix(Matrix { rows: vec![], columns: vec![], counts: vec![] })),
            empty(Body::Table(View::default())),
        ];
        let html = page(&Page { title: "t", subtitle: "", facts: &[], files: &[], sections: &sections });
        assert_eq!(html.matches("Nothing to show").count(), 4);
    }
}
