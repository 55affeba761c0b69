//! K-means on rows of length 1.
//!
//! The matrix of centres stands term by term, the values of all clusters side by side: a row's products with all centres are
//! then sums of short dense slices, which the compiler turns into vector code. Sums of clusters are kept from round to round
//! and changed by the rows that moved, in their order: so labels do not depend on threads.

use anyhow::Result;
use rayon::prelude::*;

use super::rows::{BLOCK, Block, Rows};
use super::seeds::{Draw, seeds};
use super::stability::rand_index;

/// Rounds of a short run, and of the last one at most.
const SHORT: usize = 6;
const LONG: usize = 300;
/// Numbers of clusters that are tried.
const TRIED: [usize; 11] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Rows on which numbers of clusters are tried.
const SAMPLE: usize = 4_000;
/// Clusters of rows, the largest first.
#[derive(Debug, Clone, Default)]
pub struct Clustering {
    /// Number of clusters; none is empty.
    pub k: usize,
    /// Cluster of each row.
    pub labels: Vec<u32>,
    /// Squared Euclidean distance of each row to the mean of its cluster.
    pub distances: Vec<f64>,
    /// Sum of the distances.
    pub inertia: f64,
    /// Simplified silhouette, from -1 to 1.
    pub silhouette: f64,
    /// Rounds of the last run.
    pub rounds: usize,
    /// Mean adjusted Rand index of the other starts against this one; none with a single start.
    pub stability: Option<f64>,
}

impl Clustering {
    /// Rows by cluster, nearest to the mean first, equal ones in their order.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let key = |&row: &usize| (self.labels[row], self.distances[row]);
        order.sort_by(|a, b| {
            let ((ca, da), (cb, db)) = (key(a), key(b));
            ca.cmp(&cb).then(da.total_cmp(&db))
        });
        order
    }
}

/// What was tried for a number of clusters: the number, the silhouette, the inertia.
pub type Tried = (usize, f64, f64);

/// Is called now and then, with the bytes that are wanted next; an error ends the work.
pub type Tick<'a> = &'a dyn Fn(usize) -> Result<()>;

/// The number of clusters with the highest simplified silhouette.
pub fn choose(rows: &Rows, starts: usize, seed: u64, tick: Tick<'_>) -> Result<(Clustering, Vec<Tried>)> {
    let most = (rows.len() as f64).sqrt() as usize;
    let mut tried = Vec::new();
    let sample = rows.sample(SAMPLE)?;
    for k in TRIED.into_iter().filter(|&k| k <= most) {
        let run = Run::start(&sample, k, seed, 0, tick)?;
        tried.push((k, run.silhouette, run.inertia(&sample)));
    }
    let best = tried.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    Ok((cluster(rows, best.map_or(1, |best| best.0), starts, seed, tick)?, tried))
}

/// The best of some starts, carried on to its end. Fewer clusters come out where there are fewer distinct rows.
pub fn cluster(rows: &Rows, k: usize, starts: usize, seed: u64, tick: Tick<'_>) -> Result<Clustering> {
    if rows.len() == 0 {
        return Ok(Clustering::default());
    }
    // Of each start only the labels are kept: sums and centres are large.
    let mut best: Option<(f64, Vec<u32>, usize)> = None;
    let mut others = Vec::new();
    for start in 0..starts.max(1) {
        let run = Run::start(rows, k, seed, start as u64, tick)?;
        let inertia = run.inertia(rows);
        match &mut best {
            Some((least, labels, most)) if inertia < *least => {
                others.push(std::mem::replace(labels, run.labels));
                (*least, *most) = (inertia, run.k);
            }
            Some(_) => others.push(run.labels),
            None => best = Some((inertia, run.labels, run.k)),
        }
    }
    let Some((_, labels, k)) = best else { return Ok(Clustering::default()) };
    let mut run = Run::resumed(rows, k, &labels, tick)?;
    run.go_on(rows, Measure::Cosine, LONG, tick)?;
    run.go_on(rows, Measure::Euclid, LONG, tick)?;
    let others: Vec<f64> = others.iter().map(|labels| rand_index(&run.labels, labels)).collect();
    let stability = (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64);
    run.finish(rows, stability)
}

/// How near a row is to a centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// By the angle: the centre has length 1.
    Cosine,
    /// By distance: the centre is the mean.
    Euclid,
}

/// A run of k-means.
struct Run {
    k: usize,
    labels: Vec<u32>,
    /// Sums of the rows of each cluster: term by term, clusters side by side.
    sums: Vec<f64>,
    sizes: Vec<u32>,
    /// Centres, laid out as the sums.
    centres: Vec<f32>,
    /// What is taken off each product before they are compared.
    bias: Vec<f32>,
    silhouette: f64,
    rounds: usize,
}

const NONE: u32 = u32::MAX;

impl Run {
    fn start(rows: &Rows, k: usize, seed: u64, start: u64, tick: Tick<'_>) -> Result<Run> {
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
    fn resumed(rows: &Rows, k: usize, labels: &[u32], tick: Tick<'_>) -> Result<Run> {
        let mut run = Run::empty(rows, k, tick)?;
        for number in 0..rows.blocks() {
            let block = rows.block(number)?;
            for place in 0..block.len() {
                let row = number * BLOCK + place;
                run.put(row, block.of(place), labels[row]);
            }
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
    fn go_on(&mut self, rows: &Rows, measure: Measure, most: usize, tick: Tick<'_>) -> Result<()> {
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
            for (number, block, labels, sum) in found {
                silhouette += sum;
                for (place, label) in labels.into_iter().enumerate() {
                    moved += usize::from(self.put(number * BLOCK + place, block.of(place), label));
                }
            }
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

    /// Puts a row to a cluster; whether it was in another.
    fn put(&mut self, row: usize, (terms, weights): (&[u32], &[f32]), label: u32) -> bool {
        let (k, old) = (self.k, self.labels[row]);
        if old == label {
            return false;
        }
        self.labels[row] = label;
        self.sizes[label as usize] += 1;
        if old != NONE {
            self.sizes[old as usize] -= 1;
        }
        for (&term, &weight) in terms.iter().zip(weights) {
            let at = term as usize * k;
            self.sums[at + label as usize] += f64::from(weight);
            if old != NONE {
                self.sums[at + old as usize] -= f64::from(weight);
            }
        }
        true
    }

    /// Squared lengths of the sums, with the terms that only one row has: those of two rows never meet.
    fn squares(&self, rows: &Rows) -> Vec<f64> {
        let mut squares = vec![0.0f64; self.k];
        for sums in self.sums.chunks_exact(self.k) {
            for (square, sum) in squares.iter_mut().zip(sums) {
                *square += sum * sum;
            }
        }
        for (row, &label) in self.labels.iter().enumerate() {
            squares[label as usize] += rows.own(row);
        }
        squares
    }

    /// Sum of squared distances to the means: the squares of the rows less those of the sums, each divided by its size.
    fn inertia(&self, rows: &Rows) -> f64 {
        let squares = self.squares(rows);
        let all: f64 = (0..rows.len()).map(|row| rows.square(row)).sum();
        all - squares.iter().zip(&self.sizes).map(|(square, &size)| square / f64::from(size.max(1))).sum::<f64>()
    }

    /// Clusters numbered by size, equal ones by their first row; empty ones dropped.
    fn finish(self, rows: &Rows, stability: Option<f64>) -> Result<Clustering> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// Rows around axes: row i lies near axis i mod `axes`.
    fn around_axes(axes: u32, count: u32) -> Rows {
        let mut rows = Rows::with_columns((axes * 2) as usize, None);
        for i in 0..count {
            let axis = i % axes;
            rows.push([(axis, 0.95f32), (axes + (i / axes) % axes, 0.3)].into_iter(), 0.0075).unwrap();
        }
        rows.finish().unwrap()
    }

    #[test]
    fn clear_clusters_are_found_and_counted() {
        let rows = around_axes(5, 200);
        let found = cluster(&rows, 5, 3, 1, &|_| Ok(())).unwrap();
        assert!((0..200).all(|i| found.labels[i] == found.labels[i % 5]), "{:?}", &found.labels[..10]);
        assert_eq!(found.k, 5);
        assert!(found.stability.unwrap() > 0.5);
        let (chosen, tried) = choose(&rows, 3, 1, &|_| Ok(())).unwrap();
        assert!(tried.len() > 5 && (4..=6).contains(&chosen.k), "{tried:?}");
    }

    #[test]
    fn the_inertia_is_the_sum_of_squared_distances_to_the_means() {
        let rows = around_axes(4, 37);
        let found = cluster(&rows, 3, 2, 7, &|_| Ok(())).unwrap();
        let mut by_hand = 0.0;
        for c in 0..found.k as u32 {
            let members: Vec<usize> = (0..37).filter(|&row| found.labels[row] == c).collect();
            let mut mean = vec![0.0f64; rows.columns];
            for &row in &members {
                let (block, place) = rows.block_of(row).unwrap();
                let (terms, weights) = block.of(place);
                terms.iter().zip(weights).for_each(|(&t, &w)| mean[t as usize] += f64::from(w) / members.len() as f64);
            }
            for &row in &members {
                let mut diff = mean.clone();
                let (block, place) = rows.block_of(row).unwrap();
                let (terms, weights) = block.of(place);
                terms.iter().zip(weights).for_each(|(&t, &w)| diff[t as usize] -= f64::from(w));
                by_hand += diff.iter().map(|x| x * x).sum::<f64>();
                // The row's own term: in full where the row is, a share of it in the mean of all others.
                let share = 1.0 / members.len() as f64;
                by_hand += 0.0075 * ((1.0 - share) * (1.0 - share) + (members.len() as f64 - 1.0) * share * share);
            }
        }
        assert!((found.inertia - by_hand).abs() < 1e-9, "{} {by_hand}", found.inertia);
    }

    #[test]
    fn fewer_distinct_rows_than_clusters_and_rows_without_terms_are_no_trouble() {
        let mut rows = Rows::with_columns(2, None);
        for cells in [vec![(0u32, 1.0f32)], vec![], vec![(0, 1.0)], vec![(1, 1.0)]] {
            rows.push(cells.into_iter(), 0.0).unwrap();
        }
        let rows = rows.finish().unwrap();
        let found = cluster(&rows, 4, 2, 0, &|_| Ok(())).unwrap();
        assert!(found.k <= 3 && found.labels[0] == found.labels[2] && found.labels[0] != found.labels[3]);
        assert_eq!(cluster(&Rows::with_columns(0, None), 3, 1, 0, &|_| Ok(())).unwrap().k, 0);
    }
}
