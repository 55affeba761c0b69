//! Records as librdkafka has them, and as the bus does.

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
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
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

/// Headers to write.
pub(super) fn headers(of: &Headers) -> OwnedHeaders {
    let empty = OwnedHeaders::new_with_capacity(of.0.len());
    of.0.iter().fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(&value[..]) }))
}
