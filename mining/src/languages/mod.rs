//! `mine languages`: in which languages the pages are, and what they say of it themselves.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use archive::DataSet;
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::findings::{Bar, Body, Cell, Fact, Findings, Matrix, Section, Table, View};
use crate::miner::ColumnKind::{Int, Text};
use crate::miner::{Miner, Params, TableSpec, column, nullable};
use crate::report::grouped;
use crate::source::{Batch, Newest, Source};
use crate::text::primary;

/// The miner.
pub const MINER: Miner = Miner {
    name: "languages",
    about: "Languages: detected against declared",
    help: "\
Input: `pages` (lang, lang_declared, status): each URL's newest fetch with status 200 and HTML over the span.

Method: the language as detected from the main text by `etl extract` (und where it could not be told, as on pages with \
little text), against the primary part of the language that the page declares (en of en-GB); null where it declares none, \
or none that is a code of two or three letters.

Memory: a few bytes for each pair of languages, besides 100 bytes a URL while the newest fetches are found.",
    inputs: &[DataSet::Pages],
    tables: TABLES,
    flags: |command| command,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[TableSpec {
    name: "languages",
    doc: "a language detected and a language declared, most pages first",
    columns: &[
        column("detected", Text, "language detected, ISO 639; und where it is unknown"),
        nullable("declared", Text, "language declared, ISO 639; null for none"),
        column("pages", Int, "pages"),
    ],
}];

/// Bars of the chart; rows and columns of the matrix.
const BARS: usize = 30;
const SIDE: usize = 12;

type Pair = (String, Option<String>);

/// Languages of the pages of a row group: the distinct pairs, and which of them each row has.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Part {
    pairs: Vec<Pair>,
    rows: Vec<u32>,
}

fn of_batch(batch: &Batch) -> Result<Part> {
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let (mut part, mut numbers) = (Part::default(), BTreeMap::new());
    for row in 0..batch.rows() {
        let found = detected.get(row).and_then(primary).unwrap_or_else(|| "und".to_owned());
        let pair = (found, declared.get(row).and_then(primary));
        let next = part.pairs.len() as u32;
        let number = *numbers.entry(pair.clone()).or_insert(next);
        if number == next {
            part.pairs.push(pair);
        }
        part.rows.push(number);
    }
    Ok(part)
}

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let parts = source.shared(DataSet::Pages, "languages-1", &["lang", "lang_declared"], "languages", of_batch)?;
    let newest = Newest::find(source)?;
    let mut counts: BTreeMap<Pair, u64> = BTreeMap::new();
    parts.each(
        |number, part: Part| {
            let mut counts = vec![0; part.pairs.len()];
            for &row in newest.of(number) {
                let pair = part.rows.get(row as usize).and_then(|&pair| counts.get_mut(pair as usize));
                *pair.context("a partial of languages lacks pages; remove it, and run its --shard again")? += 1;
            }
            Ok(part.pairs.into_iter().zip(counts).filter(|(_, pages)| *pages > 0).collect::<Vec<_>>())
        },
        |part| {
            part.into_iter().for_each(|(pair, pages)| *counts.entry(pair).or_default() += pages);
            Ok(())
        },
    )?;
    let mut rows: Vec<(Pair, u64)> = counts.into_iter().collect();
    // Stable, and pairs stand in alphabetical order.
    rows.sort_by_key(|(_, pages)| std::cmp::Reverse(*pages));
    let columns = vec![
        Series::new("detected".into(), rows.iter().map(|row| row.0.0.as_str()).collect::<Vec<_>>()).into(),
        Series::new("declared".into(), rows.iter().map(|row| row.0.1.as_deref()).collect::<Vec<Option<&str>>>()).into(),
        Series::new("pages".into(), rows.iter().map(|row| row.1 as i64).collect::<Vec<_>>()).into(),
    ];
    let mut findings = describe(&rows, params.rows);
    findings.tables.push(Table::new(&TABLES[0], DataFrame::new(rows.len(), columns)?)?);
    Ok(findings)
}

/// Languages with their pages, most first.
fn ranked<'a>(pairs: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    pairs.for_each(|(language, pages)| *sums.entry(language).or_default() += pages);
    let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, pages)| std::cmp::Reverse(*pages));
    sums
}

const NONE: &str = "none";

fn describe(rows: &[(Pair, u64)], shown: usize) -> Findings {
    let detected = ranked(rows.iter().map(|((found, _), pages)| (found.as_str(), *pages)));
    let declared = ranked(rows.iter().map(|((_, said), pages)| (said.as_deref().unwrap_or(NONE), *pages)));
    let sum = |keep: &dyn Fn(&Pair) -> bool| rows.iter().filter(|(pair, _)| keep(pair)).map(|(_, n)| *n as usize).sum();
    let view = |count: usize| View {
        columns: vec!["detected", "declared", "pages"],
        rows: rows
            .iter()
            .take(count)
            .map(|((found, said), pages)| {
                vec![Cell::Text(found.clone()), Cell::maybe(said.as_deref()), Cell::Int(*pages as i64)]
            })
            .collect(),
    };
    let count = |found: &str, said: &str| {
        let of = |pair: &Pair| pair.0 == found && pair.1.as_deref().unwrap_or(NONE) == said;
        rows.iter().find(|(pair, _)| of(pair)).map_or(0, |(_, pages)| *pages)
    };
    let names =
        |languages: &[(&str, u64)]| languages.iter().take(SIDE).map(|(l, _)| (*l).to_owned()).collect::<Vec<_>>();
    let (down, across) = (names(&detected), names(&declared));
    let counts = down.iter().map(|found| across.iter().map(|said| count(found, said)).collect()).collect();
    Findings {
        facts: vec![
            Fact::count("pages", sum(&|_| true)),
            Fact::count("languages detected", detected.iter().filter(|(language, _)| *language != "und").count()),
            Fact::count("agree", sum(&|(found, said)| said.as_ref() == Some(found))),
            Fact::count("disagree", sum(&|(found, said)| found != "und" && said.as_ref().is_some_and(|s| s != found))),
            Fact::count("declare none", sum(&|(_, said)| said.is_none())),
        ],
        sections: vec![
            Section {
                title: "Languages detected".to_owned(),
                note: "Pages by the language of their main text; und: it could not be told.".to_owned(),
                body: Body::Bars(
                    detected
                        .iter()
                        .take(BARS)
                        .map(|(language, pages)| Bar {
                            label: Cell::Text((*language).to_owned()),
                            value: *pages as f64,
                            text: grouped(*pages as i64),
                        })
                        .collect(),
                ),
            },
            Section {
                title: "Detected against declared".to_owned(),
                note: "Pages by the language detected (rows) and the one declared (columns).".to_owned(),
                body: Body::Matrix(Matrix { rows: down, columns: across, counts }),
            },
            Section {
                title: "Pairs".to_owned(),
                note: "All pairs of languages, most pages first.".to_owned(),
                body: Body::Table(view(1000)),
            },
        ],
        summary: view(shown),
        ..Findings::default()
    }
}
