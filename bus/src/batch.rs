//! What one publish takes and gives: output records, input offsets that they cover, and a receipt.

use crate::{Epoch, Record};

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Topic, without the prefix of the bus URL.
    pub topic: String,
    /// Partition to write to. [`topic::partition_of`](crate::topic::partition_of) computes it from a host.
    pub partition: u32,
    /// The record.
    pub record: Record,
}

/// "Everything below `next` in this partition is handled."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// Input topic.
    pub topic: String,
    /// Input partition.
    pub partition: u32,
    /// Offset after the last *handled* record. May equal what is committed already: such a cover only fences.
    pub next: i64,
    /// Epoch of the assignment under which the work was done.
    pub epoch: Epoch,
}

/// Outputs and covers of one atomic publish. Bounded by [`topic::MAX_BATCH_RECORDS`](crate::topic) and
/// [`topic::MAX_BATCH_BYTES`](crate::topic) (one larger record may stand alone).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Written in this order.
    pub outputs: Vec<Output>,
    /// At least one for every input partition for whose sake an output is written.
    pub covers: Vec<Cover>,
}

/// Where the outputs of a committed batch stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Offset of each output, in the order of [`Batch::outputs`].
    pub offsets: Vec<i64>,
    /// Largest append time given, milliseconds since 1970 UTC.
    pub time: i64,
}
