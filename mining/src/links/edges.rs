//! Edges in any order, brought into order: by source, then by target, each once; on disk where they do not fit in memory.

use anyhow::Result;

use crate::spill::{self, Room, Sorter};

/// Collects edges.
#[derive(Debug)]
pub struct Edges(Sorter<1, 1>);

/// An edge as a number: numbers are in the order of edges.
fn packed(from: u32, to: u32) -> [u64; 1] {
    [u64::from(from) << 32 | u64::from(to)]
}

impl Edges {
    /// None yet.
    pub fn new(room: &Room) -> Edges {
        Edges(Sorter::new(room))
    }

    /// Adds an edge.
    pub fn push(&mut self, from: u32, to: u32) -> Result<()> {
        self.0.push(packed(from, to))
    }

    /// Whether some are on disk.
    pub fn spilled(&self) -> bool {
        self.0.spilled()
    }

    /// Calls `take` with each edge once, in order.
    pub fn drain(self, mut take: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        self.0.drain(|[edge]| take((edge >> 32) as u32, edge as u32))
    }

    /// All of them in order, to be read as often as one likes.
    pub fn list(self) -> Result<List> {
        Ok(List(self.0.list()?))
    }
}

/// Edges in order, each once.
#[derive(Debug)]
pub struct List(spill::List<1>);

impl List {
    /// Calls `take` with each edge, in order.
    pub fn each(&self, mut take: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        self.0.each(|[edge]| take((edge >> 32) as u32, edge as u32))
    }
}
