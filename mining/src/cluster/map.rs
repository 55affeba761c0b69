//! The map: pages by their two principal components, found by power iteration on a sample of the rows.

use anyhow::Result;

use super::rows::Rows;
use super::seeds::Draw;

/// Most pages of the map.
const MOST: usize = 2_000;
/// Rounds of power iteration for each component.
const ROUNDS: usize = 30;

/// A page on the map: row, x, y.
pub type Place = (usize, f64, f64);

/// Places of rows, spread evenly over their order.
pub fn map(rows: &Rows, seed: u64, tick: &dyn Fn() -> Result<()>) -> Result<Vec<Place>> {
    let count = rows.len().min(MOST);
    let sample: Vec<usize> =
        (0..count).map(|i| i * rows.len() / count.max(1)).filter(|&row| !rows.is_empty(row)).collect();
    if sample.len() < 3 {
        return Ok(sample.into_iter().map(|row| (row, 0.0, 0.0)).collect());
    }
    let mut mean = vec![0.0f64; rows.columns];
    for &row in &sample {
        add(rows, row, 1.0 / sample.len() as f64, &mut mean);
    }
    let mut draw = Draw::new(seed, u64::MAX);
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for _ in 0..2 {
        let mut axis: Vec<f64> = (0..rows.columns).map(|_| draw.unit() - 0.5).collect();
        for _ in 0..ROUNDS {
            tick()?;
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
            for &row in &sample {
                let score = product(rows, row, &axis) - middle;
                add(rows, row, score, &mut next);
                total += score;
            }
            next.iter_mut().zip(&mean).for_each(|(n, m)| *n -= total * m);
            axis = next;
        }
        let length = dot(&axis, &axis).sqrt().max(f64::MIN_POSITIVE);
        axis.iter_mut().for_each(|a| *a /= length);
        axes.push(axis);
    }
    Ok(sample.into_iter().map(|row| (row, product(rows, row, &axes[0]), product(rows, row, &axes[1]))).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn product(rows: &Rows, row: usize, axis: &[f64]) -> f64 {
    let (terms, weights) = rows.of(row);
    terms.iter().zip(weights).map(|(&term, &weight)| f64::from(weight) * axis[term as usize]).sum()
}

fn add(rows: &Rows, row: usize, factor: f64, to: &mut [f64]) {
    let (terms, weights) = rows.of(row);
    for (&term, &weight) in terms.iter().zip(weights) {
        to[term as usize] += factor * f64::from(weight);
    }
}
