//! The writing half of a member: a publish is fenced by the epochs of its covers here, and by the member's generation on the
//! broker.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::member::{Failure, Member};
use super::producer;
use super::transact::{Transactions, Trouble};
use crate::{Batch, PublishError, Receipt};

/// How long a producer that was fenced waits for word of a twin: three heartbeats. The broker fences one whose transaction
/// took too long, too, and that is no twin: it is made again. A twin has joined the group under the same name, which this
/// member's consumer is told with its next heartbeat.
const WORD: Duration = Duration::from_secs(3);

/// Writing half of a member.
pub struct Writer {
    member: Arc<Member>,
    transactions: Transactions,
}

impl Writer {
    pub(super) fn new(member: Arc<Member>, transactions: Transactions) -> Writer {
        Writer { member, transactions }
    }

    pub(crate) fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        producer::check(&self.member.kafka, &batch.outputs)?;
        // a partition that is asked back stays until this is over
        let member = self.member.clone();
        let gate = member.gate.read().unwrap_or_else(PoisonError::into_inner);
        let lost = || PublishError::Lost(batch.covers.iter().map(|c| (c.topic.clone(), c.partition)).collect());
        let consumer = self.member.consumer().ok_or_else(lost)?;
        // before the epochs are looked at: a rebalance that comes in between has a later generation, which the broker refuses
        let generation = Arc::new(consumer.group_metadata().ok_or_else(lost)?);
        self.member.check(&batch.covers)?;
        if batch.outputs.is_empty() && batch.covers.is_empty() {
            return Ok(Receipt::default());
        }
        let started = Instant::now();
        match self.transactions.run(batch, &generation) {
            Ok(receipt) => {
                tracing::debug!(outputs = batch.outputs.len(), covers = batch.covers.len(), took = ?started.elapsed(), "published");
                self.member.committed(&batch.covers);
                if !batch.outputs.is_empty() {
                    self.member.kafka.learn(receipt.time);
                }
                Ok(receipt)
            }
            Err(Trouble::Aborted(reason)) => Err(PublishError::Aborted(reason)),
            Err(Trouble::Failed(error)) => Err(PublishError::Bus(error)),
            Err(Trouble::Expelled) => {
                self.member.expel(&consumer);
                Err(lost())
            }
            Err(Trouble::Fenced) => {
                drop(gate);
                Err(self.fenced())
            }
        }
    }

    /// Whether a twin has fenced this member, or its producer is to be made again.
    fn fenced(&self) -> PublishError {
        let until = Instant::now() + WORD;
        let mut state = self.member.state();
        loop {
            if matches!(state.failed, Some(Failure::Twin)) {
                return PublishError::Fenced(self.member.twin());
            }
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() || state.closed {
                break;
            }
            state = self.member.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        PublishError::Aborted("the broker has ended this program's transaction; its producer is made again".into())
    }
}
