//! `mine cluster`: pages that speak of the same.

mod bounds;
mod describe;
mod kmeans;
mod label;
mod map;
mod rows;
mod run;
mod seeds;
mod stability;

use anyhow::Result;
use archive::DataSet;
use clap::{Args, FromArgMatches};
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::bags::Corpus;
use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Float, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column};
use crate::source::Source;
use crate::text::{self, Tokens};
use crate::threads::both;
use kmeans::Clustering;
use label::Labelled;
use rows::Rows;

/// The miner.
pub const MINER: Miner = Miner {
    name: "cluster",
    about: "Clusters: pages that speak of the same, with the terms that name each cluster",
    help: "\
Input: `pages` (text, language, status): each URL's newest fetch with status 200 and HTML over the span.

Method: each page is its row of TF-IDF weights as in `mine keywords`, of length 1. Spherical k-means (Dhillon and \
Modha 2001) from k-means++ seeds (Arthur and Vassilvitskii 2007), all pages in each round, each compared with all \
centres only where they have moved so far that another could be nearer (Hamerly 2010); the best of --starts short \
runs goes on until no page moves, in the end by Euclidean distance to the mean, whose sum of squares is the inertia. \
Without --k the number is the one of 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64 (up to the square root of the pages) with \
the highest simplified silhouette (Hruschka, de Castro, Campello 2004) on at most 4,000 pages. Labels: class-based \
TF-IDF (Grootendorst 2022). Stability: the mean adjusted Rand index (Hubert and Arabie 1985) of the other starts \
against the one taken. The map shows at most 2,000 pages by their two principal components.

Clusters are numbered from 0, the largest first. A page without words goes to the cluster with the shortest mean.

Memory: as `mine keywords`, and 24 bytes for each term of two pages or more and each cluster, and about 60 a page; rows \
(8 bytes for each distinct term of each page) up to an eighth of --memory, more in a file below <data>/tmp that each round \
reads.",
    inputs: &[DataSet::Pages],
    tables: TABLES,
    flags: Flags::augment_args,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "assignments",
        doc: "a page, by cluster, the nearest to its mean first",
        columns: &[
            column("url", Text, "canonical URL"),
            column("cluster", Int, "number of its cluster"),
            column("distance", Float, "squared Euclidean distance from its row to the mean of the cluster"),
        ],
    },
    TableSpec {
        name: "clusters",
        doc: "a cluster, the largest first",
        columns: &[
            column("cluster", Int, "number, from 0"),
            column("size", Int, "pages"),
            column("label", Text, "the three terms that name it best"),
            column("terms", Text, "the ten terms that name it best, best first, with commas"),
            column("representative", Text, "URL of the page nearest to its mean"),
        ],
    },
];

/// Own flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Clusters")]
struct Flags {
    /// Number of clusters [default: by the simplified silhouette]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=4096))]
    k: Option<u16>,
    /// Short runs from seeds of their own, of which the best goes on
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=50))]
    starts: u8,
    #[command(flatten)]
    text: text::Flags,
}

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let flags = Flags::from_arg_matches(params.flags)?;
    let tokens = Tokens::new(&flags.text, (1, 1))?;
    let corpus = Corpus::open(source, &tokens)?;
    let rows = Rows::new(&corpus, source)?;
    let starts = usize::from(flags.starts);
    let tick = |bytes: usize| source.allow(bytes);
    let (found, tried) = match flags.k {
        Some(k) => (kmeans::cluster(&rows, usize::from(k), starts, params.seed, &tick)?, Vec::new()),
        None => kmeans::choose(&rows, starts, params.seed, &tick)?,
    };
    let (labelled, map) =
        both(source.side_by_side(), || Labelled::new(&corpus, &found, &tick), || map::map(&rows, params.seed, &tick));
    let (labelled, map) = (labelled?, map?);
    let mut findings = describe::describe(&corpus, &found, &labelled, &tried, &map, params.rows);
    findings.tables.push(Table::new(&TABLES[0], assignments(&corpus, &found)?)?);
    findings.tables.push(Table::new(&TABLES[1], labelled.table(&corpus)?)?);
    Ok(findings)
}

fn assignments(corpus: &Corpus, found: &Clustering) -> Result<DataFrame> {
    let order = found.order();
    let columns = vec![
        Series::new("url".into(), order.iter().map(|&p| &*corpus.pages[p].url).collect::<Vec<_>>()).into(),
        Series::new("cluster".into(), order.iter().map(|&p| i64::from(found.labels[p])).collect::<Vec<_>>()).into(),
        Series::new("distance".into(), order.iter().map(|&p| found.distances[p]).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(order.len(), columns)?)
}
