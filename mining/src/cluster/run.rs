//! One run of k-means: labels, sums of clusters, centres.
//!
//! The matrix of centres stands term by term, the values of all clusters side by side: a row's products with all centres are
//! then sums of short dense slices, which the compiler turns into vector code. Sums of clusters are kept from round to round
//! and changed by the rows that moved, in their order: so labels do not depend on threads.

use anyhow::Result;
use rayon::prelude::*;

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
    /// Simplified silhouette, from -1 to 1.
    pub silhouette: f64,
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
            silhouette: 0.0,
            rounds: 0,
        })
    }

    /// Rounds until no row moves, at most so many.
    pub fn go_on(&mut self, rows: &Rows, measure: Measure, most: usize, tick: Tick<'_>) -> Result<()> {
        for _ in 0..most {
            tick(0)?;
            self.centre(rows, measure);
            self.rounds += 1;
            if self.assign(rows, tick)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Centres from sums.
    fn centre(&mut self, rows: &Rows, measure: Measure) {
        let k = self.k;
        let squares = self.squares(rows);
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
        self.centres.par_chunks_mut(k * 4096).zip(self.sums.par_chunks(k * 4096)).for_each(|(centres, sums)| {
            for (centres, sums) in centres.chunks_exact_mut(k).zip(sums.chunks_exact(k)) {
                for ((centre, sum), scale) in centres.iter_mut().zip(sums).zip(&scale) {
                    *centre = (sum * scale) as f32;
                }
            }
        });
        debug_assert_eq!(self.centres.len(), rows.columns * k);
    }

    /// Puts each row to its nearest centre; gives how many moved. Sums change while later rows are still compared with the
    /// centres, which do not.
    fn assign(&mut self, rows: &Rows, tick: Tick<'_>) -> Result<usize> {
        let (mut moved, mut silhouette) = (0, 0.0);
        let numbers: Vec<usize> = (0..rows.blocks()).collect();
        for some in numbers.chunks(rows.at_once()) {
            tick(0)?;
            let nearest = |products: &mut Vec<f32>, &number: &usize| {
                let block = rows.block(number)?;
                let (labels, silhouette) = self.nearest(&block, products);
                Ok((number, block, labels, silhouette))
            };
            let found: Vec<_> = some.par_iter().map_init(|| vec![0.0f32; self.k], nearest).collect::<Result<_>>()?;
            silhouette = found.iter().fold(silhouette, |all, (.., sum)| all + sum);
            let rows = found.iter().flat_map(|(number, block, labels, _)| {
                labels.iter().enumerate().map(move |(place, &label)| (number * BLOCK + place, block.of(place), label))
            });
            moved += self.put(rows);
        }
        self.silhouette = silhouette / rows.len().max(1) as f64;
        Ok(moved)
    }

    /// The nearest centre of each row of a block, and the sum of their silhouettes.
    fn nearest(&self, block: &Block, products: &mut [f32]) -> (Vec<u32>, f64) {
        let (k, centres, bias) = (self.k, &self.centres, &self.bias);
        let (mut labels, mut silhouette) = (Vec::with_capacity(block.len()), 0.0);
        for row in 0..block.len() {
            products.fill(0.0);
            let (terms, weights) = block.of(row);
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
            labels.push(best);
            // Distances are 1 - cosine here: how much farther the second centre is than the first.
            let (a, b) = (1.0 - f64::from(first), 1.0 - f64::from(second));
            if b.is_finite() && b > 0.0 {
                silhouette += (b - a) / b;
            }
        }
        (labels, silhouette)
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

    /// Squared lengths of the sums, with the terms that only one row has: those of two rows never meet.
    fn squares(&self, rows: &Rows) -> Vec<f64> {
        let of_some = |sums: &[f64]| {
            let mut squares = vec![0.0f64; self.k];
            for sums in sums.chunks_exact(self.k) {
                for (square, sum) in squares.iter_mut().zip(sums) {
                    *square += sum * sum;
                }
            }
            squares
        };
        // By pieces of a fixed length, added up in their order: so the sum is the same on any number of threads.
        let pieces: Vec<Vec<f64>> = self.sums.par_chunks(self.k * 4096).map(of_some).collect();
        let mut squares = vec![0.0f64; self.k];
        for piece in pieces {
            squares.iter_mut().zip(piece).for_each(|(square, piece)| *square += piece);
        }
        for (row, &label) in self.labels.iter().enumerate() {
            squares[label as usize] += rows.own(row);
        }
        squares
    }

    /// Sum of squared distances to the means: the squares of the rows less those of the sums, each divided by its size.
    pub fn inertia(&self, rows: &Rows) -> f64 {
        let squares = self.squares(rows);
        let all: f64 = (0..rows.len()).map(|row| rows.square(row)).sum();
        all - squares.iter().zip(&self.sizes).map(|(square, &size)| square / f64::from(size.max(1))).sum::<f64>()
    }

    /// Clusters numbered by size, equal ones by their first row; empty ones dropped.
    pub fn finish(self, rows: &Rows, stability: Option<f64>) -> Result<Clustering> {
        let k = self.k;
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
        let squares = self.squares(rows);
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
            silhouette: self.silhouette,
            rounds: self.rounds,
            stability,
        })
    }
}
