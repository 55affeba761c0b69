//! Weights of terms: TF-IDF as scikit-learn has it by default, or BM25.

use std::str::FromStr;

use super::Cell;
use crate::bags::Corpus;

/// How terms are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Smooth idf, natural tf, l2 norm.
    TfIdf,
    /// Robertson and Zaragoza 2009: "The Probabilistic Relevance Framework: BM25 and Beyond".
    Bm25,
}

impl FromStr for Scheme {
    type Err = String;

    fn from_str(text: &str) -> Result<Scheme, String> {
        match text {
            "tfidf" => Ok(Scheme::TfIdf),
            "bm25" => Ok(Scheme::Bm25),
            _ => Err(format!("`{text}` is not tfidf or bm25")),
        }
    }
}

/// A number of at least 0.
pub fn at_least_zero(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|x: &f64| *x >= 0.0 && x.is_finite());
    value.ok_or_else(|| "it is a number of at least 0".to_owned())
}

/// A number from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x| (0.0..=1.0).contains(x)).ok_or_else(|| "it is a number from 0 to 1".to_owned())
}

/// What is the same for all pages.
#[derive(Debug, Clone)]
pub struct Weights {
    scheme: Scheme,
    /// Inverse document frequency by term.
    idf: Vec<f64>,
    mean_length: f64,
    k1: f64,
    b: f64,
}

impl Weights {
    /// For the pages of a corpus.
    pub fn new(scheme: Scheme, corpus: &Corpus, k1: f64, b: f64) -> Weights {
        let n = corpus.pages.len() as f64;
        let idf = |&df: &u32| match scheme {
            Scheme::TfIdf => ((1.0 + n) / (1.0 + f64::from(df))).ln() + 1.0,
            Scheme::Bm25 => (1.0 + (n - f64::from(df) + 0.5) / (f64::from(df) + 0.5)).ln(),
        };
        let idf = corpus.df.iter().map(idf).collect();
        Weights { scheme, idf, mean_length: corpus.length as f64 / n.max(1.0), k1, b }
    }

    /// Weights of a page's cells, in their order. `length` is the page's number of terms, with repetitions.
    pub fn page(&self, cells: &[(u32, u32)], length: u32) -> Vec<Cell> {
        let weight = |&(term, tf): &(u32, u32)| {
            let (idf, count) = (self.idf[term as usize], f64::from(tf));
            let weight = match self.scheme {
                Scheme::TfIdf => count * idf,
                Scheme::Bm25 => {
                    let long = 1.0 - self.b + self.b * f64::from(length) / self.mean_length.max(1.0);
                    idf * count * (self.k1 + 1.0) / (count + self.k1 * long)
                }
            };
            Cell { term, tf, weight }
        };
        let mut cells: Vec<Cell> = cells.iter().map(weight).collect();
        if self.scheme == Scheme::TfIdf {
            let norm = cells.iter().map(|cell| cell.weight * cell.weight).sum::<f64>().sqrt();
            if norm > 0.0 {
                cells.iter_mut().for_each(|cell| cell.weight /= norm);
            }
        }
        cells
    }
}
