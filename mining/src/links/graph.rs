//! The page graph as compressed sparse rows: neighbours of node `v` stand one after the other, ascending.
//!
//! Nodes are `u32`. In memory a node costs 4 bytes and an eighth in each direction, and an edge 4 bytes, which stand in a file
//! when there are too many: then rows are read a block at a time, by as many threads as there are, and whoever jumps from row
//! to row does it through a cache. Both ways give the same neighbours in the same order.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::edges::Edges;
use crate::spill::Room;

/// Nodes whose rows start at a place that is kept; those between are found by their degrees.
const STRIDE: usize = 64;
/// Neighbours that are read at once from a file.
const PART: usize = 64 << 10;

/// One direction of a directed graph.
#[derive(Debug, Clone)]
pub struct Csr {
    degrees: Vec<u32>,
    /// Where the row of each node that STRIDE divides starts.
    starts: Vec<u64>,
    edges: u64,
    /// Blocks that a [`Jumps`] may keep.
    cache: usize,
    neighbours: Neighbours,
}

#[derive(Debug, Clone)]
enum Neighbours {
    Memory(Vec<u32>),
    /// Numbers of 4 bytes, least significant first.
    Disk(Arc<File>, PathBuf),
}

impl Csr {
    /// Builds from edges; an edge from a node to itself is dropped. `nodes` is more than any number in them.
    pub fn new(nodes: usize, edges: Edges, room: &Room) -> Result<Csr> {
        let mut degrees = vec![0u32; nodes];
        let mut count = 0;
        let neighbours = if edges.spilled() {
            let (path, mut out) = room.file("rows")?;
            let failed = || format!("cannot write {}", path.display());
            edges.drain(|from, to| {
                if from != to {
                    degrees[from as usize] += 1;
                    count += 1;
                    out.write_all(&to.to_le_bytes()).with_context(failed)?;
                }
                Ok(())
            })?;
            out.flush().with_context(failed)?;
            drop(out);
            let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Neighbours::Disk(Arc::new(file), path)
        } else {
            let mut neighbours = Vec::new();
            edges.drain(|from, to| {
                if from != to {
                    degrees[from as usize] += 1;
                    count += 1;
                    neighbours.push(to);
                }
                Ok(())
            })?;
            Neighbours::Memory(neighbours)
        };
        Ok(Csr { starts: starts(&degrees), degrees, edges: count, cache: cache(room), neighbours })
    }

    /// The same edges the other way round; neighbours ascending again.
    pub fn reversed(&self, room: &Room) -> Result<Csr> {
        let nodes = self.nodes();
        let Neighbours::Memory(forward) = &self.neighbours else {
            let mut edges = Edges::new(room);
            self.each(|from, to| edges.push(to, from))?;
            return Csr::new(nodes, edges, room);
        };
        let mut degrees = vec![0u32; nodes];
        forward.iter().for_each(|&to| degrees[to as usize] += 1);
        let mut place = vec![0usize; nodes];
        let mut next = 0;
        for (place, &degree) in place.iter_mut().zip(&degrees) {
            *place = next;
            next += degree as usize;
        }
        let mut neighbours = vec![0; forward.len()];
        self.rows(0..nodes, |from, row| {
            for &to in row {
                neighbours[place[to as usize]] = from as u32;
                place[to as usize] += 1;
            }
        })?;
        let neighbours = Neighbours::Memory(neighbours);
        Ok(Csr { starts: starts(&degrees), degrees, edges: self.edges, cache: self.cache, neighbours })
    }

    /// Nodes.
    pub fn nodes(&self) -> usize {
        self.degrees.len()
    }

    /// Edges.
    pub fn edges(&self) -> usize {
        self.edges as usize
    }

    /// Whether no file is read.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.neighbours, Neighbours::Memory(_))
    }

    /// Number of neighbours.
    pub fn degree(&self, node: usize) -> usize {
        self.degrees[node] as usize
    }

    /// Numbers of neighbours, by node.
    pub fn degrees(&self) -> &[u32] {
        &self.degrees
    }

    /// Where the row of a node starts.
    fn start(&self, node: usize) -> u64 {
        let from = node / STRIDE * STRIDE;
        self.starts[node / STRIDE] + self.degrees[from..node].iter().map(|&degree| u64::from(degree)).sum::<u64>()
    }

    /// Calls `visit` with each of these nodes that has neighbours, and its neighbours, all in order. Neighbours of one node may
    /// come in several calls.
    pub fn rows(&self, nodes: Range<usize>, mut visit: impl FnMut(usize, &[u32])) -> Result<()> {
        if nodes.is_empty() {
            return Ok(());
        }
        let mut at = self.start(nodes.start);
        match &self.neighbours {
            Neighbours::Memory(neighbours) => {
                let mut at = at as usize;
                for node in nodes {
                    let end = at + self.degrees[node] as usize;
                    if end > at {
                        visit(node, &neighbours[at..end]);
                    }
                    at = end;
                }
            }
            Neighbours::Disk(file, path) => {
                let end = self.start(nodes.end - 1) + u64::from(self.degrees[nodes.end - 1]);
                let (mut part, mut bytes) = (Vec::new(), Vec::new());
                let (mut node, mut left) = (nodes.start, self.degrees[nodes.start] as usize);
                while at < end {
                    let count = (end - at).min(PART as u64) as usize;
                    read(file, path, at, count, &mut bytes, &mut part)?;
                    let mut rest = &part[..];
                    while !rest.is_empty() {
                        while left == 0 {
                            node += 1;
                            left = self.degrees[node] as usize;
                        }
                        let (now, later) = rest.split_at(left.min(rest.len()));
                        visit(node, now);
                        left -= now.len();
                        rest = later;
                    }
                    at += count as u64;
                }
            }
        }
        Ok(())
    }

    /// All nodes, cut so that those of a piece have so many edges at most, or are one node with more.
    pub fn pieces(&self, most: usize) -> Vec<Range<usize>> {
        let (mut pieces, mut first, mut edges) = (Vec::new(), 0, 0);
        for (node, &degree) in self.degrees.iter().enumerate() {
            let degree = degree as usize;
            if node > first && (edges + degree > most || node - first == most) {
                pieces.push(first..node);
                (first, edges) = (node, 0);
            }
            edges += degree;
        }
        if first < self.nodes() {
            pieces.push(first..self.nodes());
        }
        pieces
    }

    /// Calls `take` with each edge, in order.
    pub fn each(&self, mut take: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        let mut result = Ok(());
        self.rows(0..self.nodes(), |from, part| {
            if result.is_ok() {
                result = part.iter().try_for_each(|&to| take(from as u32, to));
            }
        })?;
        result
    }

    /// For whoever jumps from row to row.
    pub fn jumps(&self) -> Jumps<'_> {
        let blocks = if matches!(self.neighbours, Neighbours::Disk(..)) { self.cache } else { 0 };
        Jumps { graph: self, blocks: vec![(u64::MAX, Vec::new()); blocks], bytes: Vec::new() }
    }
}

/// Neighbours of a block that a [`Jumps`] keeps.
const BLOCK: usize = 1024;

/// A quarter of the room, 32 MiB at most.
fn cache(room: &Room) -> usize {
    (room.bytes() / 4 / (4 * BLOCK)).clamp(16, 8192)
}

/// Rows in any order: from memory as they are, from a file through a cache in which each block has one place.
pub struct Jumps<'a> {
    graph: &'a Csr,
    blocks: Vec<(u64, Vec<u32>)>,
    bytes: Vec<u8>,
}

impl Jumps<'_> {
    /// Where the row of a node starts.
    pub fn start(&self, node: u32) -> u64 {
        self.graph.start(node as usize)
    }

    /// The neighbour at a place.
    pub fn at(&mut self, place: u64) -> Result<u32> {
        match &self.graph.neighbours {
            Neighbours::Memory(neighbours) => Ok(neighbours[place as usize]),
            Neighbours::Disk(file, path) => {
                let number = place / BLOCK as u64;
                let slots = self.blocks.len() as u64;
                let slot = &mut self.blocks[(number % slots) as usize];
                if slot.0 != number {
                    let from = number * BLOCK as u64;
                    let count = (self.graph.edges - from).min(BLOCK as u64) as usize;
                    slot.0 = u64::MAX;
                    read(file, path, from, count, &mut self.bytes, &mut slot.1)?;
                    slot.0 = number;
                }
                Ok(slot.1[(place % BLOCK as u64) as usize])
            }
        }
    }
}

/// Reads neighbours from a file.
fn read(file: &File, path: &Path, at: u64, count: usize, bytes: &mut Vec<u8>, into: &mut Vec<u32>) -> Result<()> {
    bytes.resize(count * 4, 0);
    file.read_exact_at(bytes, at * 4).with_context(|| format!("cannot read {}", path.display()))?;
    into.clear();
    into.extend(bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)));
    Ok(())
}

fn starts(degrees: &[u32]) -> Vec<u64> {
    let mut next = 0;
    let start = |block: &[u32]| {
        let start = next;
        next += block.iter().map(|&degree| u64::from(degree)).sum::<u64>();
        start
    };
    degrees.chunks(STRIDE).map(start).collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Graphs with up to `n` nodes, edges repeated and to themselves among them.
    pub fn graphs(n: u32) -> impl Strategy<Value = (usize, Vec<(u32, u32)>)> {
        (1..=n).prop_flat_map(|nodes| {
            prop::collection::vec((0..nodes, 0..nodes), 0..(nodes as usize * 3)).prop_map(move |e| (nodes as usize, e))
        })
    }

    /// A graph and its reverse, in memory.
    pub fn both(nodes: usize, edges: &[(u32, u32)]) -> (Csr, Csr) {
        both_in(nodes, edges, &Room::new(usize::MAX, archive::DataDir::new("it fits")))
    }

    /// The same with little room.
    pub fn both_in(nodes: usize, edges: &[(u32, u32)], room: &Room) -> (Csr, Csr) {
        let mut all = Edges::new(room);
        edges.iter().for_each(|&(from, to)| all.push(from, to).unwrap());
        let graph = Csr::new(nodes, all, room).unwrap();
        let back = graph.reversed(room).unwrap();
        (graph, back)
    }

    fn listed(graph: &Csr) -> Vec<(u32, u32)> {
        let mut edges = Vec::new();
        graph.rows(0..graph.nodes(), |v, part| edges.extend(part.iter().map(|&w| (v as u32, w)))).unwrap();
        edges
    }

    proptest! {
        #[test]
        fn rows_hold_the_distinct_edges_in_both_directions((nodes, edges) in graphs(150), most in 1usize..99) {
            let dir = tempfile::tempdir().unwrap();
            let wanted: BTreeSet<(u32, u32)> = edges.iter().copied().filter(|(a, b)| a != b).collect();
            for most in [most, usize::MAX] {
                let (graph, back) = both_in(nodes, &edges, &Room::new(most.saturating_mul(8), archive::DataDir::new(dir.path())));
                prop_assert_eq!(listed(&graph), wanted.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(graph.edges(), wanted.len());
                let backward: BTreeSet<(u32, u32)> = wanted.iter().map(|&(a, b)| (b, a)).collect();
                prop_assert_eq!(listed(&back), backward.into_iter().collect::<Vec<_>>());
                let mut jumps = graph.jumps();
                for v in (0..nodes as u32).rev() {
                    let start = jumps.start(v);
                    let row: Vec<u32> = (0..graph.degree(v as usize) as u64).map(|i| jumps.at(start + i).unwrap()).collect();
                    prop_assert_eq!(row, wanted.iter().filter(|(a, _)| *a == v).map(|(_, b)| *b).collect::<Vec<_>>());
                }
            }
        }
    }
}
