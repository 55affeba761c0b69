//! Shutdown: the first signal (SIGINT, SIGTERM) drains, a second one exits at once with 130.
//!
//! Whatever loops asks [`Shutdown::requested`]; whatever sleeps sleeps in [`Shutdown::wait`]; whatever waits for something
//! else (an async runtime, a blocked reader) is woken by a callback given to [`Shutdown::on_request`].

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

/// Tells that the program shall end. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Shutdown {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    requested: AtomicBool,
    signalled: AtomicBool,
    callbacks: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    changed: Condvar,
}

impl Shutdown {
    /// True after the first signal, or after [`Shutdown::request`].
    pub fn requested(&self) -> bool {
        self.state.requested.load(Ordering::Acquire)
    }

    /// True when it was a signal that asked, so that the command was interrupted and did not end by itself.
    pub fn signalled(&self) -> bool {
        self.state.signalled.load(Ordering::Acquire)
    }

    /// Asks for shutdown, as a signal does. Asking again changes nothing.
    pub fn request(&self) {
        let callbacks = {
            let mut callbacks = self.callbacks();
            self.state.requested.store(true, Ordering::Release);
            std::mem::take(&mut *callbacks)
        };
        self.state.changed.notify_all();
        for callback in callbacks {
            callback();
        }
    }

    /// Sleeps until shutdown is requested, at most for `timeout`; true when it was requested.
    pub fn wait(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        let mut callbacks = self.callbacks();
        while !self.requested() {
            let Some(left) = timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else { return false };
            let waited = self.state.changed.wait_timeout(callbacks, left);
            callbacks = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Calls `callback` once, when shutdown is requested; at once if it was already. It runs on the asker's thread (for a
    /// signal, the thread that receives signals) and must not block: send on a channel, notify a task.
    pub fn on_request(&self, callback: impl FnOnce() + Send + 'static) {
        let mut callbacks = self.callbacks();
        if self.requested() {
            drop(callbacks);
            callback();
        } else {
            callbacks.push(Box::new(callback));
        }
    }

    /// From now on SIGINT and SIGTERM request this shutdown. The second signal ends the process inside the signal handler,
    /// so that it works whatever the threads are doing. [`crate::main`] has called this before it runs the program.
    pub(crate) fn listen(&self) -> io::Result<()> {
        let armed = Arc::new(AtomicBool::new(false));
        let code = i32::from(crate::Exit::Interrupted.code());
        for signal in [SIGINT, SIGTERM] {
            // Actions run in the order of registration: a signal first looks whether one came before it, then arms the next.
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&armed))?;
            signal_hook::flag::register(signal, Arc::clone(&armed))?;
        }
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        let shutdown = self.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if signals.forever().next().is_some() {
                tracing::info!("finishing what is in flight; a second signal ends at once");
                shutdown.state.signalled.store(true, Ordering::Release);
                shutdown.request();
            }
        })?;
        Ok(())
    }

    fn callbacks(&self) -> MutexGuard<'_, Vec<Box<dyn FnOnce() + Send>>> {
        self.state.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("requested", &self.requested()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_request_wakes_a_sleeper() {
        let shutdown = Shutdown::default();
        let sleeper = shutdown.clone();
        let thread = std::thread::spawn(move || sleeper.wait(Duration::MAX));
        shutdown.request();
        assert!(thread.join().unwrap());
    }

    #[test]
    fn without_a_request_a_sleeper_wakes_by_itself() {
        assert!(!Shutdown::default().wait(Duration::from_millis(1)));
    }

    #[test]
    fn callbacks_run_once_whether_registered_before_or_after() {
        let shutdown = Shutdown::default();
        let (sender, receiver) = mpsc::channel();
        for name in ["before", "after"] {
            let sender = sender.clone();
            shutdown.on_request(move || sender.send(name).unwrap());
            shutdown.request();
        }
        drop(sender);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), ["before", "after"]);
        assert!(shutdown.requested() && !shutdown.signalled());
    }
}
