//! `mine links`: the graph of archived pages, who is linked most and best, and which links are broken.

mod addresses;
mod broken;
pub mod components;
pub mod edges;
mod export;
mod gather;
pub mod graph;
pub mod hits;
mod hosts;
pub mod pagerank;
mod part;
pub mod pull;
mod redirects;
mod resolve;
mod sections;
mod sliced;
mod sum;
mod tables;
mod third_parties;

use anyhow::Result;
use archive::DataSet;
use clap::{Args, FromArgMatches};

use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Float, Int, Text};
use crate::miner::{Miner, Params, TableSpec, column, nullable};
use crate::source::Source;
use crate::spill::Room;
use crate::threads::both;
use gather::Gathered;
use graph::Csr;
use hits::Scores;
use pagerank::Ranks;
use pull::Pull;

/// The miner.
pub const MINER: Miner = Miner {
    name: "links",
    about: "Link graph: degrees, PageRank, hubs and authorities, components, broken links, redirects, orphans, third parties",
    help: "\
Input: `pages`, `links` and `artefacts` (status and error; bodies are not read). Nodes are the archived pages, each \
URL's newest fetch with status 200 and HTML over the span. Edges are the distinct `a` links between different pages, \
with redirects followed (at most 20) to the page at which they end.

Method: PageRank after Page et al. 1998 by power iteration, rank of pages without links spread evenly, until the L1 \
distance of two rounds is at most --tolerance; the ranks sum to 1. Hubs and authorities after Kleinberg 1999, vectors \
of Euclidean length 1. Strongly connected components after Tarjan 1972, weakly connected ones by union-find; both are \
numbered from 0 in the order of their smallest URL. A link (a, img, script, iframe, link) is broken when the newest \
answer of its target, after redirects, is a status of 400 or more or a failure; targets that robots.txt or the address \
check forbade were not asked for and do not count. An orphan is a page that no other page links to. Sites and third \
parties are registrable domains by the public suffix list.

Memory: about 300 bytes a page, 150 a linked URL that is no page, 24 an edge and up to 8 \
more where edges do not stand in runs (as links from all pages of a folder do). With more edges than --in-memory they are \
sorted and kept in files below <data>/tmp, 16 bytes an edge while they are sorted, and read once a round; the results are \
the same.",
    inputs: &[DataSet::Pages, DataSet::Links, DataSet::Artefacts],
    tables: TABLES,
    flags: Flags::augment_args,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "pages",
        doc: "an archived page, highest PageRank first",
        columns: &[
            column("url", Text, "canonical URL"),
            column("host", Text, "host, with a port that is not the default"),
            column("in_degree", Int, "pages that link to it"),
            column("out_degree", Int, "pages that it links to"),
            column("pagerank", Float, "PageRank; the sum over all pages is 1"),
            column("hub", Float, "hub score; the sum of squares is 1"),
            column("authority", Float, "authority score; the sum of squares is 1"),
            column("scc", Int, "number of its strongly connected component"),
            column("wcc", Int, "number of its weakly connected component"),
        ],
    },
    TableSpec {
        name: "hosts",
        doc: "a host with pages, most pages first",
        columns: &[
            column("host", Text, "host, with a port that is not the default"),
            column("pages", Int, "archived pages"),
            column("in_links", Int, "edges of the page graph that end on the host"),
            column("out_links", Int, "edges of the page graph that start on the host"),
            column("external", Int, "distinct a links (page, URL) to other hosts, archived or not"),
        ],
    },
    TableSpec {
        name: "broken",
        doc: "a broken link, by page and target",
        columns: &[
            column("src", Text, "page that holds the link"),
            column("dst", Text, "URL as linked"),
            nullable("status", Int, "HTTP status at the end of its redirects; null without a response"),
            nullable("error", Text, "class of failure; null with a response"),
            nullable("anchor", Text, "text of the link"),
        ],
    },
    TableSpec {
        name: "redirects",
        doc: "a URL whose newest answer is a redirect, by URL",
        columns: &[
            column("src", Text, "URL that redirects"),
            column("dst", Text, "URL at which it ends"),
            column("hops", Int, "redirects on the way, at most 20; 20 in a circle"),
            nullable("status", Int, "status at the end; null in a circle and where nothing answered"),
        ],
    },
    TableSpec {
        name: "orphans",
        doc: "a page that no other page links to, by URL",
        columns: &[column("url", Text, "canonical URL")],
    },
    TableSpec {
        name: "third_parties",
        doc: "another site that the pages of a site name, by site, the one that most pages name first",
        columns: &[
            column("site", Text, "registrable domain, else the host"),
            column("third_party", Text, "registrable domain, else the host"),
            column("pages", Int, "pages of the site that link to it or load from it"),
            column("kinds", Text, "kinds of links, alphabetically, with commas"),
        ],
    },
];

/// Own flags.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Links")]
struct Flags {
    /// Damping factor of PageRank: the probability to follow a link, at least 0 and below 1
    #[arg(long, value_name = "D", default_value_t = 0.85, value_parser = damping)]
    damping: f64,
    /// L1 distance of two rounds of PageRank at which it is done, more than 0
    #[arg(long, value_name = "T", default_value_t = 1e-10, value_parser = tolerance)]
    tolerance: f64,
    /// Edges that are kept in memory; more go to files [default: an eighth of --memory, at 8 bytes each]
    #[arg(long, value_name = "EDGES", value_parser = clap::value_parser!(u64).range(1..))]
    in_memory: Option<u64>,
    /// Write the page graph besides, as graphml or edges
    #[arg(long, value_name = "FORMAT")]
    export: Option<export::Format>,
}

fn damping(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|d| (0.0..1.0).contains(d));
    value.ok_or_else(|| "it is a number of at least 0 and below 1".to_owned())
}

fn tolerance(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|t: &f64| *t > 0.0 && t.is_finite());
    value.ok_or_else(|| "it is a number above 0, such as 1e-10".to_owned())
}

/// Nodes of a graph whose components are found while its scores are computed.
const AT_ONCE: usize = 1 << 20;

/// The page graph with all that is computed on it.
struct Graph {
    outgoing: Csr,
    incoming: Csr,
    ranks: Ranks,
    scores: Scores,
    strong: Vec<u32>,
    weak: Vec<u32>,
}

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let flags = Flags::from_arg_matches(params.flags)?;
    let room = match flags.in_memory {
        Some(edges) => source.room().of_bytes(usize::try_from(edges)?.saturating_mul(8)),
        None => source.room(),
    };
    let gathered = gather::gather(source, &room)?;
    let (graph, broken) =
        both(source.side_by_side(), || analyse(source, &gathered, &flags, &room), || broken::broken(source, &gathered));
    let (graph, broken) = (graph?, broken?);
    let order = tables::order(&graph);
    let from_graph = || {
        let hosts = hosts::hosts(&gathered, &graph.outgoing, &graph.incoming)?;
        let third_parties = third_parties::third_parties(&gathered.pages, &gathered.named)?;
        Ok::<_, anyhow::Error>((hosts, redirects::redirects(&gathered), third_parties))
    };
    let (from_graph, titles) = both(source.side_by_side(), from_graph, || sections::titles(source, &gathered, &order));
    let ((hosts, redirects, third_parties), titles) = (from_graph?, titles?);
    let mut findings = sections::describe(&sections::Seen {
        gathered: &gathered,
        graph: &graph,
        hosts: &hosts,
        broken: &broken,
        order: &order,
        titles: &titles,
        redirects: &redirects,
        third_parties: &third_parties,
        rows: params.rows,
    });
    let frames = [
        tables::pages(&gathered, &graph, &order)?,
        tables::hosts(&hosts)?,
        tables::broken(&gathered, &broken)?,
        redirects::table(&gathered, &redirects)?,
        tables::orphans(&gathered, &graph)?,
        third_parties::table(&third_parties)?,
    ];
    for (spec, frame) in TABLES.iter().zip(frames) {
        findings.tables.push(Table::new(spec, frame)?);
    }
    if let Some(format) = flags.export {
        let urls = gathered.pages.pages.into_iter().map(|page| page.url).collect();
        findings.files.push(export::file(format, urls, graph.ranks.ranks, graph.outgoing));
    }
    Ok(findings)
}

fn analyse(source: &Source, gathered: &Gathered, flags: &Flags, room: &Room) -> Result<Graph> {
    let outgoing = Csr::new(gathered.pages.len(), gathered.edges(room)?, room)?;
    let incoming = outgoing.reversed(room)?;
    let go_on = || source.go_on();
    let components = || Ok::<_, anyhow::Error>((components::strong(&outgoing)?, components::weak(&outgoing)?));
    let scores = || {
        let pull = Pull::new(&incoming)?;
        let ranks = pagerank::pagerank(&pull, outgoing.degrees(), flags.damping, flags.tolerance, go_on)?;
        let scores = hits::hits(outgoing.nodes(), &Pull::new(&outgoing)?, &pull, flags.tolerance, go_on)?;
        Ok::<_, anyhow::Error>((ranks, scores))
    };
    // What both hold of a large graph need not be in memory at once.
    let threads = if outgoing.nodes() > AT_ONCE { 1 } else { source.side_by_side() };
    let (components, scores) = both(threads, components, scores);
    let ((strong, weak), (ranks, scores)) = (components?, scores?);
    for (what, distance, rounds) in
        [("PageRank", ranks.distance, ranks.rounds), ("hubs and authorities", scores.distance, scores.rounds)]
    {
        if distance > flags.tolerance {
            tracing::warn!(
                "{what}: not within --tolerance after {rounds} rounds; the last two differ by {distance:.1e}"
            );
        }
    }
    Ok(Graph { outgoing, incoming, ranks, scores, strong, weak })
}
