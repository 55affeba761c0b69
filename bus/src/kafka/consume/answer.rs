//! The end of a consumer: what the group waits for is answered before it is closed.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Consuming;
use crate::kafka::context::{Context, Rebalance};

impl Consuming {
    /// Answers whatever the group has decided and still waits for: librdkafka closes no consumer before. From now on partitions are
    /// given up as soon as closing asks for it.
    pub(super) fn answer(&mut self, consumer: &BaseConsumer<Context>) {
        let none = TopicPartitionList::new();
        let taken = (!self.taking.is_empty()).then(|| consumer.incremental_assign(&none));
        let given = self.giving.drain(..).map(|giving| consumer.incremental_unassign(&giving.partitions));
        let mut answers: Vec<_> = taken.into_iter().chain(given).collect();
        consumer.context().close();
        answers.extend(consumer.context().take_rebalances().into_iter().map(|rebalance| match rebalance {
            Rebalance::Assign(_) => consumer.incremental_assign(&none),
            Rebalance::Revoke(list) => consumer.incremental_unassign(&list),
        }));
        for error in answers.into_iter().filter_map(Result::err) {
            // they may be gone already, with the membership
            tracing::debug!(%error, "a consumer that is closed could not give its partitions up");
        }
    }
}
