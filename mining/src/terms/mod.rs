//! `mine terms`: how often each term occurs, by language, host and day.

mod count;
mod sections;
mod stop;
mod tables;
mod words;

use std::str::FromStr;

use anyhow::Result;
use archive::DataSet;
use clap::{Args, FromArgMatches};

use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Date, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column};
use crate::source::{Batch, Newest, Source};
use count::{Axis, Counts};
use stop::Lists;
use tables::Ranked;
use words::Rules;

/// The miner.
pub const MINER: Miner = Miner {
    name: "terms",
    about: "Term frequencies: how often each word occurs, by language, host and day",
    help: "\
Input: `pages` (text, language, host, status). terms and hosts count each URL's newest fetch with status 200 and HTML \
over the span; days counts every such fetch on its day.

Method: words by Unicode's default word boundaries (UAX #29), normal form C, lower case. tf is the number of \
occurrences, df the number of documents that hold the term. Stop words of the page's language (as detected, else as \
declared, else `und`) are left out, and so are words without a letter, words shorter than --min-length characters \
(ideographs and kana count whatever their length) and words over 100 bytes. A term of several words is a run of \
neighbours that all count.

Memory: about 150 bytes for each distinct term and group (language, host, day), whatever the size of the texts.",
    inputs: &[DataSet::Pages],
    tables: TABLES,
    flags: Flags::augment_args,
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
];

/// Own flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Terms")]
struct Flags {
    /// Words of a term: N counts terms of 1 to N words, A-B of A to B words (at most 5)
    #[arg(long, value_name = "N|A-B", default_value = "1")]
    ngrams: Lengths,
    /// Shortest word, in characters
    #[arg(long, value_name = "N", default_value_t = 2)]
    min_length: u8,
    /// Count words without a letter too: 2026, 3.14
    #[arg(long)]
    numbers: bool,
    /// Stop words: `language` (the list of each page's language), `none`, or a file with one word a line
    #[arg(long, value_name = "LIST", default_value = "language")]
    stop_words: stop::Choice,
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
    let rules = Rules {
        min_length: usize::from(flags.min_length),
        numbers: flags.numbers,
        ngram_from: flags.ngrams.from,
        ngram_to: flags.ngrams.to,
    };
    let lists = Lists::load(&flags.stop_words)?;
    let newest = Newest::find(source)?;
    let counts = count_all(source, &newest, &rules, &lists)?;
    source.go_on()?;
    let ranked = Ranked::new(&counts);
    let mut findings = sections::describe(&counts, &ranked.totals(), params.rows);
    for (spec, axis) in TABLES.iter().zip([Axis::Language, Axis::Day, Axis::Host]) {
        findings.tables.push(Table::new(spec, ranked.table(axis)?)?);
    }
    Ok(findings)
}

/// Counts all documents of the source.
fn count_all(source: &Source, newest: &Newest, rules: &Rules, lists: &Lists) -> Result<Counts> {
    let columns = ["status", "host", "lang", "lang_declared", "text"];
    let mut whole = Counts::default();
    source.scan(
        DataSet::Pages,
        &columns,
        "terms",
        |batch| count_batch(batch, newest.rows(batch), rules, lists),
        |part| {
            whole.merge(&part);
            Ok(())
        },
    )?;
    Ok(whole)
}

fn count_batch(batch: &Batch, newest: &[u32], rules: &Rules, lists: &Lists) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut newest = newest.iter().peekable();
    let day = batch.day.to_string();
    let (hosts, texts) = (batch.text("host")?, batch.text("text")?);
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let status = batch.int("status")?;
    for row in 0..batch.rows() {
        let counts_once = newest.next_if(|&&next| next as usize == row).is_some();
        if status.get(row) != Some(200) {
            continue;
        }
        let language = language(detected.get(row), declared.get(row));
        let (language, host) = (language.as_str(), hosts.get(row).unwrap_or(""));
        let text = texts.get(row).unwrap_or("");
        let groups = [(Axis::Day, day.as_str()), (Axis::Language, language), (Axis::Host, host)];
        let groups = if counts_once { &groups[..] } else { &groups[..1] };
        counts.add_document(|take| words::terms(text, rules, lists.get(language), take), groups);
    }
    Ok(counts)
}

/// Language of a page: as detected, else the primary part of what it declares, else `und`.
fn language(detected: Option<&str>, declared: Option<&str>) -> String {
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or("").trim().to_ascii_lowercase();
    let valid = |code: &String| (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    let first = detected.map(primary).filter(valid);
    first.or_else(|| declared.map(primary).filter(valid)).unwrap_or_else(|| "und".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_detected_else_declared_else_und() {
        assert_eq!(language(Some("de"), Some("en-US")), "de");
        assert_eq!(language(None, Some("en-US")), "en");
        assert_eq!(language(None, Some(" PT_br")), "pt");
        assert_eq!(language(None, Some("<script>")), "und");
        assert_eq!(language(None, None), "und");
    }

    #[test]
    fn lengths_are_a_number_or_a_range() {
        assert_eq!("3".parse(), Ok(Lengths { from: 1, to: 3 }));
        assert_eq!("2-3".parse(), Ok(Lengths { from: 2, to: 3 }));
        for wrong in ["0", "6", "3-2", "", "-", "1-9", "x"] {
            assert!(wrong.parse::<Lengths>().is_err(), "{wrong}");
        }
    }
}
