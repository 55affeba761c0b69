//! Finds segments of artefacts that are not there at all: between others, before the first and after the last.
//!
//! Who tells of them:
//!
//! * what was extracted from a segment, and the ledger of uploads: names, with no bus at hand ([`complete::vanished`]);
//! * the latest seal of each partition on the bus: the last segment of this archive;
//! * where no other archive has a seal of a partition: this archive has sealed all of it from offset 0 on, one segment after
//!   the other, so what it lacks was there;
//! * else the gap between two segments, of which the bus may know more.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Source};
use bus::Bus;
use bus::payload::Artefact;
use bus::topic::{ARTEFACTS, SEALS};
use program::Common;

use crate::complete::{self, Hole, Known};
use crate::stage::recover::{Seals, day_and_name, read_seals};
use crate::world;

/// What is not there.
#[derive(Debug, Default)]
pub struct Missing {
    /// Segments that were there for certain.
    pub gone: Vec<Hole>,
    /// Offsets without a segment of which the bus has artefacts.
    pub on_bus: Vec<(u32, i64, i64)>,
    /// Offsets that this archive has sealed and that the bus has no more.
    pub lost: Vec<(u32, i64, i64)>,
    /// Offsets without a segment, of which nobody knows more.
    pub unknown: Vec<(Source, i64, i64)>,
    /// Why the bus was not asked.
    pub unasked: Option<String>,
}

/// Looks for what is missing. A span of days is looked through for names; seals and gaps have none.
pub fn find(data: &DataDir, from: Option<Day>, to: Option<Day>, common: &Common) -> Result<Missing> {
    let mut missing = Missing::default();
    let bus = match world::look_at_bus(common) {
        Ok(bus) => bus,
        Err(error) => {
            missing.unasked = Some(format!("{error:#}"));
            None
        }
    };
    // seals first: a segment that is sealed after this is not asked for
    let seals = match &bus {
        Some(bus) if bus.topics()?.iter().any(|topic| topic.name == SEALS) => read_seals(bus)?,
        _ => Seals::new(),
    };
    let catalogue = Catalogue::read(data)?;
    let mut known = Known::read(data, &catalogue)?;
    let mut gone: BTreeMap<String, Hole> = BTreeMap::new();
    let named = complete::vanished(data, &catalogue, from, to)?;
    for hole in named.into_iter().chain(last_sealed(data, &seals)?) {
        for (from, next) in known.holes(&hole.source, hole.from, hole.next) {
            known.put(&hole.source, from, next);
            gone.insert(format!("{}/{from}", hole.segment), Hole { from, next, ..hole.clone() });
        }
    }
    missing.gone = gone.into_values().collect();
    let sealed = sealed_by_us_alone(data, &seals)?;
    for (p, covered) in &sealed {
        let start = start(bus.as_ref(), *p)?;
        for (from, next) in known.holes(&Source::Partition(*p), 0, *covered) {
            if start > from {
                missing.lost.push((*p, from, start.min(next)));
            }
            if start < next && has_artefact(bus.as_ref(), *p, from.max(start), next)? {
                missing.on_bus.push((*p, from.max(start), next));
            }
        }
    }
    for gap in catalogue.gaps(DataSet::Artefacts) {
        let partition = match &gap.source {
            Source::Partition(p) if sealed.contains_key(p) => continue,
            Source::Partition(p) if bus.is_some() => Some(*p),
            _ => None,
        };
        for (from, next) in known.holes(&gap.source, gap.from, gap.next) {
            let Some(p) = partition else {
                missing.unknown.push((gap.source.clone(), from, next));
                continue;
            };
            let start = start(bus.as_ref(), p)?;
            if start > from {
                missing.unknown.push((gap.source.clone(), from, start.min(next)));
            }
            if start < next && has_artefact(bus.as_ref(), p, from.max(start), next)? {
                missing.on_bus.push((p, from.max(start), next));
            }
        }
    }
    Ok(missing)
}

/// Segments that this archive's latest seals name and that are neither in their place nor on their way there.
fn last_sealed(data: &DataDir, seals: &Seals) -> Result<Vec<Hole>> {
    let archive = data.archive_id()?;
    let mut gone = Vec::new();
    for (_, seal) in seals.iter().filter(|(key, _)| key.archive == archive && key.topic == ARTEFACTS) {
        let Some(file) = &seal.file else { continue };
        // a rename that is still to be done is the stager's; it may be done between two looks
        let is_there = |path: &str| data.root().join(path).exists();
        if is_there(file) || seal.tmp.as_deref().is_some_and(is_there) || is_there(file) {
            continue;
        }
        if let Some((day, name)) = day_and_name(file) {
            let segment = name.to_string();
            gone.push(Hole { day, source: name.source, from: name.from, next: name.next, segment });
        }
    }
    Ok(gone)
}

/// Partitions that no other archive has sealed anything of, and up to where this one has.
fn sealed_by_us_alone(data: &DataDir, seals: &Seals) -> Result<BTreeMap<u32, i64>> {
    let archive = data.archive_id()?;
    let of_topic = || seals.iter().filter(|(key, _)| key.topic == ARTEFACTS);
    let others: BTreeSet<u32> =
        of_topic().filter(|(key, _)| key.archive != archive).map(|(key, _)| key.partition).collect();
    let ours = of_topic().filter(|(key, _)| key.archive == archive && !others.contains(&key.partition));
    Ok(ours.map(|(key, seal)| (key.partition, seal.covered.unwrap_or(seal.next))).collect())
}

/// The first offset that the bus has of a partition.
fn start(bus: Option<&Bus>, partition: u32) -> Result<i64> {
    bus.map_or(Ok(0), |bus| Ok(bus.offsets(ARTEFACTS, partition)?.start))
}

/// True when the bus has an artefact in an interval; other records are dead letters, and in no segment.
fn has_artefact(bus: Option<&Bus>, partition: u32, from: i64, next: i64) -> Result<bool> {
    let Some(bus) = bus else { return Ok(false) };
    let mut scan = bus.scan(ARTEFACTS, partition, from)?;
    loop {
        let batch = scan.next_batch()?;
        let ours = batch.iter().take_while(|delivered| delivered.offset < next);
        if ours.into_iter().any(|delivered| Artefact::from_record(&delivered.record).is_ok()) {
            return Ok(true);
        }
        if batch.last().is_none_or(|delivered| delivered.offset + 1 >= next) {
            return Ok(false);
        }
    }
}
