//! Records as librdkafka has them, and as the bus does.

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message, OwnedHeaders};

use crate::{Delivered, Epoch, Headers, Record};

/// A message that was read.
pub(super) fn delivered(message: &BorrowedMessage<'_>, topic: &str, epoch: Epoch) -> Delivered {
    let mut headers = Headers::default();
    if let Some(theirs) = message.headers() {
        for header in theirs.iter() {
            headers.push(header.key, Bytes::copy_from_slice(header.value.unwrap_or_default()));
        }
    }
    Delivered {
        topic: topic.to_owned(),
        partition: message.partition().unsigned_abs(),
        offset: message.offset(),
        time: message.timestamp().to_millis().unwrap_or(0),
        epoch,
        record: Record {
            key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
            value: message.payload().map(Bytes::copy_from_slice),
            headers,
        },
    }
}

/// Headers to write.
pub(super) fn headers(of: &Headers) -> OwnedHeaders {
    let empty = OwnedHeaders::new_with_capacity(of.0.len());
    of.0.iter().fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(&value[..]) }))
}
