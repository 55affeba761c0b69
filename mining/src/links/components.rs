//! Connected components: strongly by Tarjan's algorithm (1972: "Depth-First Search and Linear Graph Algorithms"), with a
//! stack of its own so that depth costs no call stack; weakly by union-find.
//!
//! Components are numbered from 0 in the order of their smallest node, so equal graphs get equal numbers.

use anyhow::Result;

use super::graph::Csr;

/// Component of each node, by strong connection: there is a path from each to each.
pub fn strong(graph: &Csr) -> Result<Vec<u32>> {
    const UNSEEN: u32 = u32::MAX;
    let nodes = graph.nodes();
    let mut index = vec![UNSEEN; nodes];
    let mut low = vec![0u32; nodes];
    let mut component = vec![UNSEEN; nodes];
    let mut rows = graph.jumps();
    // Nodes of components that are still open, and the path of the search: (node, next neighbour).
    let mut open: Vec<u32> = Vec::new();
    let mut path: Vec<(u32, u32)> = Vec::new();
    let (mut next_index, mut next_component) = (0u32, 0u32);
    for root in 0..nodes {
        if index[root] != UNSEEN {
            continue;
        }
        path.push((root as u32, 0));
        while let Some(&(node, mut at)) = path.last() {
            let v = node as usize;
            if at == 0 && index[v] == UNSEEN {
                index[v] = next_index;
                low[v] = next_index;
                next_index += 1;
                open.push(node);
            }
            let (start, degree) = (rows.start(node), graph.degree(v) as u32);
            let mut child = None;
            while at < degree && child.is_none() {
                let w = rows.at(start + u64::from(at))?;
                at += 1;
                if index[w as usize] == UNSEEN {
                    child = Some(w);
                } else if component[w as usize] == UNSEEN {
                    low[v] = low[v].min(index[w as usize]);
                }
            }
            if let Some(frame) = path.last_mut() {
                frame.1 = at;
            }
            if let Some(child) = child {
                path.push((child, 0));
                continue;
            }
            if low[v] == index[v] {
                while let Some(w) = open.pop() {
                    component[w as usize] = next_component;
                    if w as usize == v {
                        break;
                    }
                }
                next_component += 1;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                let parent = *parent as usize;
                low[parent] = low[parent].min(low[v]);
            }
        }
    }
    drop((index, low));
    Ok(renumber(component))
}

/// Component of each node when the direction of edges does not matter.
pub fn weak(graph: &Csr) -> Result<Vec<u32>> {
    let nodes = graph.nodes();
    let mut parent: Vec<u32> = (0..nodes as u32).collect();
    graph.rows(0..nodes, |from, part| {
        for &to in part {
            let (a, b) = (find(&mut parent, from as u32), find(&mut parent, to));
            // The smaller number is the root, so a root is its component's smallest node.
            parent[a.max(b) as usize] = a.min(b);
        }
    })?;
    Ok(renumber((0..nodes as u32).map(|node| find(&mut parent, node)).collect()))
}

/// Root of a node, halving the path on the way.
fn find(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        parent[node as usize] = parent[parent[node as usize] as usize];
        node = parent[node as usize];
    }
    node
}

/// Number of components, and the size of the largest.
pub fn sizes(components: &[u32]) -> (usize, usize) {
    let mut sizes = vec![0usize; components.iter().max().map_or(0, |&most| most as usize + 1)];
    for &component in components {
        sizes[component as usize] += 1;
    }
    (sizes.len(), sizes.into_iter().max().unwrap_or(0))
}

/// Numbers in the order of first appearance, which is that of each component's smallest node.
fn renumber(mut components: Vec<u32>) -> Vec<u32> {
    const NONE: u32 = u32::MAX;
    let mut new = vec![NONE; components.len()];
    let mut next = 0;
    for component in &mut components {
        let slot = &mut new[*component as usize];
        if *slot == NONE {
            *slot = next;
            next += 1;
        }
        *component = *slot;
    }
    components
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::super::graph::tests::{both, graphs};
    use super::*;

    /// Who reaches whom, by Warshall's algorithm.
    fn reach(nodes: usize, edges: &[(u32, u32)], both_ways: bool) -> Vec<Vec<bool>> {
        let mut reach = vec![vec![false; nodes]; nodes];
        for &(a, b) in edges {
            reach[a as usize][b as usize] = true;
            reach[b as usize][a as usize] |= both_ways;
        }
        for (v, row) in reach.iter_mut().enumerate() {
            row[v] = true;
        }
        for k in 0..nodes {
            for i in 0..nodes {
                for j in 0..nodes {
                    reach[i][j] |= reach[i][k] && reach[k][j];
                }
            }
        }
        reach
    }

    fn by_hand(nodes: usize, edges: &[(u32, u32)], both_ways: bool) -> Vec<u32> {
        let reach = reach(nodes, edges, both_ways);
        let smallest = |v: usize| (0..nodes).find(|&w| reach[v][w] && reach[w][v]).map_or(0, |w| w as u32);
        renumber((0..nodes).map(smallest).collect())
    }

    proptest! {
        #[test]
        fn components_equal_those_found_by_reachability((nodes, edges) in graphs(14)) {
            let (graph, _) = both(nodes, &edges);
            prop_assert_eq!(strong(&graph).unwrap(), by_hand(nodes, &edges, false));
            prop_assert_eq!(weak(&graph).unwrap(), by_hand(nodes, &edges, true));
        }
    }

    #[test]
    fn a_path_of_a_million_nodes_does_not_overflow_the_stack() {
        let nodes = 1_000_000u32;
        let (graph, _) = both(nodes as usize, &(1..nodes).map(|v| (v - 1, v)).collect::<Vec<_>>());
        assert_eq!(sizes(&strong(&graph).unwrap()), (nodes as usize, 1));
        assert_eq!(sizes(&weak(&graph).unwrap()), (1, nodes as usize));
    }
}
