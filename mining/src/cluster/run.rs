//! One run of k-means: labels, sums of clusters, centres.
//!
//! The matrix of centres stands term by term, the values of all clusters side by side: a row's products with all centres are
//! then sums of short dense slices, which the compiler turns into vector code. Sums of clusters are kept from round to round
//! and changed by the rows that moved, in their order: so labels do not depend on threads. Rows whose nearest centre cannot have changed
//! are not looked at ([`super::bounds`]), nor are blocks of them read.

use anyhow::Result;
use rayon::prelude::*;

use super::bounds::{Bounds, margin};
use super::kmeans::{Clustering, Tick};
use super::rows::{BLOCK, Block, Rows};
use super::seeds::{Draw, seeds};

/// Rounds of a short run.
const SHORT: usize = 6;

/// How near a row is to a centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// By the angle: the centre has length 1.
    Cosine,
    /// By distance: the centre is the mean.
    Euclid,
}

/// A run of k-means.
pub struct Run {
    /// Number of clusters.
    pub k: usize,
    /// Cluster of each row.
    pub labels: Vec<u32>,
    /// Sums of the rows of each cluster: term by term, clusters side by side.
    sums: Vec<f64>,
    sizes: Vec<u32>,
    /// Centres, laid out as the sums.
    centres: Vec<f32>,
    /// What is taken off each product before they are compared.
    bias: Vec<f32>,
    /// Length of each centre outside the terms that rows share.
    own: Vec<f64>,
    /// Squared length of all centres, where nothing is taken off the products for it.
    level: f64,
    pub(super) bounds: Bounds,
    rounds: usize,
}

const NONE: u32 = u32::MAX;
/// Shares of the terms whose sums are changed side by side.
const SHARES: usize = 8;

/// Terms and weights of a row.
type Cells<'a> = (&'a [u32], &'a [f32]);

impl Run {
    /// Seeds, and some rounds.
    pub fn start(rows: &Rows, k: usize, seed: u64, start: u64, tick: Tick<'_>) -> Result<Run> {
        // Known before the seeds are: what cannot fit need not be begun.
        tick(rows.columns * k * 12)?;
        let mut draw = Draw::new(seed, start);
        let seeds = seeds(rows, k, &mut draw, tick)?;
        let k = seeds.len();
        let mut run = Run::empty(rows, k, tick)?;
        for (cluster, &row) in seeds.iter().enumerate() {
            let (block, place) = rows.block_of(row)?;
            let (terms, weights) = block.of(place);
            for (&term, &weight) in terms.iter().zip(weights) {
                run.centres[term as usize * k + cluster] = weight;
            }
        }
        run.assign(rows, tick)?;
        run.go_on(rows, Measure::Cosine, SHORT, tick)?;
        Ok(run)
    }

    /// The run that had these labels, after its short rounds.
    pub fn resumed(rows: &Rows, k: usize, labels: &[u32], tick: Tick<'_>) -> Result<Run> {
        let mut run = Run::empty(rows, k, tick)?;
        for number in 0..rows.blocks() {
            let block = rows.block(number)?;
            let first = number * BLOCK;
            run.put((0..block.len()).map(|place| (first + place, block.of(place), labels[first + place])));
        }
        run.rounds = SHORT;
        Ok(run)
    }

    fn empty(rows: &Rows, k: usize, tick: Tick<'_>) -> Result<Run> {
        tick(rows.columns * k * 12)?;
        Ok(Run {
            k,
            labels: vec![NONE; rows.len()],
            sums: vec![0.0; rows.columns * k],
            sizes: vec![0; k],
            centres: vec![0.0; rows.columns * k],
            bias: vec![0.0; k],
            own: vec![0.0; k],
            level: 1.0,
            bounds: Bounds::new(rows.len()),
            rounds: 0,
        })
    }

    /// Rounds until no row moves, at most so many.
    pub fn go_on(&mut self, rows: &Rows, measure: Measure, most: usize, tick: Tick<'_>) -> Result<()> {
        for round in 0..most {
            tick(0)?;
            let moved = self.centre(rows, measure);
            match round {
                // distances are of another kind than before
                0 => self.bounds.forget(),
                _ => self.bounds.moved(&moved, &self.labels),
            }
            self.rounds += 1;
            if self.assign(rows, tick)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Centres from sums; gives how far each has moved.
    fn centre(&mut self, rows: &Rows, measure: Measure) -> Vec<f64> {
        let k = self.k;
        let own = self.own_squares(rows);
        let squares = self.squares(&own);
        let scale: Vec<f64> = (0..k)
            .map(|c| match measure {
                Measure::Cosine => {
                    if squares[c] > 0.0 {
                        1.0 / squares[c].sqrt()
                    } else {
                        0.0
                    }
                }
                Measure::Euclid => 1.0 / f64::from(self.sizes[c].max(1)),
            })
            .collect();
        self.bias = (0..k)
            .map(|c| match measure {
                // An empty cluster draws nobody.
                _ if self.sizes[c] == 0 => f32::INFINITY,
                Measure::Cosine => 0.0,
                Measure::Euclid => (squares[c] * scale[c] * scale[c] / 2.0) as f32,
            })
            .collect();
        self.level = if measure == Measure::Cosine { 1.0 } else { 0.0 };
        let of_some = |(centres, sums): (&mut [f32], &[f64])| {
            let mut moved = vec![0.0f64; k];
            for (centres, sums) in centres.chunks_exact_mut(k).zip(sums.chunks_exact(k)) {
                for (((centre, sum), scale), moved) in centres.iter_mut().zip(sums).zip(&scale).zip(&mut moved) {
                    let now = (sum * scale) as f32;
                    let by = f64::from(now) - f64::from(*centre);
                    *moved += by * by;
                    *centre = now;
                }
            }
            moved
        };
        let pieces = self.centres.par_chunks_mut(k * 4096).zip(self.sums.par_chunks(k * 4096));
        let mut moved = added(k, &pieces.map(of_some).collect::<Vec<_>>());
        for c in 0..k {
            let now = own[c].sqrt() * scale[c];
            let by = now - std::mem::replace(&mut self.own[c], now);
            moved[c] = by.mul_add(by, moved[c]).sqrt();
        }
        debug_assert_eq!(self.centres.len(), rows.columns * k);
        moved
    }

    /// Puts each row to its nearest centre; gives how many moved. Sums change while later rows are still compared with the
    /// centres, which do not.
    fn assign(&mut self, rows: &Rows, tick: Tick<'_>) -> Result<usize> {
        let mut moved = 0;
        let is_open = |&number: &usize| {
            let first = number * BLOCK;
            (first..(first + BLOCK).min(rows.len())).any(|row| self.bounds.is_open(row))
        };
        let numbers: Vec<usize> = (0..rows.blocks()).filter(is_open).collect();
        for some in numbers.chunks(rows.at_once()) {
            tick(0)?;
            let nearest = |products: &mut Vec<f32>, &number: &usize| {
                let block = rows.block(number)?;
                let (labels, margins) = self.nearest(rows, &block, number * BLOCK, products);
                Ok((number, block, labels, margins))
            };
            let found: Vec<_> = some.par_iter().map_init(|| vec![0.0f32; self.k], nearest).collect::<Result<_>>()?;
            for (number, .., margins) in &found {
                self.bounds.set(number * BLOCK, margins);
            }
            let rows = found.iter().flat_map(|(number, block, labels, _)| {
                labels.iter().enumerate().map(move |(place, &label)| (number * BLOCK + place, block.of(place), label))
            });
            moved += self.put(rows);
        }
        Ok(moved)
    }

    /// The nearest centre of each row of a block, and by how much it is that; `first` is the number of its first row.
    fn nearest(&self, rows: &Rows, block: &Block, first: usize, products: &mut [f32]) -> (Vec<u32>, Vec<f32>) {
        let of_row = |place: usize| {
            let row = first + place;
            if !self.bounds.is_open(row) {
                return (self.labels[row], self.bounds.of(row));
            }
            let (label, best, second) = self.scores(block.of(place), products);
            (label, margin(rows.square(row) - rows.own(row) + self.level, best, second))
        };
        (0..block.len()).map(of_row).unzip()
    }

    /// The centre with the highest score, that score and the second highest.
    pub(super) fn scores(&self, (terms, weights): Cells<'_>, products: &mut [f32]) -> (u32, f32, f32) {
        let (k, centres, bias) = (self.k, &self.centres, &self.bias);
        products.fill(0.0);
        for (&term, &weight) in terms.iter().zip(weights) {
            let at = term as usize * k;
            for (product, centre) in products.iter_mut().zip(&centres[at..at + k]) {
                *product += weight * centre;
            }
        }
        let (mut best, mut first, mut second) = (0u32, f32::NEG_INFINITY, f32::NEG_INFINITY);
        for (cluster, (product, bias)) in (0u32..).zip(products.iter().zip(bias)) {
            let score = product - bias;
            if score > first {
                (best, first, second) = (cluster, score, first);
            } else if score > second {
                second = score;
            }
        }
        (best, first, second)
    }

    /// The simplified silhouette, from -1 to 1, by the centres of the last round.
    pub fn silhouette(&self, rows: &Rows, tick: Tick<'_>) -> Result<f64> {
        let of_row = |cells: Cells<'_>, products: &mut [f32]| {
            let (_, first, second) = self.scores(cells, products);
            // Distances are 1 - cosine here: how much farther the second centre is than the first.
            let (a, b) = (1.0 - f64::from(first), 1.0 - f64::from(second));
            if b.is_finite() && b > 0.0 { (b - a) / b } else { 0.0 }
        };
        let of_block = |products: &mut Vec<f32>, &number: &usize| {
            let block = rows.block(number)?;
            Ok((0..block.len()).map(|place| of_row(block.of(place), products)).sum::<f64>())
        };
        let mut all = 0.0;
        let numbers: Vec<usize> = (0..rows.blocks()).collect();
        for some in numbers.chunks(rows.at_once()) {
            tick(0)?;
            let sums = some.par_iter().map_init(|| vec![0.0f32; self.k], of_block).collect::<Result<Vec<f64>>>()?;
            all = sums.iter().fold(all, |all, sum| all + sum);
        }
        Ok(all / rows.len().max(1) as f64)
    }

    /// Puts rows to clusters; gives how many of them were in another. Sums are changed by as many threads as there are, each
    /// with terms of its own, and row by row: so they do not depend on threads.
    fn put<'a>(&mut self, rows: impl Iterator<Item = (usize, Cells<'a>, u32)>) -> usize {
        let k = self.k;
        let mut moves: Vec<(Cells<'a>, u32, u32)> = Vec::new();
        for (row, cells, label) in rows {
            let old = std::mem::replace(&mut self.labels[row], label);
            if old == label {
                continue;
            }
            self.sizes[label as usize] += 1;
            if old != NONE {
                self.sizes[old as usize] -= 1;
            }
            moves.push((cells, old, label));
        }
        let terms = (self.sums.len() / k).div_ceil(SHARES).max(1);
        self.sums.par_chunks_mut(terms * k).enumerate().for_each(|(share, sums)| {
            let (first, end) = ((share * terms) as u32, ((share + 1) * terms) as u32);
            for &((terms, weights), old, label) in &moves {
                // Terms of a row ascend.
                let from = terms.partition_point(|&term| term < first);
                let to = from + terms[from..].partition_point(|&term| term < end);
                for (&term, &weight) in terms[from..to].iter().zip(&weights[from..to]) {
                    let at = (term - first) as usize * k;
                    sums[at + label as usize] += f64::from(weight);
                    if old != NONE {
                        sums[at + old as usize] -= f64::from(weight);
                    }
                }
            }
        });
        moves.len()
    }

    /// By cluster, the squares of the terms that only one of its rows has.
    fn own_squares(&self, rows: &Rows) -> Vec<f64> {
        let mut own = vec![0.0f64; self.k];
        for (row, &label) in self.labels.iter().enumerate() {
            own[label as usize] += rows.own(row);
        }
        own
    }

    /// Squared lengths of the sums, with the terms that only one row has: those of two rows never meet.
    fn squares(&self, own: &[f64]) -> Vec<f64> {
        let of_some = |sums: &[f64]| {
            let mut squares = vec![0.0f64; self.k];
            for sums in sums.chunks_exact(self.k) {
                for (square, sum) in squares.iter_mut().zip(sums) {
                    *square += sum * sum;
                }
            }
            squares
        };
        let mut squares = added(self.k, &self.sums.par_chunks(self.k * 4096).map(of_some).collect::<Vec<_>>());
        squares.iter_mut().zip(own).for_each(|(square, own)| *square += own);
        squares
    }

    /// Sum of squared distances to the means: the squares of the rows less those of the sums, each divided by its size.
    pub fn inertia(&self, rows: &Rows) -> f64 {
        let squares = self.squares(&self.own_squares(rows));
        let all: f64 = (0..rows.len()).map(|row| rows.square(row)).sum();
        all - squares.iter().zip(&self.sizes).map(|(square, &size)| square / f64::from(size.max(1))).sum::<f64>()
    }

    /// Clusters numbered by size, equal ones by their first row; empty ones dropped.
    pub fn finish(self, rows: &Rows, stability: Option<f64>, tick: Tick<'_>) -> Result<Clustering> {
        let k = self.k;
        let silhouette = self.silhouette(rows, tick)?;
        let mut first = vec![usize::MAX; k];
        for (row, &label) in self.labels.iter().enumerate().rev() {
            first[label as usize] = row;
        }
        let mut order: Vec<usize> = (0..k).filter(|&c| self.sizes[c] > 0).collect();
        order.sort_by_key(|&c| (std::cmp::Reverse(self.sizes[c]), first[c]));
        let mut number = vec![0u32; k];
        for (place, &cluster) in (0u32..).zip(&order) {
            number[cluster] = place;
        }
        let squares = self.squares(&self.own_squares(rows));
        let distance = |row: usize, (terms, weights): (&[u32], &[f32])| {
            let cluster = self.labels[row] as usize;
            let size = f64::from(self.sizes[cluster]);
            let shared: f64 =
                terms.iter().zip(weights).map(|(&t, &w)| f64::from(w) * self.sums[t as usize * k + cluster]).sum();
            let product = shared + rows.own(row);
            (rows.square(row) - 2.0 * product / size + squares[cluster] / (size * size)).max(0.0)
        };
        let of_block = |number: usize| {
            let block = rows.block(number)?;
            Ok((0..block.len()).map(|place| distance(number * BLOCK + place, block.of(place))).collect::<Vec<_>>())
        };
        let distances = (0..rows.blocks()).into_par_iter().map(of_block).collect::<Result<Vec<_>>>()?.concat();
        Ok(Clustering {
            k: order.len(),
            labels: self.labels.iter().map(|&label| number[label as usize]).collect(),
            inertia: distances.iter().sum(),
            distances,
            silhouette,
            rounds: self.rounds,
            stability,
        })
    }
}

/// Sums by cluster of pieces of a fixed length, added up in their order: so they are the same on any number of threads.
fn added(k: usize, pieces: &[Vec<f64>]) -> Vec<f64> {
    let mut all = vec![0.0f64; k];
    for piece in pieces {
        all.iter_mut().zip(piece).for_each(|(all, piece)| *all += piece);
    }
    all
}
