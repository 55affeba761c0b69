//! `mine terms`: how often each term occurs, by language, host and day.

mod collocations;
mod count;
mod sections;
mod tables;
mod trends;
mod whole;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Result;
use archive::{DataSet, Day};
use clap::{Args, FromArgMatches};

use crate::bags::{self, Bags};
use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Date, Float, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column};
use crate::source::{Batch, Newest, Source};
use crate::spill::Room;
use crate::text::{self, Tokens, language};
use count::{Axis, Counts};
use whole::{Summed, Whole};

/// The miner.
pub const MINER: Miner = Miner {
    name: "terms",
    about: "Term frequencies: how often each word occurs, which words stand together, which rise and fall",
    help: "\
Input: `pages` (text, language, host, status). terms and hosts count each URL's newest fetch with status 200 and HTML \
over the span; days counts every such fetch on its day.

Method: words by Unicode's default word boundaries (UAX #29), normal form C, lower case. tf is the number of \
occurrences, df the number of documents that hold the term. Stop words of the page's language (as detected, else as \
declared, else `und`) are left out, and so are words without a letter, words shorter than --min-length characters \
(ideographs and kana count whatever their length) and words over 100 bytes. A term of several words is a run of \
neighbours that all count.

collocations: pairs of neighbours that stand together more often than by chance, by the log-likelihood ratio of the \
two-by-two table of the pair (Dunning 1993: Accurate Methods for the Statistics of Surprise and Coincidence). \
trends: the same ratio for a term's share of all terms before the day --split and from it on, positive where it rises, \
negative where it falls.

Bags of words are kept as partials beside the archive: a new day costs that day.

Memory: about 150 bytes for each distinct term; counts by group (language, host, day) and of pairs up to an eighth of \
--memory each, the rest is sorted in files below <data>/tmp.",
    inputs: &[DataSet::Pages],
    tables: TABLES,
    flags: Flags::augment_args,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "terms",
        doc: "a term in a language, most frequent first",
        columns: &[
            column("term", Text, "term, lower case"),
            column("lang", Text, "language, ISO 639; und where it is unknown"),
            column("tf", Int, "occurrences"),
            column("df", Int, "documents that hold it"),
        ],
    },
    TableSpec {
        name: "days",
        doc: "a term on a day, most frequent first",
        columns: &[
            column("day", Date, "day of the archive, UTC"),
            column("term", Text, "term, lower case"),
            column("tf", Int, "occurrences in all fetches of the day"),
            column("df", Int, "fetches of the day that hold it"),
        ],
    },
    TableSpec {
        name: "hosts",
        doc: "a term on a host, most frequent first",
        columns: &[
            column("host", Text, "host, with a port that is not the default"),
            column("term", Text, "term, lower case"),
            column("tf", Int, "occurrences"),
            column("df", Int, "documents that hold it"),
        ],
    },
    TableSpec {
        name: "collocations",
        doc: "a pair of words that attract each other, strongest first",
        columns: &[
            column("first", Text, "first word"),
            column("second", Text, "the word after it"),
            column("count", Int, "occurrences of the pair"),
            column("llr", Float, "log-likelihood ratio; above 10.83 with p < 0.001"),
        ],
    },
    TableSpec {
        name: "trends",
        doc: "a term whose share has changed, most changed first",
        columns: &[
            column("term", Text, "term, lower case"),
            column("before", Int, "occurrences before the split"),
            column("after", Int, "occurrences from the split on"),
            column("llr", Float, "log-likelihood ratio; negative where the share falls"),
        ],
    },
];

/// Own flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Terms")]
struct Flags {
    /// Words of a term: N counts terms of 1 to N words, A-B of A to B words (at most 5)
    #[arg(long, value_name = "N|A-B", default_value = "1")]
    ngrams: Lengths,
    /// Collocations: fewest occurrences of a pair
    #[arg(long, value_name = "N", default_value_t = 5)]
    min_count: u32,
    /// Trends: first day of the later span [default: the middle of the days]
    #[arg(long, value_name = "DAY")]
    split: Option<Day>,
    #[command(flatten)]
    text: text::Flags,
}

/// How many words a term may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lengths {
    from: usize,
    to: usize,
}

impl FromStr for Lengths {
    type Err = String;

    fn from_str(text: &str) -> Result<Lengths, String> {
        let wrong = || format!("`{text}` is not 1 to 5, nor a range such as 2-3");
        let number = |digits: &str| digits.parse::<usize>().ok().filter(|n| (1..=5).contains(n)).ok_or_else(wrong);
        let lengths = match text.split_once('-') {
            Some((from, to)) => Lengths { from: number(from)?, to: number(to)? },
            None => Lengths { from: 1, to: number(text)? },
        };
        if lengths.from <= lengths.to { Ok(lengths) } else { Err(wrong()) }
    }
}

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let flags = Flags::from_arg_matches(params.flags)?;
    // Pairs are always counted: collocations are found among them.
    let tokens = Tokens::new(&flags.text, (1, flags.ngrams.to.max(2)))?;
    let paths = bags::files(source, &tokens)?;
    let newest = Newest::find(source)?;
    let room = source.room();
    let counts = Arc::new(count_all(source, &newest, &paths, flags.ngrams, &room)?);
    drop(newest);
    source.go_on()?;
    let collocations = collocations::find(&counts, flags.min_count)?;
    let trends = trends::find(&counts, source.span(), flags.split)?;
    let mut findings = sections::describe(&counts, &tables::totals(&counts)?, &collocations, &trends, params.rows);
    for (spec, axis) in TABLES.iter().zip([Axis::Language, Axis::Day, Axis::Host]) {
        findings.tables.push(tables::table(spec, &counts, axis, &room));
    }
    findings.tables.push(Table::new(&TABLES[3], collocations::table(&collocations)?)?);
    findings.tables.push(Table::new(&TABLES[4], trends.table()?)?);
    Ok(findings)
}

/// Counts all documents of the source.
fn count_all(source: &Source, newest: &Newest, paths: &[PathBuf], lengths: Lengths, room: &Room) -> Result<Summed> {
    let columns = ["status", "host", "lang", "lang_declared"];
    let mut whole = Whole::new(room);
    source.scan(
        DataSet::Pages,
        &columns,
        "terms",
        |batch| count_batch(source, batch, newest.rows(batch), &paths[batch.number], lengths),
        |part| whole.add(&part),
    )?;
    whole.finish()
}

/// What a term of a file of bags counts as.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Number of the term, where it has one.
    number: u32,
    /// It has as many words as the terms that are wanted.
    wanted: bool,
    /// Numbers of its two words, when it is a pair.
    pair: Option<(u32, u32)>,
}

fn count_batch(source: &Source, batch: &Batch, newest: &[u32], path: &Path, lengths: Lengths) -> Result<Counts> {
    let bags = Bags::open(path)?;
    let mut counts = Counts::default();
    // What a term of the file counts as: a term with its number, a pair of words, or both.
    let mut kinds = Vec::with_capacity(bags.terms());
    let mut pairs = Vec::new();
    for (place, term) in (0u32..).zip(bags.dictionary()) {
        let (term, _) = term?;
        let words = 1 + term.bytes().filter(|&b| b == b' ').count();
        let wanted = (lengths.from..=lengths.to).contains(&words);
        // Single words get a number in any case: pairs are made of them.
        let number = if wanted || words == 1 { counts.terms.number(term) } else { 0 };
        kinds.push(Kind { number, wanted, pair: None });
        if let (2, Some(words)) = (words, term.split_once(' ')) {
            pairs.push((place, words));
        }
    }
    for (place, (first, second)) in pairs {
        kinds[place as usize].pair = Some((counts.terms.number(first), counts.terms.number(second)));
    }
    let day = batch.day.to_string();
    let hosts = batch.text("host")?;
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let mut newest = newest.iter().peekable();
    let mut cells = Vec::new();
    for (number, doc) in bags.docs.iter().enumerate() {
        if number % 64 == 0 {
            source.go_on()?;
        }
        let row = doc.row as usize;
        let counts_once = newest.next_if(|&&next| next == doc.row).is_some();
        let language = language(detected.get(row), declared.get(row));
        let (language, host) = (language.as_str(), hosts.get(row).unwrap_or(""));
        cells.clear();
        bags.cells(doc, |term, count| {
            let kind = &kinds[term as usize];
            if kind.wanted {
                cells.push((kind.number, count));
            }
            if let (true, Some(pair)) = (counts_once, kind.pair) {
                *counts.pairs.entry(pair).or_default() += u64::from(count);
            }
        })?;
        let groups = [(Axis::Day, day.as_str()), (Axis::Language, language), (Axis::Host, host)];
        counts.add_document(&cells, if counts_once { &groups[..] } else { &groups[..1] });
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_a_number_or_a_range() {
        assert_eq!("3".parse(), Ok(Lengths { from: 1, to: 3 }));
        assert_eq!("2-3".parse(), Ok(Lengths { from: 2, to: 3 }));
        for wrong in ["0", "6", "3-2", "", "-", "1-9", "x"] {
            assert!(wrong.parse::<Lengths>().is_err(), "{wrong}");
        }
    }
}
