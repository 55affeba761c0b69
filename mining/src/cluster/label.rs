//! What names a cluster: the terms with the highest class-based TF-IDF (Grootendorst 2022, "BERTopic"): the term's share of
//! the cluster's words, times ln(1 + mean words of a cluster / occurrences of the term in all).

use anyhow::Result;
use polars::prelude::{DataFrame, InitHashMaps, NamedFrom, PlHashMap, Series};
use rayon::prelude::*;

use super::kmeans::{Clustering, Tick};
use crate::bags::Corpus;

/// Terms of a cluster's list and of its label.
const TERMS: usize = 10;
const LABEL: usize = 3;

/// Clusters with their names.
#[derive(Debug, Default)]
pub struct Labelled {
    /// By cluster.
    pub clusters: Vec<Cluster>,
}

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Pages.
    pub size: usize,
    /// Terms that name it, best first.
    pub terms: Vec<u32>,
    /// The page nearest to its mean.
    pub representative: usize,
}

impl Labelled {
    /// Reads the bags once more.
    pub fn new(corpus: &Corpus, found: &Clustering, tick: Tick<'_>) -> Result<Labelled> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); found.k];
        for (page, &label) in found.labels.iter().enumerate() {
            members[label as usize].push(page);
        }
        let count = |pages: &Vec<usize>| {
            let mut counts: PlHashMap<u32, u64> = PlHashMap::new();
            for (number, &page) in pages.iter().enumerate() {
                if number % 1024 == 0 {
                    tick(0)?;
                }
                for (term, count) in corpus.cells(&corpus.pages[page])? {
                    *counts.entry(term).or_default() += u64::from(count);
                }
            }
            Ok(counts)
        };
        let counts = members.par_iter().map(count).collect::<Result<Vec<_>>>()?;
        let mut everywhere = vec![0u64; corpus.terms.len()];
        for (&term, count) in counts.iter().flatten() {
            everywhere[term as usize] += count;
        }
        let mean = everywhere.iter().sum::<u64>() as f64 / found.k.max(1) as f64;
        let mut clusters: Vec<Cluster> = counts
            .into_par_iter()
            .map(|counts| {
                let words = counts.values().sum::<u64>().max(1) as f64;
                let weight = |(term, count): (u32, u64)| {
                    (count as f64 / words * (1.0 + mean / everywhere[term as usize] as f64).ln(), term)
                };
                let mut terms: Vec<(f64, u32)> = counts.into_iter().map(weight).collect();
                terms.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                let terms = terms.into_iter().take(TERMS).map(|(_, term)| term).collect();
                Cluster { size: 0, terms, representative: 0 }
            })
            .collect();
        for page in found.order() {
            let cluster = &mut clusters[found.labels[page] as usize];
            if cluster.size == 0 {
                cluster.representative = page;
            }
            cluster.size += 1;
        }
        Ok(Labelled { clusters })
    }

    /// The name of a cluster.
    pub fn label(&self, corpus: &Corpus, cluster: usize) -> String {
        let terms: Vec<&str> =
            self.clusters[cluster].terms.iter().take(LABEL).map(|&term| &*corpus.terms[term as usize]).collect();
        terms.join(" ")
    }

    /// The terms of a cluster.
    pub fn terms(&self, corpus: &Corpus, cluster: usize) -> String {
        let terms: Vec<&str> = self.clusters[cluster].terms.iter().map(|&term| &*corpus.terms[term as usize]).collect();
        terms.join(", ")
    }

    /// Table `clusters`.
    pub fn table(&self, corpus: &Corpus) -> Result<DataFrame> {
        let numbers = 0..self.clusters.len();
        let columns = vec![
            Series::new("cluster".into(), numbers.clone().map(|c| c as i64).collect::<Vec<_>>()).into(),
            Series::new("size".into(), self.clusters.iter().map(|c| c.size as i64).collect::<Vec<_>>()).into(),
            Series::new("label".into(), numbers.clone().map(|c| self.label(corpus, c)).collect::<Vec<_>>()).into(),
            Series::new("terms".into(), numbers.map(|c| self.terms(corpus, c)).collect::<Vec<_>>()).into(),
            Series::new(
                "representative".into(),
                self.clusters.iter().map(|c| &*corpus.pages[c.representative].url).collect::<Vec<_>>(),
            )
            .into(),
        ];
        Ok(DataFrame::new(self.clusters.len(), columns)?)
    }
}
