//! `mine terms`: how often each term occurs, by language, host and day.

mod collocations;
mod count;
mod sections;
mod tables;
mod trends;
mod whole;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use archive::{DataSet, Day};
use clap::{Args, FromArgMatches};

use crate::bags::{self, Bags, Parts};
use crate::findings::Findings;
use crate::miner::ColumnKind::{Date, Float, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column};
use crate::source::{Batch, Newest, Source};
use crate::spill::Room;
use crate::text::{self, Tokens, language};
use crate::threads::both;
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

Memory: about 150 bytes for each distinct word, and some 50 MB a thread while pages are counted; counts, terms of several \
words and pairs up to a sixteenth of --memory each, the rest is sorted in files below <data>/tmp.",
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
    // Up to four of them are filled at once.
    let room = source.room();
    let room = room.of_bytes(room.bytes() / 2);
    let counts = Arc::new(count_all(source, &newest, &paths, flags.ngrams, &room)?);
    drop(newest);
    source.go_on()?;
    let others = || -> Result<_> {
        let trends = trends::find(&counts, source.span(), flags.split, &room)?;
        source.go_on()?;
        Ok((trends, tables::totals(&counts, &room, sections::shown(params.rows), sections::ranks)?))
    };
    let (pairs, others) = both(source.side_by_side(), || collocations::find(&counts, flags.min_count, &room), others);
    let (pairs, (trends, totals)) = (pairs?, others?);
    source.go_on()?;
    let mut findings = sections::describe(&counts, &totals, &pairs, &trends, params.rows)?;
    for (spec, axis) in TABLES.iter().zip([Axis::Language, Axis::Day, Axis::Host]) {
        findings.tables.push(tables::table(spec, &counts, axis, &room));
    }
    findings.tables.push(collocations::table(&TABLES[3], &counts, pairs));
    findings.tables.push(trends.table(&TABLES[4], &counts));
    Ok(findings)
}

/// Counts all documents of the source, part by part.
fn count_all(source: &Source, newest: &Newest, paths: &[PathBuf], lengths: Lengths, room: &Room) -> Result<Summed> {
    let columns = ["status", "host", "lang", "lang_declared"];
    let whole = Mutex::new(Whole::new(room));
    source.scan(
        DataSet::Pages,
        &columns,
        "terms",
        |batch| {
            let mut newest = newest.rows(batch);
            for part in Parts::open(&paths[batch.number])? {
                let counts = count_part(batch, &part?.open()?, &mut newest, lengths)?;
                source.go_on()?;
                whole.lock().unwrap_or_else(PoisonError::into_inner).add(&counts)?;
            }
            Ok(())
        },
        |()| Ok(()),
    )?;
    whole.into_inner().unwrap_or_else(PoisonError::into_inner).finish()
}

/// What a term of a part counts as.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Its place among the terms that are wanted, where it has as many words as those.
    wanted: Option<u32>,
    /// Its place among the pairs of words, where it is one.
    pair: Option<u32>,
}

/// Counts the documents of a part; `newest` are the rows from its first on that count once.
fn count_part(batch: &Batch, bags: &Bags, newest: &mut &[u32], lengths: Lengths) -> Result<Counts> {
    let mut counts = Counts::of_day(&batch.day.to_string());
    let mut kinds = Vec::with_capacity(bags.terms());
    for term in bags.dictionary() {
        let (term, _) = term?;
        let words = 1 + term.bytes().filter(|&b| b == b' ').count();
        let wanted = (lengths.from..=lengths.to).contains(&words).then(|| counts.term(term));
        let pair = term.split_once(' ').filter(|_| words == 2).map(|(first, second)| {
            let (first, second) = (counts.words.number(first), counts.words.number(second));
            counts.pairs.push((first, second, 0));
            (counts.pairs.len() - 1) as u32
        });
        kinds.push(Kind { wanted, pair });
    }
    let hosts = batch.text("host")?;
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let mut cells = Vec::new();
    for doc in &bags.docs {
        let row = doc.row as usize;
        let counts_once = newest.first() == Some(&doc.row);
        if counts_once {
            *newest = &newest[1..];
        }
        cells.clear();
        bags.cells(doc, |term, count| {
            let kind = &kinds[term as usize];
            cells.extend(kind.wanted.map(|term| (term, count)));
            if let (true, Some(pair)) = (counts_once, kind.pair) {
                counts.pairs[pair as usize].2 += u64::from(count);
            }
        })?;
        let language = language(detected.get(row), declared.get(row));
        let place = (language.as_str(), hosts.get(row).unwrap_or(""));
        counts.add_document(&cells, counts_once.then_some(place));
    }
    counts.pairs.retain(|pair| pair.2 > 0);
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
