//! Sums over the neighbours of every node: what PageRank, and hubs and authorities, do in each round.
//!
//! Pages of a folder have neighbouring numbers and often link to the same page: most neighbours stand in runs of consecutive
//! numbers ("intervals" of Boldi and Vigna 2004: "The WebGraph Framework I: Compression Techniques"). The sum of a run is the
//! difference of two running sums, so a round costs what the runs and the other neighbours are, not what the edges are.
//!
//! What does not stand in runs is summed row by row, eight rows side by side (`sliced.rs`).
//!
//! Running sums start anew every [`SPAN`] nodes, which keeps them small and their differences exact, and runs end there. A graph
//! in memory is cut into runs once, one in files as it is read; both give the same bits.

use std::ops::Range;

use anyhow::Result;
use rayon::prelude::*;

use super::graph::Csr;
use super::sliced::Sliced;
use super::sum::{BLOCK, lanes};

/// Nodes after which running sums start anew.
const SPAN: usize = 1024;
/// Neighbours of the shortest run that is summed as one.
const RUN: u32 = 4;

/// A graph, made ready for sums.
#[derive(Debug)]
pub enum Pull<'a> {
    /// Some thousands of nodes each.
    Memory(Vec<Block>),
    /// Rows in a file.
    Disk(&'a Csr),
}

/// Running sums: of what stands before a node within its span, and of the whole span behind its last.
#[derive(Debug, Default)]
pub struct Running(Vec<f64>);

/// Rows of some nodes.
#[derive(Debug)]
pub struct Block {
    /// Neighbours that stand alone.
    alone: Sliced,
    /// Runs: node within the block, and the places of its ends in the running sums.
    runs: Vec<(u32, u32, u32)>,
}

impl Pull<'_> {
    /// Takes as much memory as a graph in memory does at most, and none for one in files.
    pub fn new(graph: &Csr) -> Result<Pull<'_>> {
        let nodes = graph.nodes();
        let block = |first: usize| -> Result<Block> {
            let nodes = first..nodes.min(first + BLOCK);
            let (mut lengths, mut alone, mut runs) = (vec![0u32; nodes.len()], Vec::new(), Vec::new());
            each_row(graph, nodes, |node, row| {
                let node = node - first;
                let one = |u| {
                    lengths[node] += 1;
                    alone.push(u);
                };
                cut(row, one, |first, end| runs.push((node as u32, first, end)));
            })?;
            Ok(Block { alone: Sliced::new(&lengths, &alone), runs })
        };
        if !graph.is_in_memory() {
            return Ok(Pull::Disk(graph));
        }
        Ok(Pull::Memory((0..nodes).into_par_iter().step_by(BLOCK).map(block).collect::<Result<_>>()?))
    }

    /// Calls `take` for each node `v` with `to[v]` and the sum of `from[u]` over the neighbours `u` of `v`; gives the sum of what
    /// it gives.
    pub fn each(
        &self,
        from: &[f64],
        to: &mut [f64],
        running: &mut Running,
        take: impl Fn(&mut f64, f64) -> f64 + Sync,
    ) -> Result<f64> {
        let running = running.of(from);
        let blocks = to.par_chunks_mut(BLOCK).enumerate();
        let sums: Vec<f64> = match self {
            Pull::Memory(rows) => blocks.map(|(block, to)| rows[block].each(from, running, to, &take)).collect(),
            Pull::Disk(graph) => {
                let block = |(block, to): (usize, &mut [f64])| -> Result<f64> {
                    let (first, mut alone, mut runs) = (block * BLOCK, [0.0; BLOCK], [0.0; BLOCK]);
                    each_row(graph, first..first + to.len(), |node, row| {
                        let node = node - first;
                        let (mut one, mut whole) = (alone[node], runs[node]);
                        cut(
                            row,
                            |u| one += from[u as usize],
                            |first, end| whole += running[end as usize] - running[first as usize],
                        );
                        (alone[node], runs[node]) = (one, whole);
                    })?;
                    Ok(lanes(to.len(), |i| take(&mut to[i], alone[i] + runs[i])))
                };
                blocks.map(block).collect::<Result<_>>()?
            }
        };
        Ok(sums.into_iter().sum())
    }
}

impl Running {
    /// Those of values.
    fn of(&mut self, from: &[f64]) -> &[f64] {
        self.0.resize(from.len() + from.len().div_ceil(SPAN), 0.0);
        self.0.par_chunks_mut(SPAN + 1).zip(from.par_chunks(SPAN)).for_each(|(running, from)| {
            let mut sum = 0.0;
            for (before, value) in running.iter_mut().zip(from) {
                *before = sum;
                sum += value;
            }
            running[from.len()] = sum;
        });
        &self.0
    }
}

impl Block {
    fn each(&self, from: &[f64], running: &[f64], to: &mut [f64], take: impl Fn(&mut f64, f64) -> f64) -> f64 {
        let (mut alone, mut runs) = ([0.0; BLOCK], [0.0; BLOCK]);
        self.alone.sums(from, &mut alone);
        for &(node, first, end) in &self.runs {
            runs[node as usize] += running[end as usize] - running[first as usize];
        }
        lanes(to.len(), |i| take(&mut to[i], alone[i] + runs[i]))
    }
}

/// Place of a node in the running sums.
fn place(node: u32) -> u32 {
    node + node / SPAN as u32
}

/// Cuts a row into runs of [`RUN`] and more, as the places of their ends in the running sums, and neighbours that stand alone.
fn cut(row: &[u32], mut one: impl FnMut(u32), mut run: impl FnMut(u32, u32)) {
    let (mut rest, last) = (row, RUN - 1);
    while let [first, later @ ..] = rest {
        // They ascend, so a run is known by its ends.
        let long = rest.get(last as usize) == Some(&(first + last)) && first % SPAN as u32 + last < SPAN as u32;
        if !long {
            one(*first);
            rest = later;
            continue;
        }
        let most = rest.len().min(SPAN - *first as usize % SPAN);
        let end = (RUN as usize..most).find(|&i| rest[i] != first + i as u32).unwrap_or(most);
        run(place(*first), place(*first) + end as u32);
        rest = &rest[end..];
    }
}

/// Calls `visit` with each of these nodes that has neighbours, and its neighbours, which come in several calls where they are many:
/// no run goes on in the next.
fn each_row(graph: &Csr, nodes: Range<usize>, mut visit: impl FnMut(usize, &[u32])) -> Result<()> {
    // of a row that came in parts: what is held back, and how much has come
    let (mut held, mut came) = (Vec::new(), 0);
    graph.rows(nodes, |node, part| {
        came += part.len();
        let complete = came == graph.degree(node);
        if held.is_empty() && complete {
            visit(node, part);
        } else {
            held.extend_from_slice(part);
            let span = |u: &u32| *u as usize / SPAN;
            let done = match held.last() {
                Some(last) if !complete => held.partition_point(|u| span(u) < span(last)),
                _ => held.len(),
            };
            visit(node, &held[..done]);
            held.drain(..done);
        }
        if complete {
            came = 0;
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::super::graph::tests::both_in;
    use super::*;
    use crate::spill::Room;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn sums_are_those_of_the_rows_and_the_same_from_memory_and_from_files(
            nodes in 1usize..6000, runs in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..1500), 0..30),
        ) {
            let runs = runs.iter().flat_map(|(v, first, length)| {
                let (v, first) = (v.index(nodes), first.index(nodes));
                (first..nodes.min(first + length)).map(move |u| (v as u32, u as u32))
            });
            let edges: Vec<(u32, u32)> = runs.collect();
            let dir = tempfile::tempdir().unwrap();
            let from: Vec<f64> = (0..nodes).map(|v| 1.0 / (v % 7 + 3) as f64).collect();
            let sums = [4096, usize::MAX].map(|bytes| {
                let (graph, _) = both_in(nodes, &edges, &Room::new(bytes, archive::DataDir::new(dir.path())));
                let mut wanted = vec![0.0; nodes];
                graph.each(|v, u| { wanted[v as usize] += from[u as usize]; Ok(()) }).unwrap();
                let (mut found, pull, mut running) = (vec![f64::NAN; nodes], Pull::new(&graph).unwrap(), Running::default());
                for _ in 0..2 {
                    let all = pull.each(&from, &mut found, &mut running, |slot, sum| { *slot = sum; sum }).unwrap();
                    assert!((all - wanted.iter().sum::<f64>()).abs() < 1e-8);
                    assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-10));
                }
                found
            });
            prop_assert_eq!(&sums[0], &sums[1]);
        }
    }

    /// What is read of a file at once ends in the midst of rows and of runs.
    #[test]
    fn rows_that_come_in_parts_are_summed_as_whole_ones() {
        let nodes = 150_000;
        let row = |v: u32, has: fn(u32) -> bool| (0..nodes).filter(move |&u| u != v && has(u)).map(move |u| (v, u));
        let rows =
            row(3, |u| u % 3 < 2).chain(row(5, |_| true)).chain(row(6, |u| u % 7 < 5)).chain(row(9, |u| u % 9001 != 0));
        let edges: Vec<(u32, u32)> = rows.collect();
        let from: Vec<f64> = (0..nodes).map(|v| 1.0 / f64::from(v % 7 + 3)).collect();
        let dir = tempfile::tempdir().unwrap();
        let sums = [1 << 20, usize::MAX].map(|bytes| {
            let (graph, _) = both_in(nodes as usize, &edges, &Room::new(bytes, archive::DataDir::new(dir.path())));
            assert_eq!(graph.is_in_memory(), bytes == usize::MAX);
            let mut found = vec![f64::NAN; nodes as usize];
            let take = |slot: &mut f64, sum| {
                *slot = sum;
                sum
            };
            Pull::new(&graph).unwrap().each(&from, &mut found, &mut Running::default(), take).unwrap();
            found
        });
        assert_eq!(sums[0], sums[1]);
        let wanted: f64 = edges.iter().filter(|(v, _)| *v == 9).map(|(_, u)| from[*u as usize]).sum();
        assert!((sums[0][9] - wanted).abs() < 1e-6, "{} {wanted}", sums[0][9]);
    }
}
