//! The tallies of all partitions, ours and others': together they say how far the crawl is.

use std::collections::BTreeMap;

use anyhow::Result;
use bus::payload::Tally;
use bus::{Bus, Scan};

/// The newest tally of each partition, as far as it was read.
pub struct Tallies {
    scan: Scan,
    all: BTreeMap<u32, Tally>,
}

impl Tallies {
    /// From the offset `next` on, below which `known` is what is known.
    pub fn new(bus: &Bus, crawl: &str, next: i64, known: BTreeMap<u32, Tally>) -> Result<Tallies> {
        let topic = bus::topic::tallies(crawl).name;
        let start = bus.offsets(&topic, 0)?.start;
        Ok(Tallies { scan: bus.scan(&topic, 0, next.max(start))?, all: known })
    }

    /// Reads what is new; true when there was something.
    pub fn refresh(&mut self) -> Result<bool> {
        let mut any = false;
        loop {
            let batch = self.scan.next_batch()?;
            if batch.is_empty() {
                return Ok(any);
            }
            any = true;
            for record in batch {
                match Tally::from_record(&record.record) {
                    Ok((partition, tally)) => {
                        self.all.insert(partition, tally);
                    }
                    Err(reason) => tracing::warn!(offset = record.offset, reason, "tally is ignored"),
                }
            }
        }
    }

    /// Offset up to which they were read.
    pub fn next(&self) -> i64 {
        self.scan.position()
    }

    /// The tally of one partition.
    pub fn get(&self, partition: u32) -> Tally {
        self.all.get(&partition).cloned().unwrap_or_default()
    }

    /// The newest `--recrawl` mark.
    pub fn mark(&self) -> i64 {
        self.all.values().map(|t| t.since).max().unwrap_or(0)
    }

    /// The sum over the partitions for which `of` holds; counts under an older mark are none.
    pub fn sum(&self, of: impl Fn(u32) -> bool) -> Tally {
        let mark = self.mark();
        let mut sum = Tally { since: mark, ..Tally::default() };
        for (_, tally) in self.all.iter().filter(|(partition, _)| of(**partition)) {
            sum.pending += tally.pending;
            sum.known += tally.known;
            if tally.since != mark {
                continue;
            }
            sum.fetched += tally.fetched;
            sum.fetches += tally.fetches;
            for (class, n) in &tally.errors {
                *sum.errors.entry(class.clone()).or_default() += n;
            }
        }
        sum
    }
}
