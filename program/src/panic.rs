//! A panic is a bug, and never silent: one line, and the process exits 1, whichever thread it was.
//!
//! What the programs leave behind is safe against a kill at any moment, so ending at once is better than going on with a
//! thread missing, for which others may wait forever.
//!
//! One panic is no bug: `println!` panics where standard output cannot be written. That is the I/O error that it is.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::{Exit, log, run};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Installs the hook. `name` is the executable's.
pub(crate) fn install(name: &'static str) {
    std::panic::set_hook(Box::new(move |info| {
        if CONTAINED.get() {
            return;
        }
        let message = message(info.payload());
        if let Some(why) = message.strip_prefix("failed printing to stdout: ") {
            if why.contains("Broken pipe") {
                run::leave(Exit::Done.code());
            }
            log::print_error_now(name, &format!("cannot write to standard output: {why}"));
            run::leave(Exit::FAILED);
        }
        // Not by way of the progress bars: it may be in the middle of drawing one that this thread panicked.
        log::print_error_now(name, &format!("panic, which is a bug, in {}: {message}", place(info)));
        run::leave(Exit::FAILED);
    }));
}

/// Runs `work` and gives a panic in it back as its message, for foreign code on hostile input. Covers the calling thread
/// only: a panic on a thread that `work` starts ends the process.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(before);
    result.map_err(|payload| message(payload.as_ref()))
}

fn place(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    match info.location() {
        Some(at) => format!("thread {thread} at {}:{}", at.file(), at.line()),
        None => format!("thread {thread}"),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contained_panic_is_its_message() {
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(contained(|| -> u8 { panic!("no {}", 7) }), Err("no 7".to_owned()));
        assert!(!CONTAINED.get());
    }
}
