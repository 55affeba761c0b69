//! Size limits of records and batches, checked before anything is written.

use crate::topic::{DEAD_LETTERS, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_DEAD_LETTER, MAX_RECORD};
use crate::{Error, Output, Result};

/// What may stand in one batch beside a record that fills it: a dead letter goes out together with the seal of its segment.
const BESIDE_LARGEST: usize = 64 << 10;

/// Refuses a record over its limit, and outputs over those of a batch. One record may be larger than a batch.
pub(crate) fn check(outputs: &[Output]) -> Result<()> {
    let (mut bytes, mut largest) = (0, 0);
    for output in outputs {
        let size = output.record.size();
        let limit = if output.topic == DEAD_LETTERS { MAX_DEAD_LETTER } else { MAX_RECORD };
        if size > limit {
            return Err(Error::TooLarge { topic: output.topic.clone(), size, limit });
        }
        bytes += size;
        largest = largest.max(size);
    }
    if outputs.len() > MAX_BATCH_RECORDS || (bytes > MAX_BATCH_BYTES && bytes - largest > BESIDE_LARGEST) {
        return Err(Error::Other(format!(
            "a batch of {} records and {bytes} bytes is over the limit of {MAX_BATCH_RECORDS} records and \
             {MAX_BATCH_BYTES} bytes; publish it in several",
            outputs.len()
        )));
    }
    Ok(())
}
