//! The bodies that were sent lately, so that one that comes again and again is sent once.

use std::collections::{HashSet, VecDeque};

/// So many are remembered.
const RECENT: usize = 200_000;

/// The first 16 bytes of the SHA-256 of each.
#[derive(Default)]
pub(crate) struct Recent {
    known: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl Recent {
    /// True when a body was not sent lately. It counts as sent from now on.
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        let mut key = [0; 16];
        // an id that is none differs from its body, which is found out when the body is read
        if id.len() < 32 || hex::decode_to_slice(&id[..32], &mut key).is_err() {
            return true;
        }
        let new = self.known.insert(key);
        if new {
            self.order.push_back(key);
            if self.order.len() > RECENT
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        new
    }
}
