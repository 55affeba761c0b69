//! What the page and the summary of `mine cluster` show.

use super::kmeans::{Clustering, Tried};
use super::label::Labelled;
use super::map::Place;
use crate::bags::Corpus;
use crate::findings::{Bar, Body, Cell, Fact, Findings, Section, Series, View};
use crate::report::score;

/// Clusters that have a colour of their own on the map; the others share one.
const COLOURS: usize = 11;
/// Clusters of the chart.
const BARS: usize = 30;

/// Facts, sections and summary; no tables yet.
pub fn describe(
    corpus: &Corpus,
    found: &Clustering,
    labelled: &Labelled,
    tried: &[Tried],
    map: &[Place],
    rows: usize,
) -> Findings {
    let view = |count: usize| View {
        columns: vec!["cluster", "pages", "terms", "representative"],
        rows: labelled
            .clusters
            .iter()
            .take(count)
            .enumerate()
            .map(|(number, cluster)| {
                let url = corpus.pages[cluster.representative].url.to_string();
                vec![
                    Cell::count(number),
                    Cell::count(cluster.size),
                    Cell::Text(labelled.terms(corpus, number)),
                    Cell::Page { url, title: None },
                ]
            })
            .collect(),
    };
    let mut sections = vec![
        Section {
            title: "Map".to_owned(),
            note: format!(
                "{} pages by their two principal components, a colour for each cluster: what lies together uses the same \
                 words. Most of what sets pages apart does not fit into two dimensions.",
                crate::report::grouped(map.len() as i64)
            ),
            body: Body::Map(series(corpus, found, labelled, map)),
        },
        Section {
            title: "Sizes".to_owned(),
            note: "Pages of each cluster, with the three terms that name it best.".to_owned(),
            body: Body::Bars(
                labelled
                    .clusters
                    .iter()
                    .take(BARS)
                    .enumerate()
                    .map(|(number, cluster)| Bar {
                        label: Cell::Text(format!("{number}: {}", labelled.label(corpus, number))),
                        value: cluster.size as f64,
                        text: crate::report::grouped(cluster.size as i64),
                    })
                    .collect(),
            ),
        },
        Section {
            title: "Clusters".to_owned(),
            note: "terms: those with the highest class-based TF-IDF; representative: the page nearest to the mean."
                .to_owned(),
            body: Body::Table(view(usize::MAX)),
        },
    ];
    if !tried.is_empty() {
        sections.push(Section {
            title: "Number of clusters".to_owned(),
            note: "The simplified silhouette (the higher, the clearer) and the inertia of a short run for each number that \
                   was tried."
                .to_owned(),
            body: Body::Table(View {
                columns: vec!["clusters", "silhouette", "inertia"],
                rows: tried
                    .iter()
                    .map(|&(k, silhouette, inertia)| {
                        vec![Cell::count(k), Cell::Float(silhouette), Cell::Float(inertia)]
                    })
                    .collect(),
            }),
        });
    }
    let mut facts = vec![
        Fact::count("pages", corpus.pages.len()),
        Fact::count("terms", corpus.terms.len()),
        Fact::count("clusters", found.k),
        Fact { name: "inertia", value: Cell::Float(found.inertia) },
        Fact { name: "silhouette", value: Cell::Float(found.silhouette) },
        Fact::count("rounds", found.rounds),
    ];
    if let Some(stability) = found.stability {
        facts.push(Fact { name: "stability over seeds (ARI)", value: Cell::Text(score(stability)) });
    }
    Findings { facts, sections, summary: view(rows), ..Findings::default() }
}

fn series(corpus: &Corpus, found: &Clustering, labelled: &Labelled, map: &[Place]) -> Vec<Series> {
    let mut series: Vec<Series> = (0..labelled.clusters.len().min(COLOURS))
        .map(|number| Series { name: format!("{number}: {}", labelled.label(corpus, number)), points: Vec::new() })
        .collect();
    if labelled.clusters.len() > COLOURS {
        series.push(Series { name: "other clusters".to_owned(), points: Vec::new() });
    }
    for &(row, x, y) in map {
        series[(found.labels[row] as usize).min(COLOURS)].points.push((x, y));
    }
    series
}
