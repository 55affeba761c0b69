//! PageRank (Page, Brin, Motwani, Winograd 1998: "The PageRank Citation Ranking: Bringing Order to the Web").
//!
//! `r(v) = (1 - d) / n + d * (D / n + sum over u → v of r(u) / out(u))`, where `d` is the damping factor, `n` the number
//! of pages and `D` the rank of the pages without links, which is spread evenly. Computed by power iteration until the
//! L1 distance of two rounds is at most the tolerance; the error left is then at most `d / (1 - d)` times that. Each node
//! pulls from its predecessors in ascending order, so the result is the same, bit by bit, at any number of threads.

use anyhow::Result;

use super::pull::{Pull, Running};
use super::sum::{fill, sum};

/// Rounds after which it is given up: at d = 0.85 a tolerance of 1e-15 takes 220.
const MOST_ROUNDS: usize = 10_000;

/// Ranks, and how they were reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    /// Rank by node; the sum is 1.
    pub ranks: Vec<f64>,
    /// Rounds.
    pub rounds: usize,
    /// L1 distance of the last two rounds.
    pub distance: f64,
}

/// Ranks of all nodes. `incoming` are the edges by target, `out_degree` the number of links by source. `tick` is called
/// once a round and may end the work.
pub fn pagerank(
    incoming: &Pull<'_>,
    out_degree: &[u32],
    damping: f64,
    tolerance: f64,
    tick: impl Fn() -> Result<()> + Send,
) -> Result<Ranks> {
    // On a thread of the pool: from outside, each step of a round would wait to be woken.
    rayon::scope(|_| rounds(incoming, out_degree, damping, tolerance, tick))
}

fn rounds(
    incoming: &Pull<'_>,
    out_degree: &[u32],
    damping: f64,
    tolerance: f64,
    tick: impl Fn() -> Result<()>,
) -> Result<Ranks> {
    let nodes = out_degree.len();
    if nodes == 0 {
        return Ok(Ranks { ranks: Vec::new(), rounds: 0, distance: 0.0 });
    }
    let n = nodes as f64;
    let mut ranks = vec![1.0 / n; nodes];
    let mut shares = vec![0.0; nodes];
    let mut running = Running::default();
    let (mut rounds, mut distance) = (0, f64::INFINITY);
    while distance > tolerance && rounds < MOST_ROUNDS {
        tick()?;
        let dangling = sum(nodes, |v| if out_degree[v] == 0 { ranks[v] } else { 0.0 });
        // Nobody asks for the share of a page without links.
        fill(&mut shares, |v| ranks[v] / f64::from(out_degree[v].max(1)));
        let base = (1.0 - damping) / n + damping * dangling / n;
        // The shares are those of the old ranks, so these are replaced in place.
        distance = incoming.each(&shares, &mut ranks, &mut running, |rank, sum| {
            let next = base + damping * sum;
            let moved = (next - *rank).abs();
            *rank = next;
            moved
        })?;
        rounds += 1;
    }
    Ok(Ranks { ranks, rounds, distance })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::super::graph::tests::{both, graphs};
    use super::*;

    fn ranks(nodes: usize, edges: Vec<(u32, u32)>, damping: f64) -> Vec<f64> {
        let (graph, back) = both(nodes, &edges);
        let found = pagerank(&Pull::new(&back).unwrap(), graph.degrees(), damping, 1e-14, || Ok(())).unwrap();
        assert!(found.distance <= 1e-14);
        found.ranks
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    /// Solves (I - d M) r = (1 - d) / n by Gaussian elimination, M with columns of 1/n for nodes without links.
    fn dense(nodes: usize, edges: &[(u32, u32)], damping: f64) -> Vec<f64> {
        let n = nodes as f64;
        let mut links = vec![vec![false; nodes]; nodes];
        for &(from, to) in edges {
            links[from as usize][to as usize] = from != to;
        }
        let mut rows = vec![vec![0.0; nodes + 1]; nodes];
        for from in 0..nodes {
            let out = links[from].iter().filter(|&&l| l).count();
            for to in 0..nodes {
                let share = if out == 0 {
                    1.0 / n
                } else if links[from][to] {
                    1.0 / out as f64
                } else {
                    0.0
                };
                rows[to][from] = f64::from(from == to) - damping * share;
            }
        }
        rows.iter_mut().for_each(|row| row[nodes] = (1.0 - damping) / n);
        for pivot in 0..nodes {
            let best = (pivot..nodes).max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs())).unwrap();
            rows.swap(pivot, best);
            for row in 0..nodes {
                if row != pivot {
                    let factor = rows[row][pivot] / rows[pivot][pivot];
                    let pivots = rows[pivot].clone();
                    for (cell, of_pivot) in rows[row].iter_mut().zip(&pivots).skip(pivot) {
                        *cell -= factor * of_pivot;
                    }
                }
            }
        }
        (0..nodes).map(|v| rows[v][nodes] / rows[v][v]).collect()
    }

    #[test]
    fn closed_forms_hold() {
        // A ring: all alike.
        assert!(ranks(5, (0..5).map(|v| (v, (v + 1) % 5)).collect(), 0.85).iter().all(|&r| close(r, 0.2)));
        // A star of n leaves that link to a hub without links: leaf = x, hub = x (1 + n d), x (n + 1 + n d) = 1.
        let (n, d) = (9.0, 0.85);
        let star = ranks(10, (1..10).map(|v| (v, 0)).collect(), d);
        let leaf = 1.0 / (n + 1.0 + n * d);
        assert!(close(star[0], leaf * (1.0 + n * d)) && star[1..].iter().all(|&r| close(r, leaf)));
        // No links at all, and no damping.
        assert!(ranks(4, vec![], 0.85).iter().all(|&r| close(r, 0.25)));
        assert!(ranks(3, vec![(0, 1), (0, 2)], 0.0).iter().all(|&r| close(r, 1.0 / 3.0)));
        assert!(ranks(0, vec![], 0.85).is_empty());
    }

    proptest! {
        #[test]
        fn ranks_solve_the_equations_and_sum_to_one((nodes, edges) in graphs(16), damping in 0.0f64..0.95) {
            let found = ranks(nodes, edges.clone(), damping);
            for (a, b) in found.iter().zip(dense(nodes, &edges, damping)) {
                prop_assert!((a - b).abs() < 1e-11, "{} {}", a, b);
            }
            prop_assert!(close(found.iter().sum(), 1.0));
        }
    }
}
