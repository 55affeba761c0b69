//! What the page and the summary of `mine keywords` show.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Weights, ranked};
use crate::bags::Corpus;
use crate::findings::{Body, Cell, Fact, Findings, LogLog, Section, Series, View};

/// Pages of the report's table.
const PAGES: usize = 200;
/// Keywords of a page that it shows.
const SHOWN: usize = 10;

/// Facts, sections and summary; no tables yet.
pub fn describe(corpus: &Corpus, weights: &Weights, rows: usize) -> Result<Findings> {
    // The longest pages have most to say; equal ones by URL.
    let mut order: Vec<usize> = (0..corpus.pages.len()).collect();
    order.sort_by_key(|&page| std::cmp::Reverse(corpus.pages[page].length));
    let mut shown = Vec::new();
    for &number in order.iter().take(PAGES.max(rows)) {
        let page = &corpus.pages[number];
        let cells = ranked(corpus, weights, page, SHOWN)?;
        let words: Vec<&str> = cells.iter().map(|cell| &*corpus.terms[cell.term as usize]).collect();
        let url = Cell::Page { url: page.url.to_string(), title: None };
        shown.push(vec![url, Cell::Int(i64::from(page.length)), Cell::Text(words.join(", "))]);
    }
    let view = |rows: usize| View {
        columns: vec!["page", "words", "keywords"],
        rows: shown.iter().take(rows).cloned().collect(),
    };
    Ok(Findings {
        facts: vec![
            Fact::count("pages", corpus.pages.len()),
            Fact::count("distinct terms", corpus.terms.len()),
            Fact::count("occurrences", corpus.length as usize),
        ],
        sections: vec![
            Section {
                title: "Pages and their keywords".to_owned(),
                note: format!(
                    "The {} longest pages, each with its {SHOWN} terms of the highest weight. The Parquet file has all \
                     pages.",
                    PAGES.min(corpus.pages.len())
                ),
                body: Body::Table(view(PAGES)),
            },
            frequencies(corpus),
        ],
        summary: view(rows),
        ..Findings::default()
    })
}

fn frequencies(corpus: &Corpus) -> Section {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for &df in &corpus.df {
        *counts.entry(df).or_default() += 1;
    }
    let points = counts.into_iter().map(|(df, terms)| (f64::from(df), terms as f64)).collect();
    Section {
        title: "Document frequencies".to_owned(),
        note: "How many terms stand on how many pages, both axes logarithmic. Terms on the left are on few pages, and \
               weigh most where they stand."
            .to_owned(),
        body: Body::LogLog(LogLog {
            x: "pages that hold the term".to_owned(),
            y: "terms".to_owned(),
            series: vec![Series { name: "terms".to_owned(), points }],
        }),
    }
}
