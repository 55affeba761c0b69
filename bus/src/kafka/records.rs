//! Records as librdkafka has them, and as the bus does.

use std::cell::Cell;
use std::sync::Once;

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message, OwnedHeaders};

use crate::{Delivered, Epoch, Headers, Record, record};

/// Bytes of key and headers of a usual record.
const SMALL: usize = 1_000;

/// A message that was read. Key and headers are in one buffer, the value is in another: whoever keeps a key keeps no body.
pub(super) fn delivered(message: &BorrowedMessage<'_>, topic: &str, epoch: Epoch) -> Delivered {
    let mut small = Vec::with_capacity(SMALL);
    small.extend_from_slice(message.key().unwrap_or_default());
    let key = small.len();
    let mut names = Vec::new();
    if let Some(theirs) = message.headers() {
        names.reserve(theirs.count());
        // rdkafka panics at a name that is not UTF-8: such a record is not one of ours, and is delivered without headers
        let read = quietly(std::panic::AssertUnwindSafe(|| {
            for header in theirs.iter() {
                small.extend_from_slice(header.value.unwrap_or_default());
                names.push((record::name(header.key), small.len()));
            }
        }));
        if read.is_err() {
            small.truncate(key);
            names.clear();
        }
    }
    let small = Bytes::from(small.into_boxed_slice());
    let mut from = key;
    let header = |(name, to)| {
        let value = small.slice(from..to);
        from = to;
        (name, value)
    };
    Delivered {
        topic: topic.to_owned(),
        partition: message.partition().unsigned_abs(),
        offset: message.offset(),
        time: message.timestamp().to_millis().unwrap_or(0),
        epoch,
        record: Record {
            headers: Headers(names.into_iter().map(header).collect()),
            key: small.slice(..key),
            value: message.payload().map(Bytes::copy_from_slice),
        },
    }
}

thread_local! {
    /// A panic on this thread is caught here, and no bug.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Has panics that are caught here pass by the program's hook, which takes every panic for a bug.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                hook(info);
            }
        }));
    });
}

fn quietly<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> std::thread::Result<T> {
    CAUGHT.set(true);
    let done = std::panic::catch_unwind(work);
    CAUGHT.set(false);
    done
}

/// Headers to write.
pub(super) fn headers(of: &Headers) -> OwnedHeaders {
    let empty = OwnedHeaders::new_with_capacity(of.0.len());
    of.0.iter().fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(&value[..]) }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_panic_that_is_caught_passes_by_the_programs_hook_and_others_do_not() {
        static SEEN: AtomicU32 = AtomicU32::new(0);
        std::panic::set_hook(Box::new(|_| {
            SEEN.fetch_add(1, Ordering::SeqCst);
        }));
        install();
        install();
        assert!(quietly(|| panic!("a name that is no text")).is_err());
        assert_eq!(SEEN.load(Ordering::SeqCst), 0);
        assert!(std::panic::catch_unwind(|| panic!("a bug")).is_err());
        assert_eq!(SEEN.load(Ordering::SeqCst), 1);
    }
}
