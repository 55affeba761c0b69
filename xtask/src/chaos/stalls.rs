//! Notes when this machine did not let a waiting thread run: then what the server noted may be late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread wants to run.
const TICK: Duration = Duration::from_millis(2);
/// A longer pause than this is a stall.
const STALL_US: u64 = 10_000;

/// A thread that watches until it is asked what it saw.
#[derive(Debug)]
pub(crate) struct Stalls {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<(u64, u64)>>>,
    thread: Option<JoinHandle<()>>,
}

impl Stalls {
    /// Watches by this clock, microseconds.
    pub(crate) fn watch(now_us: impl Fn() -> u64 + Send + 'static) -> Stalls {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, noted) = (stop.clone(), seen.clone());
        let thread = std::thread::spawn(move || {
            let mut last = now_us();
            while !stopped.load(Ordering::Relaxed) {
                std::thread::park_timeout(TICK);
                let now = now_us();
                if now.saturating_sub(last) > STALL_US {
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push((last, now));
                }
                last = now;
            }
        });
        Stalls { stop, seen, thread: Some(thread) }
    }

    /// Stops, and tells when it stood still.
    pub(crate) fn seen(mut self) -> Vec<(u64, u64)> {
        self.end();
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.end();
    }
}
