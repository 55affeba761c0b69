//! `mine keywords`: which terms set a page apart from the others.

mod sections;
mod weigh;

use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use archive::DataSet;
use clap::{Args, FromArgMatches};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use crate::bags::{Corpus, Page};
use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Float, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column};
use crate::source::Source;
use crate::text::{self, Tokens};
use crate::threads::each;
pub use weigh::{Scheme, Weights};

/// The miner.
pub const MINER: Miner = Miner {
    name: "keywords",
    about: "Keywords: the terms that set each page apart, by TF-IDF or BM25",
    help: "\
Input: `pages` (text, language, status): each URL's newest fetch with status 200 and HTML over the span.

Method: tfidf: tf * (ln((1 + n) / (1 + df)) + 1) for n pages, each page's weights then divided by their Euclidean \
length (smooth idf, natural tf and l2 norm: scikit-learn's TfidfVectorizer with its defaults). bm25: Robertson and \
Zaragoza 2009, ln(1 + (n - df + 0.5) / (df + 0.5)) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length)). \
Tokens as in `mine terms`, or with --tokens sklearn those of scikit-learn: every match of (?u)\\b\\w\\w+\\b in the \
lower-cased text.

All cells are given, or with --top N the N highest of each page. Bags of words are kept as partials beside the \
archive: a new day costs that day.

Memory: about 100 bytes for each distinct term and 100 for each page; bags up to 256 MiB or an eighth of --memory stay \
in memory, larger ones in a file below <data>/tmp.",
    inputs: &[DataSet::Pages],
    tables: TABLES,
    flags: Flags::augment_args,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[TableSpec {
    name: "keywords",
    doc: "a term of a page, by URL, highest weight first",
    columns: &[
        column("url", Text, "canonical URL"),
        column("term", Text, "term, lower case"),
        column("tf", Int, "occurrences on the page"),
        column("df", Int, "pages that hold it"),
        column("tfidf", Float, "weight of the term for the page, by --scheme"),
    ],
}];

/// Own flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Keywords")]
struct Flags {
    /// How terms are weighed: tfidf or bm25
    #[arg(long, value_name = "SCHEME", default_value = "tfidf")]
    scheme: Scheme,
    /// BM25: how fast more occurrences count for less
    #[arg(long, value_name = "K1", default_value_t = 1.2, value_parser = weigh::at_least_zero)]
    k1: f64,
    /// BM25: how much a page's length counts, from 0 to 1
    #[arg(long, value_name = "B", default_value_t = 0.75, value_parser = weigh::share)]
    b: f64,
    #[command(flatten)]
    text: text::Flags,
}

/// Pages whose rows are made at once, and become a row group; fewer where they have so many words.
const PIECE: usize = 1024;
const WORDS: u64 = 1 << 19;

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let flags = Flags::from_arg_matches(params.flags)?;
    let tokens = Tokens::new(&flags.text, (1, 1))?;
    let corpus = Arc::new(Corpus::open(source, &tokens)?);
    let weights = Arc::new(Weights::new(flags.scheme, &corpus, flags.k1, flags.b));
    let top = params.top.unwrap_or(usize::MAX);
    let mut findings = sections::describe(&corpus, &weights, params.rows)?;
    let mut next = 0;
    findings.tables.push(Table::in_pieces(&TABLES[0], move || {
        let pages = piece_from(&corpus.pages, next);
        next = pages.end;
        if pages.is_empty() {
            return Ok(None);
        }
        let (corpus, weights) = (Arc::clone(&corpus), Arc::clone(&weights));
        Ok(Some(Box::new(move || rows(&corpus, &weights, &corpus.pages[pages], top))))
    }));
    Ok(findings)
}

/// One term of one page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Number of the term.
    pub term: u32,
    /// Occurrences.
    pub tf: u32,
    /// Weight.
    pub weight: f64,
}

/// The cells of a page, highest weight first, equal ones by term; at most `top`.
fn ranked(corpus: &Corpus, weights: &Weights, page: &Page, top: usize) -> Result<Vec<Cell>> {
    let mut cells = weights.page(&corpus.cells(page)?, page.length);
    let order = |a: &Cell, b: &Cell| b.weight.total_cmp(&a.weight).then(a.term.cmp(&b.term));
    if top < cells.len() && top > 0 {
        cells.select_nth_unstable_by(top - 1, order);
        cells.truncate(top);
    }
    cells.sort_unstable_by(order);
    Ok(cells)
}

/// The pages of the piece that begins with one; at least that one, if there is one.
fn piece_from(pages: &[Page], from: usize) -> Range<usize> {
    let (mut to, mut words) = (from, 0);
    while to < pages.len().min(from + PIECE) && words < WORDS {
        words += u64::from(pages[to].length);
        to += 1;
    }
    from..to
}

fn rows(corpus: &Corpus, weights: &Weights, pages: &[Page], top: usize) -> Result<DataFrame> {
    let cells = each(pages, |page| ranked(corpus, weights, page, top));
    let cells: Vec<Vec<Cell>> = cells.into_iter().collect::<Result<_>>()?;
    let all = || cells.iter().flatten();
    let count = all().count();
    let mut urls = Vec::with_capacity(count);
    for (page, cells) in pages.iter().zip(&cells) {
        urls.extend(std::iter::repeat_n(&*page.url, cells.len()));
    }
    let columns: Vec<Column> = vec![
        Series::new("url".into(), urls).into(),
        Series::new("term".into(), all().map(|c| &*corpus.terms[c.term as usize]).collect::<Vec<&str>>()).into(),
        Series::new("tf".into(), all().map(|c| i64::from(c.tf)).collect::<Vec<_>>()).into(),
        Series::new("df".into(), all().map(|c| i64::from(corpus.df[c.term as usize])).collect::<Vec<_>>()).into(),
        Series::new("tfidf".into(), all().map(|c| c.weight).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(count, columns)?)
}
