//! Turns: what has to be on the server before what comes after it is sent.
//!
//! Batches of the next turn are made, and wait, while the last of this one are on their way: the server is never without
//! work between two turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

/// One turn. It is over when everything that began in it is done, and its owner too.
pub struct Turn {
    left: AtomicUsize,
    /// Closed when the turn is over.
    going: Semaphore,
}

impl Turn {
    /// A turn in which nothing but its owner is.
    pub fn new() -> Arc<Turn> {
        Arc::new(Turn { left: AtomicUsize::new(1), going: Semaphore::new(0) })
    }

    /// Something begins; the owner is not done yet.
    pub fn begin(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Something that began is done, or the owner. What failed is never done, so what waits for it is never sent.
    pub fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.going.close();
        }
    }

    /// Waits until the turn is over.
    pub async fn over(&self) {
        let _closed = self.going.acquire().await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_turn_is_over_when_everything_in_it_is_done() {
        let turn = Turn::new();
        let mut over = pin!(turn.over());
        let mut is_over = || over.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        turn.begin();
        turn.begin();
        assert!(!is_over());
        turn.done();
        turn.done();
        // more may come
        assert!(!is_over());
        turn.begin();
        turn.done();
        turn.done();
        assert!(is_over());
    }
}
