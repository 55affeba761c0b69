//! Seeds of k-means: rows drawn far from each other (k-means++, Arthur and Vassilvitskii 2007), by numbers that follow from
//! `--seed` alone.

use anyhow::Result;
use rayon::prelude::*;

use super::kmeans::Tick;
use super::rows::{BLOCK, Rows};

/// Rows drawn as first centres: each with a probability in proportion to its squared distance from the nearest drawn so far.
/// Of a few drawn that way the one is taken that leaves the least, as in the reference implementation.
pub fn seeds(rows: &Rows, k: usize, draw: &mut Draw, tick: Tick<'_>) -> Result<Vec<usize>> {
    let full: Vec<usize> = (0..rows.len()).filter(|&row| !rows.is_empty(row)).collect();
    if full.is_empty() {
        return Ok(vec![0]);
    }
    let trials = 2 + (k as f64).ln() as usize;
    tick(rows.columns * trials * 4)?;
    let mut dense = vec![0.0f32; rows.columns * trials];
    let mut seeds = vec![full[draw.below(full.len())]];
    let far = vec![f64::INFINITY; rows.len()];
    let mut nearest = nearer(rows, &mut dense, &seeds, &far)?.pop().unwrap_or(far);
    while seeds.len() < k {
        tick(0)?;
        let total: f64 = nearest.iter().sum();
        // Every row equals one of the seeds: there are no more clusters than that.
        if total <= 1e-9 * rows.len() as f64 {
            break;
        }
        let mut drawn = Vec::with_capacity(trials);
        for _ in 0..trials {
            let mut left = draw.unit() * total;
            let mut row = None;
            for (candidate, distance) in nearest.iter().enumerate().filter(|(_, distance)| **distance > 0.0) {
                row = Some(candidate);
                left -= distance;
                if left <= 0.0 {
                    break;
                }
            }
            drawn.extend(row);
        }
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for (row, after) in drawn.iter().zip(nearer(rows, &mut dense, &drawn, &nearest)?) {
            let rest: f64 = after.iter().sum();
            if best.as_ref().is_none_or(|best| rest < best.0) {
                best = Some((rest, *row, after));
            }
        }
        let Some((_, row, after)) = best else { break };
        seeds.push(row);
        nearest = after;
    }
    Ok(seeds)
}

/// For each of `drawn`: each row's distance to it, where it is nearer than `nearest`. Rows without terms stay out of it. All rows
/// are read once. `dense` has room for all of them and is zero, before and after.
fn nearer(rows: &Rows, dense: &mut [f32], drawn: &[usize], nearest: &[f64]) -> Result<Vec<Vec<f64>>> {
    let count = drawn.len();
    for (number, &row) in drawn.iter().enumerate() {
        let (block, place) = rows.block_of(row)?;
        let (terms, weights) = block.of(place);
        for (&term, &weight) in terms.iter().zip(weights) {
            dense[term as usize * count + number] = weight;
        }
    }
    let filled = &*dense;
    let of_block = |number: usize| {
        let block = rows.block(number)?;
        let (mut after, mut products) = (vec![Vec::with_capacity(block.len()); count], vec![0.0f32; count]);
        for place in 0..block.len() {
            let row = number * BLOCK + place;
            let (terms, weights) = block.of(place);
            products.fill(0.0);
            for (&term, &weight) in terms.iter().zip(weights) {
                let at = term as usize * count;
                for (product, other) in products.iter_mut().zip(&filled[at..at + count]) {
                    *product += weight * other;
                }
            }
            for ((after, product), &seed) in after.iter_mut().zip(&products).zip(drawn) {
                let same = terms.is_empty() || row == seed;
                let distance = if same { 0.0 } else { (2.0 - 2.0 * f64::from(*product)).max(0.0) };
                after.push(nearest[row].min(distance));
            }
        }
        Ok(after)
    };
    let blocks: Vec<Vec<Vec<f64>>> = (0..rows.blocks()).into_par_iter().map(of_block).collect::<Result<_>>()?;
    for (number, &row) in drawn.iter().enumerate() {
        let (block, place) = rows.block_of(row)?;
        block.of(place).0.iter().for_each(|&term| dense[term as usize * count + number] = 0.0);
    }
    Ok((0..count).map(|number| blocks.iter().flat_map(|block| &block[number]).copied().collect()).collect())
}

/// Numbers drawn from a seed: SplitMix64.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// A sequence of its own for each seed and start.
    pub fn new(seed: u64, start: u64) -> Draw {
        let mut draw = Draw(seed ^ start.wrapping_mul(0xd134_2543_de82_ef95));
        draw.next();
        draw
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }
}
