//! Links that were published lately, so that they are not published again for each page that has them.
//!
//! Two generations of fixed size: when the younger is full, the older is forgotten. What is forgotten is at worst
//! published twice, and known to its owner by then.

use std::collections::HashMap;

use crate::fingerprint::{BuildReady, Fingerprint};

/// Links of one generation; two of them take about 15 MB.
const GENERATION: usize = 1 << 17;

/// The filter.
#[derive(Debug, Default)]
pub struct Sent {
    young: HashMap<Fingerprint, u16, BuildReady>,
    old: HashMap<Fingerprint, u16, BuildReady>,
}

impl Sent {
    /// Remembers a link that is on the bus, with its depth.
    pub fn note(&mut self, print: Fingerprint, depth: u16) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print, depth);
    }

    /// Depth with which a link was published lately.
    pub fn get(&self, print: &Fingerprint) -> Option<u16> {
        self.young.get(print).or_else(|| self.old.get(print)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_memory_is_bounded() {
        let mut sent = Sent::default();
        let print = |n: usize| Fingerprint { host: 1, url: n as u64 };
        for n in 0..3 * GENERATION {
            sent.note(print(n), 1);
        }
        assert_eq!(sent.get(&print(3 * GENERATION - 1)), Some(1));
        assert_eq!(sent.get(&print(2 * GENERATION)), Some(1));
        assert_eq!(sent.get(&print(0)), None);
        assert!(sent.young.len() + sent.old.len() <= 2 * GENERATION);
    }
}
