//! `mine duplicates`: pages that say the same, byte by byte or nearly.

mod candidates;
mod groups;
mod sections;
mod sets;
mod shingles;
mod signature;
mod verify;

use anyhow::Result;
use archive::DataSet;
use clap::{Args, FromArgMatches};

use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Bool, Float, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column};
use crate::source::Source;
use candidates::Bands;
use groups::{Groups, Union};
use sets::Sets;
use signature::Pages;

/// The miner.
pub const MINER: Miner = Miner {
    name: "duplicates",
    about: "Duplicates: groups of pages with the same or nearly the same text",
    help: "\
Input: `pages` (text, language, hash of the body, status): each URL's newest fetch with status 200 and HTML over the \
span.

Method: exact duplicates have bodies with one SHA-256. Near ones share 5-word shingles (words by UAX #29 in lower case, \
none left out): MinHash with 128 values (Broder 1997), bands of so many values that a pair at --threshold is a candidate \
with at least 99.9 %, then the true Jaccard similarity of the two sets of shingles, which must reach --threshold. Groups \
are the connected components of such pairs, so that two members may be less alike than the threshold; the column jaccard \
is with the original. The original is the page that was fetched first, of equal ones that with the shortest URL, then the \
first by name. Pages with fewer than --min-shingles distinct shingles, or fewer than five words that are no stop words, \
can only be exact duplicates.

Signatures are kept as partials beside the archive: a new day costs that day.

Memory: about 200 bytes a page, and 8 bytes a shingle of the pages that are compared at once (up to 256 MiB or an eighth \
of --memory); bands, pairs and sets of shingles up to an eighth of --memory each, the rest is in files below <data>/tmp: 8 \
bytes a shingle of all pages that have a candidate.",
    inputs: &[DataSet::Pages],
    tables: TABLES,
    flags: Flags::augment_args,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[TableSpec {
    name: "groups",
    doc: "a page of a group of duplicates; the largest group first, each with its original first",
    columns: &[
        column("group", Int, "number of the group, from 0"),
        column("url", Text, "canonical URL"),
        column("original", Text, "URL of the group's original"),
        column("exact", Bool, "its body is the original's, byte by byte"),
        column("jaccard", Float, "similarity of its shingles with the original's, 0 to 1"),
    ],
}];

/// Own flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Duplicates")]
struct Flags {
    /// Least Jaccard similarity of near duplicates, from 0.3 to 1
    #[arg(long, value_name = "J", default_value_t = 0.8, value_parser = threshold)]
    threshold: f64,
    /// Words of a shingle
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=20))]
    shingle: u8,
    /// Fewest distinct shingles of a page that may be a near duplicate, at most 100
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    min_shingles: u8,
}

fn threshold(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|x| (0.3..=1.0).contains(x));
    value.ok_or_else(|| "it is a number from 0.3 to 1".to_owned())
}

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let flags = Flags::from_arg_matches(params.flags)?;
    let width = usize::from(flags.shingle);
    let room = source.room();
    let mut bands = Bands::new(flags.threshold, &room);
    let pages = Pages::load(source, width, u32::from(flags.min_shingles), &mut bands)?;
    source.go_on()?;
    let pairs = bands.pairs(&pages, &room)?;
    source.go_on()?;
    let mut sets = Sets::new(source, &pages, width);
    let mut joined = Union::new(pages.pages.len());
    let verified = verify::verify(source, &pages, &pairs, &mut sets, flags.threshold, &mut joined)?;
    drop(pairs);
    let groups = Groups::new(&pages, joined);
    let similar = verify::with_originals(source, &pages, &groups, &mut sets)?;
    let mut findings = sections::describe(&pages, &groups, &similar, &verified, params.rows);
    findings.tables.push(Table::new(&TABLES[0], groups.table(&pages, &similar)?)?);
    Ok(findings)
}
