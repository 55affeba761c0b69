//! Signals: each Ctrl-C (SIGINT) and SIGTERM is passed on to the processes under way, and remembered.
//!
//! Children have process groups of their own, so a Ctrl-C at the terminal reaches them through here only: once for each
//! time it was pressed. The first lets a program drain, a second ends it at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};

static COUNT: AtomicUsize = AtomicUsize::new(0);
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Starts to listen.
pub(crate) fn listen() -> anyhow::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context("cannot listen to signals")?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let again = COUNT.fetch_add(1, Ordering::SeqCst) > 0;
            let groups = groups();
            for group in groups.iter() {
                let signal = if signal == SIGINT { Signal::INT } else { Signal::TERM };
                // it may have ended by itself, and is only not yet reaped
                let _ = kill_process_group(*group, signal);
            }
            if again && groups.is_empty() {
                signal_hook::low_level::exit(i32::from(crate::exit::INTERRUPTED));
            }
            if !again && groups.is_empty() {
                eprintln!("xtask: interrupted; ends at the next step (once more: at once)");
            }
        }
    });
    Ok(())
}

/// How many signals came so far.
pub(crate) fn count() -> usize {
    COUNT.load(Ordering::SeqCst)
}

/// Fails when a signal came: steps call it between one another.
pub(crate) fn check() -> anyhow::Result<()> {
    anyhow::ensure!(count() == 0, "interrupted");
    Ok(())
}

/// The process groups that get signals. Whoever reaps a process holds this lock, so that no signal goes to an id that
/// already means something else.
pub(crate) fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}
