//! The index of one partition, built from its records on the bus, or from a checkpoint and the records after it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bus::payload::UrlState;
use bus::{Bus, Delivered};
use tracing::warn;
use web::Canonical;

use super::index::{Entry, Index};
use super::target::Target;
use crate::fingerprint::{BuildReady, Fingerprint, Key};

/// How long the bus may take to give what it says it has: longer than a transaction may stay open.
const PATIENCE: Duration = Duration::from_secs(150);
/// Records between two that are wanted that are read and thrown away rather than looked up.
const SKIP: i64 = 2_000;

/// What is known of a partition.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The index.
    pub index: Index,
    /// What is to be fetched.
    pub pending: HashMap<Fingerprint, Target, BuildReady>,
    /// URLs of depth 0.
    pub seeds: Vec<Canonical>,
    /// Offset after the last record that was read.
    pub next: i64,
}

/// Where the records of a frontier partition are.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Bus.
    pub bus: &'a Bus,
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: u32,
    /// Key of fingerprints.
    pub key: Key,
    /// The partition's recrawl mark.
    pub mark: i64,
}

impl Loaded {
    /// Reads everything from the first record.
    pub fn from_bus(place: Place<'_>) -> Result<Loaded> {
        let mut loaded = Loaded::default();
        loaded.catch_up(place)?;
        Ok(loaded)
    }

    /// Takes over a checkpoint's `index`, which knows all records below `next`, and reads the rest.
    pub fn from_checkpoint(place: Place<'_>, index: Index, next: i64) -> Result<Loaded> {
        if next > place.bus.offsets(place.topic, place.partition)?.end {
            bail!("the checkpoint of {}-{} is ahead of the bus", place.topic, place.partition);
        }
        let wanted =
            index.iter().filter(|(_, e)| e.pending() || (e.depth == 0 && !e.requisite())).map(|(_, e)| e.offset);
        let mut wanted: Vec<i64> = wanted.collect();
        wanted.sort_unstable();
        let mut loaded = Loaded { index, next, ..Loaded::default() };
        for record in read_at(place, &wanted)? {
            let known = loaded.note(place, &record, false)?;
            if !known {
                bail!("the checkpoint of {}-{} does not fit the bus", place.topic, place.partition);
            }
        }
        loaded.catch_up(place)?;
        Ok(loaded)
    }

    /// Reads what is committed up to the end as it is now.
    fn catch_up(&mut self, place: Place<'_>) -> Result<()> {
        let Place { bus, topic, partition, .. } = place;
        let offsets = bus.offsets(topic, partition)?;
        let mut scan = bus.scan(topic, partition, self.next.max(offsets.start))?;
        let started = Instant::now();
        while scan.position() < offsets.end {
            let batch = scan.next_batch()?;
            if batch.is_empty() {
                // the embedded log has given everything then; its newest records may have been compacted away
                if matches!(bus, Bus::Embedded(_)) {
                    break;
                }
                if started.elapsed() > PATIENCE {
                    bail!("{topic}-{partition} ends at {}, but nothing comes after {}", offsets.end, scan.position());
                }
                #[allow(
                    clippy::disallowed_methods,
                    reason = "a bounded wait for the broker, which has no event for it"
                )]
                std::thread::sleep(Duration::from_millis(10));
            }
            for record in batch {
                self.note(place, &record, true)?;
            }
        }
        self.next = scan.position().max(self.next);
        Ok(())
    }

    /// Takes one record in. `newer` says that it is newer than what is known, else it must be what is known: false when it
    /// is not.
    fn note(&mut self, place: Place<'_>, record: &Delivered, newer: bool) -> Result<bool> {
        let Place { topic, partition, .. } = place;
        let text = std::str::from_utf8(&record.record.key).ok();
        let Some(url) = text.and_then(|text| web::canonicalise(text).ok()) else {
            warn!(topic, partition, offset = record.offset, "frontier record with a key that is no URL is ignored");
            return Ok(true);
        };
        let print = place.key.of(&url);
        if record.record.value.is_none() {
            self.index.remove(&print);
            self.pending.remove(&print);
            return Ok(newer);
        }
        let mut state = match UrlState::from_record(&record.record) {
            Ok((_, state)) => state,
            Err(reason) => {
                warn!(topic, partition, offset = record.offset, reason, "frontier record is ignored");
                return Ok(true);
            }
        };
        let entry = Entry::new(&state, record.offset, place.mark);
        if newer {
            self.index.put(print, entry);
        } else if self.index.get(&print).is_none_or(|known| known.offset != record.offset) {
            return Ok(false);
        }
        let via = state.via.take();
        if state.depth == 0 && !state.requisite {
            self.seeds.push(url.clone());
        }
        match entry.pending() {
            true => {
                let target = Target::new(print, url.into_string().into(), via.map(Into::into), state);
                self.pending.insert(print, target);
            }
            false => {
                self.pending.remove(&print);
            }
        }
        Ok(true)
    }
}

/// The records at these offsets, which are in ascending order; those that are gone are left out.
pub fn read_at(place: Place<'_>, offsets: &[i64]) -> Result<Vec<Delivered>> {
    let Place { bus, topic, partition, .. } = place;
    let mut found = Vec::with_capacity(offsets.len());
    let Some(first) = offsets.first() else { return Ok(found) };
    let mut scan = bus.scan(topic, partition, *first)?;
    let mut wanted = offsets.iter().copied().peekable();
    while let Some(next) = wanted.peek().copied() {
        if next > scan.position() + SKIP {
            scan = bus.scan(topic, partition, next)?;
        }
        let batch = scan.next_batch().with_context(|| format!("cannot read {topic}-{partition}@{next}"))?;
        if batch.is_empty() {
            break;
        }
        for record in batch {
            while wanted.next_if(|w| *w < record.offset).is_some() {}
            if wanted.next_if_eq(&record.offset).is_some() {
                found.push(record);
            }
        }
    }
    Ok(found)
}
