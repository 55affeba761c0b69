//! Waiting: on a counter that threads of one process share, and for what other processes do.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::relock;

#[derive(Default)]
pub(super) struct Signal {
    count: Mutex<u64>,
    raised: Condvar,
}

impl Signal {
    pub(super) fn raise(&self) {
        *relock(&self.count) += 1;
        self.raised.notify_all();
    }

    pub(super) fn count(&self) -> u64 {
        *relock(&self.count)
    }

    /// Waits until somebody has raised the signal since `seen` was read, at most for `time`.
    pub(super) fn wait(&self, seen: u64, time: Duration) {
        let guard = relock(&self.count);
        let waited = self.raised.wait_timeout_while(guard, time, |count| *count == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// A short pause before looking again at what another process holds.
#[expect(clippy::disallowed_methods, reason = "a lock of another process offers nothing to wait on")]
pub(super) fn nap(time: Duration) {
    std::thread::sleep(time);
}
