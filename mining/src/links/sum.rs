//! Sums of floating-point numbers that come out the same at any number of threads: blocks of fixed size, each summed in
//! order, then the sums of the blocks in order.

use rayon::prelude::*;

/// Numbers a block.
pub const BLOCK: usize = 4096;

/// Sum of `term(i)` for `i` below `len`.
pub fn sum(len: usize, term: impl Fn(usize) -> f64 + Sync) -> f64 {
    let blocks: Vec<f64> = (0..len.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| (block * BLOCK..len.min((block + 1) * BLOCK)).map(&term).sum())
        .collect();
    blocks.into_iter().sum()
}

/// Sets each `values[i]` to `value(i)`, in parallel.
pub fn fill(values: &mut [f64], value: impl Fn(usize) -> f64 + Sync) {
    values.par_chunks_mut(BLOCK).enumerate().for_each(|(block, chunk)| {
        for (offset, slot) in chunk.iter_mut().enumerate() {
            *slot = value(block * BLOCK + offset);
        }
    });
}
