//! Seeds of k-means: rows drawn far from each other (k-means++, Arthur and Vassilvitskii 2007), by numbers that follow from
//! `--seed` alone.

use anyhow::Result;
use rayon::prelude::*;

use super::rows::Rows;

/// Rows that a thread takes at once.
const BLOCK: usize = 64;

/// Rows drawn as first centres: each with a probability in proportion to its squared distance from the nearest drawn so far.
/// Of a few drawn that way the one is taken that leaves the least, as in the reference implementation.
pub fn seeds(rows: &Rows, k: usize, draw: &mut Draw, tick: &dyn Fn() -> Result<()>) -> Result<Vec<usize>> {
    let full: Vec<usize> = (0..rows.len()).filter(|&row| !rows.is_empty(row)).collect();
    if full.is_empty() {
        return Ok(vec![0]);
    }
    let trials = 2 + (k as f64).ln() as usize;
    let mut dense = vec![0.0f32; rows.columns];
    let mut seeds = vec![full[draw.below(full.len())]];
    let mut nearest = vec![f64::INFINITY; rows.len()];
    nearer(rows, &mut dense, seeds[0], &mut nearest);
    while seeds.len() < k {
        tick()?;
        let total: f64 = nearest.iter().sum();
        // Every row equals one of the seeds: there are no more clusters than that.
        if total <= 1e-9 * rows.len() as f64 {
            break;
        }
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
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
            let Some(row) = row else { break };
            let mut after = nearest.clone();
            nearer(rows, &mut dense, row, &mut after);
            let rest: f64 = after.iter().sum();
            if best.as_ref().is_none_or(|best| rest < best.0) {
                best = Some((rest, row, after));
            }
        }
        let Some((_, row, after)) = best else { break };
        seeds.push(row);
        nearest = after;
    }
    Ok(seeds)
}

/// Lowers each row's distance to that from `seed`, where it is nearer. Rows without terms stay out of it.
fn nearer(rows: &Rows, dense: &mut [f32], seed: usize, nearest: &mut [f64]) {
    let (terms, weights) = rows.of(seed);
    for (&term, &weight) in terms.iter().zip(weights) {
        dense[term as usize] = weight;
    }
    let dense_now = &*dense;
    nearest.par_iter_mut().with_min_len(BLOCK).enumerate().for_each(|(row, nearest)| {
        let (terms, weights) = rows.of(row);
        let product: f32 = terms.iter().zip(weights).map(|(&t, &w)| w * dense_now[t as usize]).sum();
        let distance = if terms.is_empty() || row == seed { 0.0 } else { (2.0 - 2.0 * f64::from(product)).max(0.0) };
        *nearest = nearest.min(distance);
    });
    terms.iter().for_each(|&term| dense[term as usize] = 0.0);
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
