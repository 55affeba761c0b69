//! Life signs: a thread that says every few seconds how its program is doing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::payload::Beat;
use crate::{Bus, Result, topic};

/// Appends a [`Beat`] at once, then every few seconds, and a last one with the state `stopped` when it is dropped. A
/// bus that cannot take beats for a while is no reason to stop working: that is warned about once.
pub struct Beats {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    now: Mutex<Now>,
    changed: Condvar,
}

struct Now {
    beat: Beat,
    stop: bool,
}

impl Beats {
    /// Starts beating. The topic is made if it is missing.
    pub fn start(bus: &Bus, beat: Beat, every: Duration) -> Result<Beats> {
        bus.ensure(&[topic::beats()])?;
        let shared = Arc::new(Shared { now: Mutex::new(Now { beat, stop: false }), changed: Condvar::new() });
        let (bus, of_thread) = (bus.clone(), shared.clone());
        let thread = thread::Builder::new()
            .name("beats".into())
            .spawn(move || of_thread.run(&bus, every))
            .map_err(|e| crate::Error::Other(format!("no thread for life signs: {e}; raise the limit of processes")))?;
        Ok(Beats { shared, thread: Some(thread) })
    }

    /// Changes what the next beat says.
    pub fn update(&self, change: impl FnOnce(&mut Beat)) {
        change(&mut self.shared.now().beat);
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        self.shared.now().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to return; if it panicked, there are no more beats, and that is all.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, bus: &Bus, every: Duration) {
        let mut warned = false;
        let mut stopping = false;
        while !stopping {
            let beat = {
                let mut now = self.now();
                stopping = now.stop;
                if stopping {
                    now.beat.state = "stopped".into();
                }
                now.beat.clone()
            };
            match bus.append(&[beat.to_output()]) {
                Ok(_) => warned = false,
                // it was said that the brokers are away
                Err(_) if bus.is_away() => {}
                Err(e) if !warned => {
                    tracing::warn!(error = %e, "life signs cannot be written");
                    warned = true;
                }
                Err(_) => {}
            }
            if !stopping {
                self.sleep(every);
            }
        }
    }

    /// Until it is time for the next beat, or to stop.
    fn sleep(&self, every: Duration) {
        let until = Instant::now() + every;
        let mut now = self.now();
        while !now.stop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            now = self.changed.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
