//! Pages as sparse rows of TF-IDF weights of length 1, in the order of their URLs.

use anyhow::Result;
use rayon::prelude::*;

use crate::bags::Corpus;
use crate::keywords::{Scheme, Weights};
use crate::source::Source;

const NONE: u32 = u32::MAX;

/// Compressed sparse rows.
#[derive(Debug, Default)]
pub struct Rows {
    offsets: Vec<usize>,
    terms: Vec<u32>,
    weights: Vec<f32>,
    /// By row: the sum of squares of the weights of terms that no other page has. Such a term has no column: it adds to no
    /// product with another row.
    own: Vec<f64>,
    /// Columns: terms of two pages or more.
    pub columns: usize,
}

impl Rows {
    /// The rows of a corpus.
    pub fn new(corpus: &Corpus, source: &Source) -> Result<Rows> {
        let weights = Weights::new(Scheme::TfIdf, corpus, 0.0, 0.0);
        let mut column = vec![NONE; corpus.terms.len()];
        let mut columns = 0;
        for (column, _) in column.iter_mut().zip(&corpus.df).filter(|(_, df)| **df > 1) {
            *column = columns;
            columns += 1;
        }
        let mut rows = Rows::with_columns(columns as usize);
        for pages in corpus.pages.chunks(1024) {
            source.go_on()?;
            let cells = pages.par_iter().map(|page| Ok(weights.page(&corpus.cells(page)?, page.length)));
            for cells in cells.collect::<Result<Vec<_>>>()? {
                let alone = cells.iter().filter(|cell| column[cell.term as usize] == NONE);
                let own = alone.map(|cell| cell.weight * cell.weight).sum();
                let shared = cells.iter().map(|cell| (column[cell.term as usize], cell.weight as f32));
                rows.push(shared.filter(|(column, _)| *column != NONE), own);
            }
            corpus.release();
        }
        Ok(rows)
    }

    /// No row yet.
    pub fn with_columns(columns: usize) -> Rows {
        Rows { columns, ..Rows::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, cells: impl Iterator<Item = (u32, f32)>, own: f64) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        for (term, weight) in cells {
            self.terms.push(term);
            self.weights.push(weight);
        }
        self.offsets.push(self.terms.len());
        self.own.push(own);
    }

    /// Some of the rows.
    pub fn sample(&self, most: usize) -> Rows {
        let mut rows = Rows::with_columns(self.columns);
        for i in 0..self.len().min(most) {
            let row = i * self.len() / self.len().min(most);
            let (terms, weights) = self.of(row);
            rows.push(terms.iter().copied().zip(weights.iter().copied()), self.own[row]);
        }
        rows
    }

    /// Sum of squares of the weights of terms that only this row has.
    pub fn own(&self, row: usize) -> f64 {
        self.own[row]
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Terms and weights of a row.
    pub fn of(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[row]..self.offsets[row + 1];
        (&self.terms[range.clone()], &self.weights[range])
    }

    /// Whether a row has no terms that another has.
    pub fn is_empty(&self, row: usize) -> bool {
        self.offsets[row] == self.offsets[row + 1]
    }

    /// Squared length of a row: 1 but for rounding, 0 when it has no terms.
    pub fn square(&self, row: usize) -> f64 {
        self.own[row] + self.of(row).1.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>()
    }
}
