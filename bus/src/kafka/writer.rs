//! The writing half of a member: a publish is fenced by the epochs of its covers here, and by the member's generation on the
//! broker.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;

use super::member::{Failure, Member};
use super::producer;
use super::transact::{Transactions, Trouble};
use crate::{Batch, PublishError, Receipt};

/// A producer that was fenced is made again at most this often: the broker fences one that was suspended for a minute, and
/// that is no twin.
const RENEWAL: Duration = Duration::from_secs(60);

/// Writing half of a member.
pub struct Writer {
    member: Arc<Member>,
    transactions: Transactions,
    renewed: Option<Instant>,
}

impl Writer {
    pub(super) fn new(member: Arc<Member>, transactions: Transactions) -> Writer {
        Writer { member, transactions, renewed: None }
    }

    pub(crate) fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        producer::check(&self.member.kafka, &batch.outputs)?;
        // a partition that is asked back stays until this is over
        let member = self.member.clone();
        let _gate = member.gate.read().unwrap_or_else(PoisonError::into_inner);
        let lost = || PublishError::Lost(batch.covers.iter().map(|c| (c.topic.clone(), c.partition)).collect());
        let consumer = self.member.consumer().ok_or_else(lost)?;
        // before the epochs are looked at: a rebalance that comes in between has a later generation, which the broker refuses
        let generation = consumer.group_metadata().ok_or_else(lost)?;
        self.member.check(&batch.covers)?;
        if batch.outputs.is_empty() && batch.covers.is_empty() {
            return Ok(Receipt::default());
        }
        match self.transactions.run(batch, &generation) {
            Ok(receipt) => {
                self.member.committed(&batch.covers);
                if !batch.outputs.is_empty() {
                    self.member.kafka.learn(receipt.time);
                }
                Ok(receipt)
            }
            Err(Trouble::Aborted(reason)) => Err(PublishError::Aborted(reason)),
            Err(Trouble::Failed(error)) => Err(PublishError::Bus(error)),
            Err(Trouble::Fenced) => Err(self.fenced()),
        }
    }

    /// While the membership holds, a producer that was fenced is made again, once.
    fn fenced(&mut self) -> PublishError {
        let twin = matches!(self.member.state().failed, Some(Failure::Twin));
        if twin || self.renewed.is_some_and(|at| at.elapsed() < RENEWAL) {
            return PublishError::Fenced(self.member.twin());
        }
        self.renewed = Some(Instant::now());
        PublishError::Aborted("the broker has ended this program's transaction; its producer is made again".into())
    }
}
