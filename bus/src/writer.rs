//! The writing half of a group member: publish and cover, atomically and fenced.

use crate::{Batch, PublishError, Receipt, embedded, kafka};

/// Writes for one member of a group. Made by [`Bus::join`](crate::Bus::join); may live on a thread of its own.
#[allow(clippy::large_enum_variant, reason = "a program has one or two")]
pub enum Writer {
    /// Of the embedded log.
    Embedded(embedded::Writer),
    /// To Kafka.
    Kafka(kafka::Writer),
}

impl Writer {
    /// Publishes all outputs and covers all offsets, or nothing. Durable when it returns.
    pub fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        match self {
            Writer::Embedded(w) => w.publish(batch),
            Writer::Kafka(w) => w.publish(batch),
        }
    }
}
