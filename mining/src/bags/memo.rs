//! A table of the pieces of text that were seen, each with what it comes to.
//!
//! An open table of its own: what a general map keeps in two places is in one cache line here.

use std::hash::{BuildHasher, Hash};

use polars::prelude::PlRandomState;

/// Pieces that a table keeps at most.
const PIECES: usize = 1 << 19;
/// Slots of a new table.
const FIRST: usize = 1 << 12;

/// What a piece comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Its one term, or where its terms begin.
    pub at: u32,
    /// How many they are.
    pub terms: u32,
}

/// Pieces by `K`, whose default stands for none, `N` of them in a cache line.
#[derive(Debug)]
pub struct Table<K, const N: usize> {
    /// A power of two of slots, at most three quarters of them taken.
    lines: Vec<Line<K, N>>,
    taken: usize,
    hasher: PlRandomState,
}

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line<K, const N: usize>([(K, Known); N]);

impl<K: Copy + Default, const N: usize> Default for Table<K, N> {
    fn default() -> Table<K, N> {
        Table { lines: lines(FIRST), taken: 0, hasher: PlRandomState::default() }
    }
}

fn lines<K: Copy + Default, const N: usize>(slots: usize) -> Vec<Line<K, N>> {
    vec![Line([Default::default(); N]); slots / N]
}

impl<K: Copy + Default + Eq + Hash, const N: usize> Table<K, N> {
    /// Where a piece is, or belongs.
    fn place(&self, piece: K) -> usize {
        let mask = self.lines.len() * N - 1;
        let mut at = self.hasher.hash_one(piece) as usize & mask;
        loop {
            let found = self.lines[at / N].0[at % N].0;
            if found == piece || found == K::default() {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// What a piece comes to, if it was seen.
    pub fn get(&self, piece: K) -> Option<Known> {
        let at = self.place(piece);
        let (found, known) = self.lines[at / N].0[at % N];
        (found == piece).then_some(known)
    }

    /// Keeps a piece that is not there; not when the table is full.
    pub fn add(&mut self, piece: K, known: Known) -> bool {
        if self.taken == PIECES {
            return false;
        }
        if self.taken * 4 >= self.lines.len() * N * 3 {
            let more = lines(self.lines.len() * N * 2);
            for (piece, known) in std::mem::replace(&mut self.lines, more).into_iter().flat_map(|line| line.0) {
                if piece != K::default() {
                    self.put(piece, known);
                }
            }
        }
        self.put(piece, known);
        self.taken += 1;
        true
    }

    fn put(&mut self, piece: K, known: Known) {
        let at = self.place(piece);
        self.lines[at / N].0[at % N] = (piece, known);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_kept_is_found_and_nothing_else(pieces in prop::collection::vec(1u64..20_000, 0..9000)) {
            let (mut table, mut wanted) = (Table::<u64, 4>::default(), HashMap::new());
            for (at, piece) in (0..).zip(pieces) {
                let known = Known { at, terms: 1 };
                prop_assert_eq!(table.get(piece), wanted.get(&piece).copied());
                if wanted.insert(piece, known).is_none() {
                    prop_assert!(table.add(piece, known));
                } else {
                    wanted.insert(piece, table.get(piece).unwrap_or_default());
                }
            }
            for piece in 1..20_000 {
                prop_assert_eq!(table.get(piece), wanted.get(&piece).copied());
            }
        }
    }
}
