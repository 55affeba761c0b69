//! Shutdown: the first signal (SIGINT, SIGTERM) drains, a second one exits at once with 130.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells that the program shall end. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    requested: Arc<AtomicBool>,
}

impl Shutdown {
    /// True after the first signal.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Asks for shutdown, as a signal does.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }
}
