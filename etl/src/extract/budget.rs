//! One bound on the memory of all trees that are parsed at the same time.

use std::sync::{Condvar, Mutex, PoisonError};

/// Nodes that all trees together may have; about 100 MB.
const NODES: usize = 1_000_000;
/// A node needs at least so many bytes of a page, less a few for the frame that every tree has.
const BYTES_PER_NODE: usize = 2;

/// Shares out nodes. A large page waits until the others are done, and is then alone.
#[derive(Debug)]
pub struct Budget {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { free: Mutex::new(NODES), freed: Condvar::new() }
    }
}

impl Budget {
    /// Waits for the share of a page of that size; it is given back when dropped.
    pub fn take(&self, bytes: usize) -> Share<'_> {
        let nodes = (bytes / BYTES_PER_NODE).clamp(1, NODES);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free < nodes {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= nodes;
        Share { budget: self, nodes }
    }
}

/// A share that was taken.
#[derive(Debug)]
pub struct Share<'a> {
    budget: &'a Budget,
    nodes: usize,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.nodes;
        self.budget.freed.notify_all();
    }
}
