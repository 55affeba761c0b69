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
pub struct Pull<'a> {
    rows: Rows<'a>,
    /// Sums of what stands before a node within its span, and that of the whole span behind its last.
    running: Vec<f64>,
}

#[derive(Debug)]
enum Rows<'a> {
    /// By [`BLOCK`] nodes.
    Memory(Vec<Block>),
    Disk(&'a Csr),
}

/// Rows of some nodes.
#[derive(Debug)]
struct Block {
    /// Neighbours that stand alone.
    alone: Sliced,
    /// Runs: node within the block, and the places of its ends in the running sums.
    runs: Vec<(u32, u32, u32)>,
}

impl Pull<'_> {
    /// Takes as much memory as a graph in memory does, or that of its nodes for one in files.
    pub fn new(graph: &Csr) -> Result<Pull<'_>> {
        let nodes = graph.nodes();
        let block = |first: usize| -> Result<Block> {
            let nodes = first..nodes.min(first + BLOCK);
            let (mut lengths, mut alone, mut runs) = (vec![0u32; nodes.len()], Vec::new(), Vec::new());
            each_run(graph, nodes, |node, run| {
                if run.1 - run.0 < RUN {
                    lengths[node - first] += run.1 - run.0;
                    alone.extend(run.0..run.1);
                } else {
                    runs.push(((node - first) as u32, place(run.0), place(run.1 - 1) + 1));
                }
            })?;
            Ok(Block { alone: Sliced::new(&lengths, &alone), runs })
        };
        let rows = if graph.is_in_memory() {
            Rows::Memory((0..nodes).into_par_iter().step_by(BLOCK).map(block).collect::<Result<_>>()?)
        } else {
            Rows::Disk(graph)
        };
        Ok(Pull { rows, running: vec![0.0; nodes + nodes.div_ceil(SPAN)] })
    }

    /// Calls `take` for each node `v` with `to[v]` and the sum of `from[u]` over the neighbours `u` of `v`; gives the sum of what
    /// it gives.
    pub fn each(&mut self, from: &[f64], to: &mut [f64], take: impl Fn(&mut f64, f64) -> f64 + Sync) -> Result<f64> {
        self.running.par_chunks_mut(SPAN + 1).zip(from.par_chunks(SPAN)).for_each(|(running, from)| {
            let mut sum = 0.0;
            for (before, value) in running.iter_mut().zip(from) {
                *before = sum;
                sum += value;
            }
            running[from.len()] = sum;
        });
        let running = &self.running;
        let blocks = to.par_chunks_mut(BLOCK).enumerate();
        let sums: Vec<f64> = match &self.rows {
            Rows::Memory(rows) => blocks.map(|(block, to)| rows[block].each(from, running, to, &take)).collect(),
            Rows::Disk(graph) => {
                let block = |(block, to): (usize, &mut [f64])| -> Result<f64> {
                    let (first, mut alone, mut runs) = (block * BLOCK, [0.0; BLOCK], [0.0; BLOCK]);
                    each_run(graph, first..first + to.len(), |node, run| {
                        if run.1 - run.0 < RUN {
                            (run.0..run.1).for_each(|u| alone[node - first] += from[u as usize]);
                        } else {
                            runs[node - first] +=
                                running[place(run.1 - 1) as usize + 1] - running[place(run.0) as usize];
                        }
                    })?;
                    Ok(lanes(to.len(), |i| take(&mut to[i], alone[i] + runs[i])))
                };
                blocks.map(block).collect::<Result<_>>()?
            }
        };
        Ok(sums.into_iter().sum())
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

/// Calls `take` with each of these nodes and each run of its neighbours, from the first to behind the last; a run ends where a
/// span does.
fn each_run(graph: &Csr, nodes: std::ops::Range<usize>, mut take: impl FnMut(usize, (u32, u32))) -> Result<()> {
    let (mut at, mut run) = (usize::MAX, (0, 0));
    graph.rows(nodes, |node, part| {
        for &u in part {
            if node == at && u == run.1 && !u.is_multiple_of(SPAN as u32) {
                run.1 += 1;
                continue;
            }
            if at != usize::MAX {
                take(at, run);
            }
            (at, run) = (node, (u, u + 1));
        }
    })?;
    if at != usize::MAX {
        take(at, run);
    }
    Ok(())
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
                let (mut found, mut pull) = (vec![f64::NAN; nodes], Pull::new(&graph).unwrap());
                for _ in 0..2 {
                    let all = pull.each(&from, &mut found, |slot, sum| { *slot = sum; sum }).unwrap();
                    assert!((all - wanted.iter().sum::<f64>()).abs() < 1e-8);
                    assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-10));
                }
                found
            });
            prop_assert_eq!(&sums[0], &sums[1]);
        }
    }
}
