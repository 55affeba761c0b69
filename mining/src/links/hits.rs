//! Hubs and authorities (Kleinberg 1999: "Authoritative Sources in a Hyperlinked Environment").
//!
//! `authority(v)` is the sum of the hub scores of the pages that link to `v`, `hub(v)` the sum of the authority scores of
//! the pages that `v` links to; both vectors have Euclidean length 1. Power iteration from equal scores, until the L1
//! distance of two rounds is at most the tolerance. Where the graph has several equally strong communities the result
//! depends on the start, which is why the start is fixed.

use anyhow::Result;
use rayon::prelude::*;

use super::pull::{Pull, Running};
use super::sum::sum;

/// Rounds after which it is given up; two communities of nearly the same strength converge slowly.
const MOST_ROUNDS: usize = 1_000;

/// Scores, and how they were reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Hub score by node.
    pub hubs: Vec<f64>,
    /// Authority score by node.
    pub authorities: Vec<f64>,
    /// Rounds.
    pub rounds: usize,
    /// L1 distance of the last two rounds' authorities, for vectors of length 1.
    pub distance: f64,
}

/// Scores of so many nodes; `tick` is called once a round and may end the work.
pub fn hits(
    nodes: usize,
    outgoing: &Pull<'_>,
    incoming: &Pull<'_>,
    tolerance: f64,
    tick: impl Fn() -> Result<()> + Send,
) -> Result<Scores> {
    rayon::scope(|_| rounds(nodes, outgoing, incoming, tolerance, tick))
}

fn rounds(
    nodes: usize,
    outgoing: &Pull<'_>,
    incoming: &Pull<'_>,
    tolerance: f64,
    tick: impl Fn() -> Result<()>,
) -> Result<Scores> {
    let mut hubs = vec![1.0 / (nodes as f64).sqrt(); nodes];
    let mut authorities = vec![0.0; nodes];
    let mut next = vec![0.0; nodes];
    let mut running = Running::default();
    let (mut rounds, mut distance) = (0, f64::INFINITY);
    while distance > tolerance && rounds < MOST_ROUNDS {
        tick()?;
        pull(incoming, &hubs, &mut next, &mut running)?;
        distance = sum(nodes, |v| (next[v] - authorities[v]).abs());
        std::mem::swap(&mut authorities, &mut next);
        pull(outgoing, &authorities, &mut hubs, &mut running)?;
        rounds += 1;
    }
    Ok(Scores { hubs, authorities, rounds, distance })
}

/// Sums over the neighbours, scaled to length 1.
fn pull(graph: &Pull<'_>, from: &[f64], to: &mut [f64], running: &mut Running) -> Result<()> {
    let square = graph.each(from, to, running, |score, sum| {
        *score = sum;
        sum * sum
    })?;
    if square > 0.0 {
        let length = square.sqrt();
        to.par_iter_mut().for_each(|score| *score /= length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::super::graph::tests::{both, graphs};
    use super::*;

    fn scores(nodes: usize, edges: Vec<(u32, u32)>) -> Scores {
        let (graph, back) = both(nodes, &edges);
        hits(nodes, &Pull::new(&graph).unwrap(), &Pull::new(&back).unwrap(), 1e-12, || Ok(())).unwrap()
    }

    #[test]
    fn a_star_has_one_authority_and_equal_hubs() {
        let found = scores(5, (1..5).map(|v| (v, 0)).collect());
        assert!((found.authorities[0] - 1.0).abs() < 1e-12 && found.authorities[1..].iter().all(|&a| a == 0.0));
        assert!(found.hubs[0] == 0.0 && found.hubs[1..].iter().all(|&h| (h - 0.5).abs() < 1e-12));
    }

    #[test]
    fn no_link_no_score() {
        let found = scores(3, vec![]);
        assert!(found.hubs.iter().chain(&found.authorities).all(|&s| s == 0.0));
    }

    proptest! {
        /// At a fixed point, authorities are an eigenvector of AᵀA: one more round changes nothing.
        #[test]
        fn scores_are_a_fixed_point((nodes, edges) in graphs(12)) {
            let found = scores(nodes, edges.clone());
            prop_assume!(found.distance <= 1e-12);
            let mut authorities = vec![0.0; nodes];
            let (_, back) = both(nodes, &edges);
            pull(&Pull::new(&back).unwrap(), &found.hubs, &mut authorities, &mut Running::default()).unwrap();
            for (a, b) in authorities.iter().zip(&found.authorities) {
                prop_assert!((a - b).abs() < 1e-6);
            }
        }
    }
}
