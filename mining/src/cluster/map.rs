//! The map: pages by their two principal components, found by power iteration on a sample of the rows.

use anyhow::Result;

use super::kmeans::Tick;
use super::rows::Rows;
use super::seeds::Draw;

/// Most pages of the map.
const MOST: usize = 2_000;
/// Rounds of power iteration for each component.
const ROUNDS: usize = 30;

/// A page on the map: row, x, y.
pub type Place = (usize, f64, f64);

/// Places of rows, spread evenly over their order.
pub fn map(rows: &Rows, seed: u64, tick: Tick<'_>) -> Result<Vec<Place>> {
    let count = rows.len().min(MOST);
    let sample: Vec<usize> =
        (0..count).map(|i| i * rows.len() / count.max(1)).filter(|&row| !rows.is_empty(row)).collect();
    if sample.len() < 3 {
        return Ok(sample.into_iter().map(|row| (row, 0.0, 0.0)).collect());
    }
    tick(rows.columns * 32)?;
    let few = rows.some(sample.iter().copied())?;
    let blocks: Vec<_> = (0..few.blocks()).map(|number| few.block(number)).collect::<Result<_>>()?;
    let cells = || blocks.iter().flat_map(|block| (0..block.len()).map(|place| block.of(place)));
    let mut mean = vec![0.0f64; rows.columns];
    for row in cells() {
        add(row, 1.0 / sample.len() as f64, &mut mean);
    }
    let mut draw = Draw::new(seed, u64::MAX);
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for _ in 0..2 {
        let mut axis: Vec<f64> = (0..rows.columns).map(|_| draw.unit() - 0.5).collect();
        for _ in 0..ROUNDS {
            tick(0)?;
            for other in &axes {
                let along = dot(&axis, other);
                axis.iter_mut().zip(other).for_each(|(a, o)| *a -= along * o);
            }
            let length = dot(&axis, &axis).sqrt();
            if length <= f64::MIN_POSITIVE {
                break;
            }
            axis.iter_mut().for_each(|a| *a /= length);
            let middle = dot(&axis, &mean);
            let (mut next, mut total) = (vec![0.0; rows.columns], 0.0);
            for row in cells() {
                let score = product(row, &axis) - middle;
                add(row, score, &mut next);
                total += score;
            }
            next.iter_mut().zip(&mean).for_each(|(n, m)| *n -= total * m);
            axis = next;
        }
        let length = dot(&axis, &axis).sqrt().max(f64::MIN_POSITIVE);
        axis.iter_mut().for_each(|a| *a /= length);
        axes.push(axis);
    }
    let places = cells().map(|row| (product(row, &axes[0]), product(row, &axes[1])));
    Ok(sample.iter().zip(places).map(|(&row, (x, y))| (row, x, y)).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn product((terms, weights): (&[u32], &[f32]), axis: &[f64]) -> f64 {
    terms.iter().zip(weights).map(|(&term, &weight)| f64::from(weight) * axis[term as usize]).sum()
}

fn add((terms, weights): (&[u32], &[f32]), factor: f64, to: &mut [f64]) {
    for (&term, &weight) in terms.iter().zip(weights) {
        to[term as usize] += factor * f64::from(weight);
    }
}
