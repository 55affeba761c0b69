//! What a member has read and not handed out yet, partition by partition; and how a fair batch is taken from it.

use std::collections::VecDeque;

use crate::topic::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS};
use crate::{Assignment, Delivered, Epoch};

/// A partition that a member owns.
pub(super) struct Own {
    pub topic: String,
    pub partition: u32,
    pub epoch: Epoch,
    /// Committed when it was assigned.
    pub began: Option<i64>,
    /// Committed now, as far as this member did it.
    pub committed: i64,
    /// Offset after the last record that was read.
    pub position: i64,
    /// The largest position so far: the end of the partition is not before it.
    pub seen: i64,
    /// It is to be given up.
    pub revoking: bool,
    pub paused: bool,
    /// What is read now is from before a seek.
    pub seeking: bool,
    queue: VecDeque<Delivered>,
    bytes: usize,
}

impl Own {
    pub fn new(topic: &str, partition: u32, epoch: Epoch, began: Option<i64>) -> Own {
        let committed = began.unwrap_or(0);
        Own {
            topic: topic.to_owned(),
            partition,
            epoch,
            began,
            committed,
            position: committed,
            seen: committed,
            revoking: false,
            paused: false,
            seeking: false,
            queue: VecDeque::new(),
            bytes: 0,
        }
    }

    pub fn is(&self, topic: &str, partition: u32) -> bool {
        self.partition == partition && self.topic == topic
    }

    pub fn assignment(&self) -> Assignment {
        let Own { topic, partition, epoch, began, .. } = self;
        Assignment { topic: topic.clone(), partition: *partition, epoch: *epoch, committed: *began }
    }

    pub fn push(&mut self, record: Delivered) {
        self.position = record.offset + 1;
        self.seen = self.seen.max(self.position);
        self.bytes += record.record.size();
        self.queue.push_back(record);
    }

    pub fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
    }

    /// Whether its records are handed out.
    pub fn is_read(&self) -> bool {
        !self.revoking && !self.paused
    }
}

/// Records and bytes that may be handed out now.
pub(super) fn size(owned: &[Own]) -> (usize, usize) {
    let read = owned.iter().filter(|own| own.is_read());
    read.fold((0, 0), |(records, bytes), own| (records + own.queue.len(), bytes + own.bytes))
}

/// The next batch. At first each partition gets its share, then whoever has more gets what is left; `turn` says who is
/// first. Bounded as a publish is.
pub(super) fn batch(owned: &mut [Own], turn: usize) -> Vec<Delivered> {
    let n = owned.len();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for shares in [n.max(1), 1] {
        for at in (0..n).map(|i| (turn + i) % n) {
            let own = &mut owned[at];
            if !own.is_read() {
                continue;
            }
            let (mut records, mut taken) = (0, 0);
            while let Some(next) = own.queue.front() {
                let size = next.record.size();
                let full = batch.len() >= MAX_BATCH_RECORDS || (!batch.is_empty() && bytes + size > MAX_BATCH_BYTES);
                let enough = records >= MAX_BATCH_RECORDS.div_ceil(shares)
                    || (records > 0 && taken + size > MAX_BATCH_BYTES / shares);
                if full || enough {
                    break;
                }
                (records, taken, bytes) = (records + 1, taken + size, bytes + size);
                own.bytes -= size;
                batch.extend(own.queue.pop_front());
            }
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Record;

    fn own(partition: u32, sizes: &[usize]) -> Own {
        let mut own = Own::new("t", partition, 1, None);
        for (offset, size) in (0..).zip(sizes) {
            let record = Record { value: Some(vec![0; *size].into()), ..Record::default() };
            own.push(Delivered { topic: "t".into(), partition, offset, time: 0, epoch: 1, record });
        }
        own
    }

    #[test]
    fn every_partition_gets_its_share_and_the_rest_goes_to_whoever_has_more() {
        let mut owned = vec![own(0, &[1; 3_000]), own(1, &[1; 10]), own(2, &[16 << 20]), own(3, &[])];
        let first = batch(&mut owned, 0);
        assert_eq!(first.len(), 1_000);
        assert_eq!(first.iter().filter(|d| d.partition == 1).count(), 10);
        // the largest record comes when it is its turn, alone
        let third = batch(&mut owned, 2);
        assert_eq!((third.len(), third[0].partition), (1, 2));
        assert_eq!(size(&owned), (3_000 - 990, 3_000 - 990));
        owned[0].paused = true;
        assert_eq!(size(&owned), (0, 0));
        assert!(batch(&mut owned, 0).is_empty());
    }
}
