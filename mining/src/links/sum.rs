//! Sums of floating-point numbers that come out the same at any number of threads: blocks of fixed size, each summed in
//! order by four sums, then the sums of the blocks in order.

use rayon::prelude::*;

/// Numbers a block.
pub const BLOCK: usize = 4096;

/// Sum of `term(i)` for `i` below `len`.
pub fn sum(len: usize, term: impl Fn(usize) -> f64 + Sync) -> f64 {
    let blocks: Vec<f64> = (0..len.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| lanes(BLOCK.min(len - block * BLOCK), |i| term(block * BLOCK + i)))
        .collect();
    blocks.into_iter().sum()
}

/// Sum of `term(i)` for `i` below `len`, in order: four sums side by side, so that no addition waits for the one before it.
pub fn lanes(len: usize, mut term: impl FnMut(usize) -> f64) -> f64 {
    let mut sums = [0.0; 4];
    for first in (0..len / 4 * 4).step_by(4) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(first + lane);
        }
    }
    (len / 4 * 4..len).for_each(|i| sums[i % 4] += term(i));
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Sets each `values[i]` to `value(i)`, in parallel.
pub fn fill(values: &mut [f64], value: impl Fn(usize) -> f64 + Sync) {
    values.par_chunks_mut(BLOCK).enumerate().for_each(|(block, chunk)| {
        for (offset, slot) in chunk.iter_mut().enumerate() {
            *slot = value(block * BLOCK + offset);
        }
    });
}
