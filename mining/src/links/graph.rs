//! The page graph as compressed sparse rows: neighbours of node `v` stand in one slice, ascending.
//!
//! Nodes are `u32`; an edge costs 4 bytes in each direction that is kept.

use rayon::prelude::*;

/// One direction of a directed graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csr {
    /// Where each node's neighbours start; one more than there are nodes.
    offsets: Vec<usize>,
    neighbours: Vec<u32>,
}

impl Csr {
    /// Builds from edges (from, to) in any order; repetitions become one, an edge from a node to itself is dropped.
    /// `nodes` is more than any number in `edges`.
    pub fn new(nodes: usize, mut edges: Vec<(u32, u32)>) -> Csr {
        edges.par_sort_unstable();
        edges.dedup();
        edges.retain(|(from, to)| from != to);
        let mut offsets = vec![0; nodes + 1];
        for (from, _) in &edges {
            offsets[*from as usize + 1] += 1;
        }
        for node in 0..nodes {
            offsets[node + 1] += offsets[node];
        }
        Csr { offsets, neighbours: edges.into_iter().map(|(_, to)| to).collect() }
    }

    /// The same edges the other way round; neighbours ascending again.
    pub fn reversed(&self) -> Csr {
        let nodes = self.nodes();
        let mut offsets = vec![0; nodes + 1];
        for &to in &self.neighbours {
            offsets[to as usize + 1] += 1;
        }
        for node in 0..nodes {
            offsets[node + 1] += offsets[node];
        }
        let mut place = offsets.clone();
        let mut neighbours = vec![0; self.neighbours.len()];
        for from in 0..nodes {
            for &to in self.of(from) {
                neighbours[place[to as usize]] = from as u32;
                place[to as usize] += 1;
            }
        }
        Csr { offsets, neighbours }
    }

    /// Nodes.
    pub fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Edges.
    pub fn edges(&self) -> usize {
        self.neighbours.len()
    }

    /// Neighbours of a node, ascending.
    pub fn of(&self, node: usize) -> &[u32] {
        &self.neighbours[self.offsets[node]..self.offsets[node + 1]]
    }

    /// Number of neighbours.
    pub fn degree(&self, node: usize) -> usize {
        self.offsets[node + 1] - self.offsets[node]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Graphs with up to `n` nodes, edges repeated and to themselves among them.
    pub fn graphs(n: u32) -> impl Strategy<Value = (usize, Vec<(u32, u32)>)> {
        (1..=n).prop_flat_map(|nodes| {
            prop::collection::vec((0..nodes, 0..nodes), 0..(nodes as usize * 3)).prop_map(move |e| (nodes as usize, e))
        })
    }

    proptest! {
        #[test]
        fn rows_hold_the_distinct_edges_in_both_directions((nodes, edges) in graphs(12)) {
            let graph = Csr::new(nodes, edges.clone());
            let wanted: BTreeSet<(u32, u32)> = edges.into_iter().filter(|(a, b)| a != b).collect();
            let forward: Vec<(u32, u32)> =
                (0..nodes).flat_map(|v| graph.of(v).iter().map(move |&w| (v as u32, w))).collect();
            prop_assert_eq!(forward, wanted.iter().copied().collect::<Vec<_>>());
            let back = graph.reversed();
            let mut backward: Vec<(u32, u32)> =
                (0..nodes).flat_map(|v| back.of(v).iter().map(move |&w| (w, v as u32))).collect();
            backward.sort_unstable();
            prop_assert_eq!(backward, wanted.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(back.reversed(), graph);
        }
    }
}
