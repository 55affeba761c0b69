//! What the page and the summary of `mine links` show.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use archive::DataSet;

use super::Graph;
use super::broken::Broken;
use super::components::sizes;
use super::gather::Gathered;
use super::graph::Csr;
use super::hosts::HostTable;
use super::redirects::{self, Redirect};
use super::tables::orphaned;
use super::third_parties::ThirdParty;
use crate::findings::{Bar, Body, Cell, Fact, Findings, LogLog, Section, Series, View};
use crate::report::grouped;
use crate::source::{Source, record_key};

/// Bars of the PageRank chart.
const BARS: usize = 30;
/// Rows of the page's tables.
const ROWS: usize = 200;
/// Hosts of the matrix: rows and columns.
const HOSTS: (usize, usize) = (12, 16);

/// All that was computed, to be described.
pub struct Seen<'a> {
    pub gathered: &'a Gathered,
    pub graph: &'a Graph,
    pub hosts: &'a HostTable,
    pub broken: &'a [Broken],
    /// Pages, best first.
    pub order: &'a [u32],
    /// Titles of the first pages.
    pub titles: &'a HashMap<u32, String>,
    /// URLs that redirect.
    pub redirects: &'a [Redirect],
    /// Other sites that pages name.
    pub third_parties: &'a [ThirdParty],
    /// Rows of the summary.
    pub rows: usize,
}

/// Titles of the pages that the report shows.
pub fn titles(source: &Source, gathered: &Gathered, order: &[u32]) -> Result<HashMap<u32, String>> {
    let shown: HashSet<u32> = order.iter().take(ROWS).copied().collect();
    let mut titles = HashMap::new();
    source.scan(
        DataSet::Pages,
        &["id", "title"],
        "titles",
        |batch| {
            let (ids, titles) = (batch.text("id")?, batch.text("title")?);
            let shown = (0..batch.rows()).filter_map(|row| {
                let page = gathered.pages.by_record(record_key(ids.get(row)?)).filter(|page| shown.contains(page))?;
                Some((page, titles.get(row)?.split_whitespace().collect::<Vec<_>>().join(" ")))
            });
            Ok(shown.filter(|(_, title)| !title.is_empty()).collect::<Vec<_>>())
        },
        |part| {
            titles.extend(part);
            Ok(())
        },
    )?;
    Ok(titles)
}

/// Facts, sections and summary; no tables yet.
pub fn describe(seen: &Seen<'_>) -> Findings {
    let graph = seen.graph;
    let ((strong, largest_strong), (weak, largest_weak)) = (sizes(&graph.strong), sizes(&graph.weak));
    let facts = vec![
        Fact::count("pages", graph.outgoing.nodes()),
        Fact::count("edges", graph.outgoing.edges()),
        Fact::count("hosts", seen.hosts.rows.len()),
        Fact::count("broken links", seen.broken.len()),
        Fact::count("redirects", seen.redirects.len()),
        Fact::count("orphans", orphaned(graph).count()),
        Fact::count("strong components", strong),
        Fact::count("largest strong component", largest_strong),
        Fact::count("weak components", weak),
        Fact::count("largest weak component", largest_weak),
    ];
    let mut sections = vec![ranks(seen), degrees(graph), matrix(seen.hosts)];
    sections.extend(broken(seen));
    sections.push(Section {
        title: "Pages".to_owned(),
        note: "Pages with the highest PageRank. in and out: pages that link here, and pages linked from here. The \
               Parquet file has all pages."
            .to_owned(),
        body: Body::Table(page_view(seen, ROWS)),
    });
    sections.push(Section {
        title: "Hosts".to_owned(),
        note: "in and out: links between archived pages that end and start on the host, those within it among them; \
               external: links to other hosts, archived or not."
            .to_owned(),
        body: Body::Table(host_view(seen.hosts, ROWS)),
    });
    sections.extend([redirected(seen), orphans(seen), others(seen)]);
    Findings { facts, sections, summary: page_view(seen, seen.rows), ..Findings::default() }
}

fn redirected(seen: &Seen<'_>) -> Section {
    let urls = seen.gathered.urls();
    let url = |number: u32| Cell::Page { url: urls[number as usize].to_owned(), title: None };
    // The longest chains first: they are what one would mend.
    let mut order: Vec<&Redirect> = seen.redirects.iter().collect();
    order.sort_by_key(|redirect| std::cmp::Reverse(redirect.hops));
    let rows = order.iter().take(ROWS).map(|redirect| {
        let status = redirects::status(seen.gathered, redirect).map_or(Cell::Null, Cell::Int);
        vec![url(redirect.from), url(redirect.to), Cell::Int(i64::from(redirect.hops)), status]
    });
    Section {
        title: "Redirects".to_owned(),
        note: format!(
            "The {} longest of {} chains; status: what the end answered, empty in a circle or without an answer.",
            grouped(seen.redirects.len().min(ROWS) as i64),
            grouped(seen.redirects.len() as i64)
        ),
        body: Body::Table(View { columns: vec!["URL", "ends at", "hops", "status"], rows: rows.collect() }),
    }
}

fn orphans(seen: &Seen<'_>) -> Section {
    let rows = orphaned(seen.graph).take(ROWS).map(|v| vec![page(seen, v as u32)]);
    Section {
        title: "Orphans".to_owned(),
        note: "Pages that no other archived page links to; the first by URL.".to_owned(),
        body: Body::Table(View { columns: vec!["page"], rows: rows.collect() }),
    }
}

fn others(seen: &Seen<'_>) -> Section {
    let rows = seen.third_parties.iter().take(ROWS).map(|party| {
        vec![
            Cell::Text(party.site.clone()),
            Cell::Text(party.third_party.clone()),
            Cell::count(party.pages as usize),
            Cell::Text(party.kinds.clone()),
        ]
    });
    Section {
        title: "Third parties".to_owned(),
        note:
            "Other sites that the pages of a site link to (a, form) or load from (iframe, img, link, script), by the \
               public suffix list."
                .to_owned(),
        body: Body::Table(View { columns: vec!["site", "third party", "pages", "kinds"], rows: rows.collect() }),
    }
}

fn page(seen: &Seen<'_>, number: u32) -> Cell {
    let url = seen.gathered.pages.pages[number as usize].url.to_string();
    Cell::Page { url, title: seen.titles.get(&number).cloned() }
}

fn ranks(seen: &Seen<'_>) -> Section {
    let bars = seen.order.iter().take(BARS).map(|&number| {
        let value = seen.graph.ranks.ranks[number as usize];
        Bar { label: page(seen, number), value, text: format!("{value:.5}") }
    });
    Section {
        title: format!("The {} pages with the highest PageRank", seen.order.len().min(BARS)),
        note: format!(
            "The share of time that a reader spends on the page who follows links at random; all pages together have 1. {} \
             rounds, the last of which changed the ranks by {:.1e} in all.",
            seen.graph.ranks.rounds, seen.graph.ranks.distance
        ),
        body: Body::Bars(bars.collect()),
    }
}

fn degrees(graph: &Graph) -> Section {
    let without = |csr: &Csr| grouped((0..csr.nodes()).filter(|&v| csr.degree(v) == 0).count() as i64);
    let series = |name: &str, csr: &Csr| {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for v in 0..csr.nodes() {
            *counts.entry(csr.degree(v)).or_default() += 1;
        }
        let points = counts.into_iter().filter(|(degree, _)| *degree > 0).map(|(d, n)| (d as f64, n as f64)).collect();
        Series { name: name.to_owned(), points }
    };
    Section {
        title: "Degree distribution".to_owned(),
        note: format!(
            "How many pages have how many links, both axes logarithmic. No page links to {} of the pages; {} link to no page.",
            without(&graph.incoming),
            without(&graph.outgoing)
        ),
        body: Body::LogLog(LogLog {
            x: "links of a page".to_owned(),
            y: "pages".to_owned(),
            series: vec![series("incoming", &graph.incoming), series("outgoing", &graph.outgoing)],
        }),
    }
}

fn matrix(hosts: &HostTable) -> Section {
    Section {
        title: "Links from host to host".to_owned(),
        note: "Distinct links (page, URL) as they stand on the pages, from the host of the row to that of the column. Rows \
               are the hosts with most pages, columns the hosts that they link to most, archived or not."
            .to_owned(),
        body: Body::Matrix(hosts.matrix(HOSTS.0, HOSTS.1)),
    }
}

fn broken(seen: &Seen<'_>) -> Vec<Section> {
    let urls = seen.gathered.urls();
    let answer = |link: &Broken| seen.gathered.answers[link.end as usize].as_ref();
    let status = |link: &Broken| answer(link).and_then(|a| a.status).map_or(Cell::Null, Cell::Int);
    let error = |link: &Broken| Cell::maybe(answer(link).and_then(|a| a.error.as_deref()));
    let url = |number: u32| Cell::Page { url: urls[number as usize].to_owned(), title: None };

    let mut targets: BTreeMap<&str, (usize, &Broken)> = BTreeMap::new();
    for link in seen.broken {
        targets.entry(urls[link.to as usize]).or_insert((0, link)).0 += 1;
    }
    let mut targets: Vec<(usize, &Broken)> = targets.into_values().collect();
    targets.sort_by_key(|(pages, _)| std::cmp::Reverse(*pages));
    let count = targets.len();
    let rows = targets
        .into_iter()
        .take(ROWS)
        .map(|(pages, link)| vec![url(link.to), status(link), error(link), Cell::count(pages), url(link.from)]);
    let by_target = Section {
        title: "Broken targets".to_owned(),
        note: format!(
            "{} URLs that pages link to and that answered with an error, those that most pages link to first; with the \
             first page that holds such a link.",
            grouped(count as i64)
        ),
        body: Body::Table(View {
            columns: vec!["target", "status", "error", "pages", "for example on"],
            rows: rows.collect(),
        }),
    };
    let rows =
        seen.broken.iter().take(ROWS).map(|link| {
            vec![url(link.from), url(link.to), status(link), error(link), Cell::maybe(link.anchor.as_deref())]
        });
    let by_page = Section {
        title: "Broken links".to_owned(),
        note: format!(
            "The first {} of {} by page; the Parquet file has all.",
            grouped(seen.broken.len().min(ROWS) as i64),
            grouped(seen.broken.len() as i64)
        ),
        body: Body::Table(View {
            columns: vec!["page", "links to", "status", "error", "anchor"],
            rows: rows.collect(),
        }),
    };
    vec![by_target, by_page]
}

fn page_view(seen: &Seen<'_>, rows: usize) -> View {
    let graph = seen.graph;
    let rows = seen.order.iter().take(rows).enumerate().map(|(i, &number)| {
        let v = number as usize;
        vec![
            Cell::count(i + 1),
            page(seen, number),
            Cell::Float(graph.ranks.ranks[v]),
            Cell::count(graph.incoming.degree(v)),
            Cell::count(graph.outgoing.degree(v)),
            Cell::Float(graph.scores.hubs[v]),
            Cell::Float(graph.scores.authorities[v]),
        ]
    });
    View { columns: vec!["rank", "page", "PageRank", "in", "out", "hub", "authority"], rows: rows.collect() }
}

fn host_view(hosts: &HostTable, rows: usize) -> View {
    let rows = hosts.rows.iter().take(rows).map(|row| {
        let count = |n: u64| Cell::count(n as usize);
        vec![
            Cell::Text(row.host.clone()),
            count(row.pages),
            count(row.in_links),
            count(row.out_links),
            count(row.external),
        ]
    });
    View { columns: vec!["host", "pages", "in", "out", "external"], rows: rows.collect() }
}
