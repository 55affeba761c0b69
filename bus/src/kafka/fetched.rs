//! What librdkafka has fetched and the member has not taken yet: a queue of each partition, so that a long backlog of one
//! hides no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;

use super::context::Context;
use super::member::Member;
use super::{admin, records};
use crate::{Delivered, Result};

/// Records and bytes that are taken from a queue in its turn, one record aside.
const TURN_RECORDS: usize = 100;
const TURN_BYTES: usize = 1 << 20;

/// The queues, the one whose turn it is first.
pub(super) struct Fetched {
    queues: Vec<Queue>,
    /// Something has come into an empty queue.
    something: Arc<AtomicBool>,
}

struct Queue {
    topic: String,
    partition: u32,
    queue: PartitionQueue<Context>,
}

impl Fetched {
    pub fn new() -> Fetched {
        Fetched { queues: Vec::new(), something: Arc::default() }
    }

    /// Makes the queue of a partition that is about to be taken: before the assignment, so that nothing goes to the common
    /// queue. Who waits for a change of the member is woken when something is fetched.
    pub fn add(
        &mut self,
        member: &Arc<Member>,
        consumer: &Arc<BaseConsumer<Context>>,
        topic: &str,
        partition: u32,
    ) -> Result<()> {
        let queue = consumer.split_partition_queue(&member.kafka.full(topic), admin::number(partition)?);
        self.queues.extend(queue.map(|mut queue| {
            let (member, something) = (member.clone(), self.something.clone());
            queue.set_nonempty_callback(move || {
                something.store(true, Ordering::SeqCst);
                member.changed.notify_all();
            });
            Queue { topic: topic.to_owned(), partition, queue }
        }));
        Ok(())
    }

    pub fn remove(&mut self, topic: &str, partition: u32) {
        self.queues.retain(|own| own.partition != partition || own.topic != topic);
    }

    pub fn clear(&mut self) {
        self.queues.clear();
    }

    /// Whether something has come since the last [`take`](Fetched::take) began.
    pub fn has_something(&self) -> bool {
        self.something.load(Ordering::SeqCst)
    }

    /// Takes from each queue some in its turn, as long as there is `room`. Whether there was anything. Copying is done here,
    /// while nobody waits for the stash; records have no epoch yet.
    pub fn take(
        &mut self,
        mut room: impl FnMut() -> bool,
        mut each: impl FnMut(&str, u32, Vec<Delivered>, Option<KafkaError>) -> Result<()>,
    ) -> Result<bool> {
        self.something.store(false, Ordering::SeqCst);
        let mut any = false;
        for at in 0..self.queues.len() {
            if !room() {
                // whoever was refused is the first when there is room again
                self.queues.rotate_left(at);
                return Ok(any);
            }
            let Queue { topic, partition, queue } = &self.queues[at];
            let (mut taken, mut bytes, mut error) = (Vec::new(), 0, None);
            while taken.len() < TURN_RECORDS && bytes < TURN_BYTES && error.is_none() {
                match queue.poll(Duration::ZERO) {
                    None => break,
                    Some(Ok(message)) => {
                        let record = records::delivered(&message, topic, 0);
                        bytes += record.record.size();
                        taken.push(record);
                    }
                    Some(Err(other)) => error = Some(other),
                }
            }
            if !taken.is_empty() || error.is_some() {
                any = true;
                each(topic, *partition, taken, error)?;
            }
        }
        Ok(any)
    }
}
