//! Decodes a batch of records on a thread of its own while the rows of the batch before are written: hashing bodies takes as
//! long as a third of packing them, and one thread would do both.

use anyhow::Result;
use bus::Delivered;

use super::rows::Row;
use super::stager::Stager;

/// A record, and the row that was made of it.
type Decoded = (Delivered, Result<Row, String>);

/// The batch that was decoded, and is to be written next.
#[derive(Default)]
pub struct Ahead {
    decoded: Vec<Decoded>,
}

impl Ahead {
    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.decoded.is_empty()
    }

    /// Hands what waits to the stager, in its order, while `next` is decoded, which waits from now on.
    pub fn handle(&mut self, next: Vec<Delivered>, stager: &mut Stager) -> Result<()> {
        let ready = std::mem::take(&mut self.decoded);
        if ready.is_empty() || next.is_empty() {
            self.decoded = decode(next);
            return write(ready, stager);
        }
        let (decoded, written) = std::thread::scope(|scope| {
            let decoding = scope.spawn(|| decode(next));
            let written = write(ready, stager);
            (decoding.join(), written)
        });
        self.decoded = decoded.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written
    }
}

fn decode(records: Vec<Delivered>) -> Vec<Decoded> {
    let decoded = records.into_iter().map(|delivered| {
        let row = Row::decode(&delivered);
        (delivered, row)
    });
    decoded.collect()
}

fn write(decoded: Vec<Decoded>, stager: &mut Stager) -> Result<()> {
    decoded.into_iter().try_for_each(|(delivered, row)| stager.handle(&delivered, row))
}
