//! What `etl stage` tells people: where it starts, what it would do, what it did.

use std::time::Duration;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet};
use bus::Bus;
use bus::topic::{ARTEFACTS, STAGE_GROUP};
use program::{Common, Exit, Usage, human};

use super::recover::Seals;
use super::stager::Counts;
use crate::{summary, world};

/// A new archive under a group with history begins in the middle: that is said, with the reason and the remedy.
pub fn say_where_it_starts(bus: &Bus, data: &DataDir, archive: &str, seals: &Seals) -> Result<()> {
    let known = seals.keys().any(|key| key.archive == archive && key.topic == ARTEFACTS);
    let empty = Catalogue::read(data)?.segments(DataSet::Artefacts, None, None).is_empty();
    if known || !empty {
        return Ok(());
    }
    let (mut earlier, mut there) = (0, 0);
    for (p, committed) in (0..).zip(bus.committed(STAGE_GROUP, ARTEFACTS)?) {
        let committed = committed.unwrap_or(0);
        earlier += committed;
        there += (committed - bus.offsets(ARTEFACTS, p)?.start).max(0);
    }
    if earlier > 0 {
        tracing::warn!(
            "the archive in {} is new, but group `{STAGE_GROUP}` has staged up to {earlier} records of this bus into another one: \
             staging starts after them. Up to {there} of them are still on the bus; `etl stage --from-start` stages those too",
            data.root().display()
        );
    }
    Ok(())
}

/// What `--dry-run` tells.
pub fn dry_run(common: &Common) -> Result<Exit> {
    let Some(bus) = world::look_at_bus(common)? else {
        println!("nothing to stage: there is no embedded log at {}", common.bus_url());
        return Ok(Exit::Done);
    };
    let has_topic = bus.topics()?.iter().any(|t| t.name == ARTEFACTS);
    let lag = if has_topic { bus.lag(STAGE_GROUP, ARTEFACTS)? } else { Vec::new() };
    let records: i64 = lag.iter().map(|lag| lag.records).sum();
    if common.json {
        println!("{}", serde_json::json!({ "records": records }));
        return Ok(Exit::Done);
    }
    println!("would stage {} records into {}", human::count(records.max(0) as u64), common.data.display());
    for lag in lag.iter().filter(|lag| lag.records > 0) {
        let from = lag.committed.map_or("the oldest record".into(), |c| format!("offset {c}"));
        println!("  partition {:>3}: {:>10} records from {from}", lag.partition, human::count(lag.records as u64));
    }
    Ok(Exit::Done)
}

/// The summary of a run.
pub fn report(counts: &Counts, elapsed: Duration, common: &Common) -> Result<()> {
    let usage = Usage::now();
    if common.json {
        println!("{}", summary::json(counts, elapsed, &usage)?);
        return Ok(());
    }
    println!(
        "staged {} records, {} in {} segments of {} in {}, peak memory {}",
        human::count(counts.records),
        human::bytes(counts.bytes),
        human::count(counts.segments),
        human::bytes(counts.segment_bytes),
        human::duration(elapsed),
        human::bytes(usage.peak_memory_bytes)
    );
    for (n, what) in [
        (counts.dead_letters, "records went to dead-letters; see `etl tail dead-letters`"),
        (counts.lost, "offsets were lost; see the ledger in the data directory"),
        (counts.renamed, "segments of an earlier run were finished"),
        (counts.days_completed, "days are now complete"),
    ] {
        if n > 0 {
            println!("  {} {what}", human::count(n));
        }
    }
    Ok(())
}
