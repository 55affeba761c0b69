//! A record: key, value and headers in the CloudEvents 1.0 Kafka binding, binary mode; and one that was delivered.

use std::borrow::Cow;

use bytes::Bytes;

/// Headers in the order they were written. Names may repeat; [`Headers::get`] gives the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(Cow<'static, str>, Bytes)>);

/// A header's name: one of our own costs no allocation, and there are a dozen and more on each record.
pub(crate) fn name(name: &str) -> Cow<'static, str> {
    const OURS: [&str; 20] = [
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "content-type",
        "ce_crawl",
        "ce_status",
        "ce_depth",
        "ce_hops",
        "ce_elapsedms",
        "ce_sha256",
        "http-headers",
        "ce_via",
        "ce_remote",
        "ce_error",
        "ce_truncated",
        "ce_method",
        "ce_site",
    ];
    let own = OURS.into_iter().find(|own| *own == name);
    own.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed)
}

impl Headers {
    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_ref())
    }

    /// The first value of `name`, when it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// Adds one header at the end.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }
}

/// What is written to a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Decides about compaction, and about the partition where the topic says so.
    pub key: Bytes,
    /// The data itself. `None` is a tombstone: compaction removes the key.
    pub value: Option<Bytes>,
    /// CloudEvents attributes (`ce_…`), `content-type` and extensions.
    pub headers: Headers,
}

impl Record {
    /// Size that counts against [`topic::MAX_RECORD`](crate::topic::MAX_RECORD): key, value and headers, in bytes.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.0.iter().map(|(n, v)| n.len() + v.len()).sum();
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + headers
    }
}

/// A record as it was read: with the place where it stands and the time at which the bus took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Topic, without the prefix of the bus URL.
    pub topic: String,
    /// Partition, from 0.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: i64,
    /// Append time, milliseconds since 1970 UTC.
    pub time: i64,
    /// Epoch of the assignment under which it was read; 0 for a group-less reader.
    pub epoch: crate::Epoch,
    /// The record.
    pub record: Record,
}
