//! What a stager does before it stages: finish what a predecessor left, and refuse to go on where the bus and the archive
//! do not fit together.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Quarantined, SegmentName, Source, TmpDir, rename_new, sync_dir};
use bus::Bus;
use bus::payload::{Seal, SealKey};
use bus::topic::{ARTEFACTS, SEALS, STAGE_GROUP};

use crate::file_hash::sha256;
use crate::footer::Footer;
use crate::segment_reader;

/// The latest seal of each archive, topic and partition.
pub type Seals = BTreeMap<SealKey, Seal>;

/// Reads the topic `seals`.
pub fn read_seals(bus: &Bus) -> Result<Seals> {
    let mut seals = Seals::new();
    let start = bus.offsets(SEALS, 0)?.start;
    let mut scan = bus.scan(SEALS, 0, start)?;
    loop {
        let batch = scan.next_batch()?;
        if batch.is_empty() {
            return Ok(seals);
        }
        for delivered in batch {
            match Seal::from_record(&delivered.record) {
                Ok((key, seal)) => {
                    seals.insert(key, seal);
                }
                Err(reason) => tracing::warn!(offset = delivered.offset, reason, "a record in `seals` is not a seal"),
            }
        }
    }
}

/// Finishes the renames that this archive's latest seals name; gives their number.
pub fn finish_renames(data: &DataDir, archive: &str, seals: &Seals) -> Result<u64> {
    let mut renamed = 0;
    for (key, seal) in seals.iter().filter(|(key, _)| key.archive == archive && key.topic == ARTEFACTS) {
        renamed += u64::from(finish_rename(data, key, seal)?);
    }
    Ok(renamed)
}

fn finish_rename(data: &DataDir, key: &SealKey, seal: &Seal) -> Result<bool> {
    let Some(file) = &seal.file else { return Ok(false) };
    let path = data.root().join(file);
    let unfinished = seal.tmp.as_ref().map(|tmp| data.root().join(tmp));
    if path.try_exists().with_context(|| format!("cannot look at {}", path.display()))? {
        if let Some(left) = unfinished.filter(|tmp| tmp.exists()) {
            std::fs::remove_file(&left).with_context(|| format!("cannot remove {}", left.display()))?;
        }
        return Ok(false);
    }
    if let Some(tmp) = unfinished.filter(|tmp| tmp.exists()) {
        let found = sha256(&tmp).with_context(|| format!("cannot read {}", tmp.display()))?;
        let found = hex::encode(found);
        if seal.sha256.as_ref().is_some_and(|sealed| *sealed != found) {
            bail!(
                "{} is what partition {} was sealed as, but its SHA-256 is {found} and not {}: it is damaged; move it away \
                 and run `etl stage --once --from-start`, which stages offsets {} to {} again while the bus has them",
                tmp.display(),
                key.partition,
                seal.sha256.as_deref().unwrap_or_default(),
                seal.from,
                seal.next
            );
        }
        make_day_dir(data, &path)?;
        rename_new(&tmp, &path)?;
        tracing::info!(segment = %path.display(), "finished the rename of a segment that was sealed before a crash");
        return Ok(true);
    }
    if is_held_elsewhere(data, key, seal)? {
        return Ok(false);
    }
    bail!(
        "partition {} was sealed as {file}, but neither that file nor its unfinished one ({}) is in {}: run `etl stage --once \
         --from-start` or `etl verify --archive`, which stage it again while the bus has its records, or bring it back; of offsets \
         {} to {} `etl stage --once --accept-loss` records as lost what the bus has no more",
        key.partition,
        seal.tmp.as_deref().unwrap_or("none"),
        data.root().display(),
        seal.from,
        seal.next
    )
}

/// True when a larger segment holds the interval, a loss of it is recorded, or it was set aside as damaged.
fn is_held_elsewhere(data: &DataDir, key: &SealKey, seal: &Seal) -> Result<bool> {
    let source = Source::Partition(key.partition);
    let lost = Loss::list(data)?.iter().any(|l| l.source == source && l.from <= seal.from && seal.next <= l.next);
    // `etl verify --archive` knows of it, and fills the hole
    let aside =
        Quarantined::list(data)?.iter().any(|q| q.source == source && q.from <= seal.from && seal.next <= q.next);
    let catalogue = Catalogue::read(data)?;
    let holds = |name: &SegmentName| name.source == source && name.from <= seal.from && seal.next <= name.next;
    Ok(lost || aside || catalogue.segments(DataSet::Artefacts, None, None).iter().any(|segment| holds(&segment.name)))
}

/// Takes note of the segments that this archive's latest seals name and whose files are missing: from now on they are set
/// aside, so their offsets are staged again (`--from-start`), by this run or by `etl verify --archive`. What the bus has no more
/// is refused, or with `accept_loss` recorded as lost; gives the number of these offsets.
pub fn set_missing_aside(bus: &Bus, data: &DataDir, archive: &str, seals: &Seals, accept_loss: bool) -> Result<u64> {
    let mut lost = 0;
    for (key, seal) in seals.iter().filter(|(key, _)| key.archive == archive && key.topic == ARTEFACTS) {
        let Some(file) = &seal.file else { continue };
        let there = |relative: &str| data.root().join(relative).exists();
        if there(file) || seal.tmp.as_deref().is_some_and(there) || is_held_elsewhere(data, key, seal)? {
            continue;
        }
        let gone_to = bus.offsets(ARTEFACTS, key.partition)?.start.min(seal.next);
        if gone_to > seal.from && !accept_loss {
            bail!(
                "partition {} was sealed as {file}, which is missing, and the bus has its offsets {} to {gone_to} no more: bring \
                 it back, or add --accept-loss, which records them as lost",
                key.partition,
                seal.from
            );
        }
        // the record first: whatever happens from here on, `etl status` and `etl verify --archive` know of the hole
        let (day, name) = day_and_name(file).with_context(|| format!("a seal names {file}, which is no segment"))?;
        Quarantined::record(data, day, &name, "it was sealed, and its file is missing")?;
        if gone_to > seal.from {
            let reason = format!("{file} was sealed and is missing, and the bus has these offsets no more");
            Loss::of_partition(&key.topic, key.partition, seal.from, gone_to, reason).record(data)?;
            tracing::warn!(partition = key.partition, from = seal.from, next = gone_to, "recorded as lost");
            lost += (gone_to - seal.from) as u64;
        }
        if gone_to < seal.next {
            tracing::warn!("{file} is missing; the bus still has its records, which are staged again");
        }
    }
    Ok(lost)
}

/// Day and name of a segment, from its path in the data directory.
pub fn day_and_name(file: &str) -> Option<(Day, SegmentName)> {
    let path = Path::new(file);
    let name = path.file_name()?.to_str()?.parse().ok()?;
    let day = path.parent()?.file_name()?.to_str()?.strip_prefix("day=")?.parse().ok()?;
    Some((day, name))
}

/// Removes the folders of unfinished files that crashed stagers left. After [`finish_renames`] only.
pub fn remove_abandoned(data: &DataDir) -> Result<()> {
    let removed = TmpDir::sweep(data, super::tmp::PROGRAM)?;
    if removed > 0 {
        tracing::info!("removed what {removed} crashed stagers left unfinished; those records are read again");
    }
    Ok(())
}

/// Stops where going on would leave a hole or stage a record twice: what the group has committed, what the seals say was
/// covered and what the archive holds must fit together. `before` was committed before the seals were read.
pub fn check(bus: &Bus, data: &DataDir, origin: &Footer, seals: &Seals, before: &[Option<i64>]) -> Result<()> {
    let committed = bus.committed(STAGE_GROUP, ARTEFACTS)?;
    let catalogue = Catalogue::read(data)?;
    if let Some(overlap) = catalogue.overlaps(DataSet::Artefacts).first() {
        bail!("{} and {} share offsets; one of them must go", overlap.a.display(), overlap.b.display());
    }
    let mut last = BTreeMap::new();
    for segment in catalogue.segments(DataSet::Artefacts, None, None) {
        if let Source::Partition(p) = segment.name.source {
            let newest = last.entry(p).or_insert(segment);
            if segment.name.next > newest.name.next {
                *newest = segment;
            }
        }
    }
    for (p, committed) in (0..).zip(committed) {
        let sealed = seals.iter().filter(|(key, _)| key.topic == ARTEFACTS && key.partition == p);
        let sealed = sealed.map(|(_, seal)| seal.covered.unwrap_or(seal.next)).max();
        if let Some(segment) = last.get(&p) {
            let footer = segment_reader::footer(&segment.path)?;
            let same = footer.cluster == origin.cluster
                && (footer.topic_id == origin.topic_id || is_same_topic(bus, seals, p, segment.name.next)?);
            if !same {
                bail!(
                    "{} was staged from another bus (cluster {}, topic {}) than this one (cluster {}, topic {}): offsets of two \
                     buses do not mix; give this bus a data directory of its own with --data",
                    segment.path.display(),
                    footer.cluster,
                    footer.topic_id,
                    origin.cluster,
                    origin.topic_id
                );
            }
            if segment.name.next > committed.unwrap_or(0) {
                bail!(
                    "{} ends at offset {next}, but group `{STAGE_GROUP}` has committed {} of partition {p}: staging on would \
                     store records twice. Was nobody in the group for longer than the brokers remember (offsets.retention.minutes)? \
                     Then set its offset of this partition to {next}. Was the bus restored from an older copy? Then use a new data \
                     directory",
                    segment.path.display(),
                    committed.map_or("nothing".into(), |c| format!("only {c}")),
                    next = segment.name.next,
                );
            }
        }
        let before = before.get(p as usize).copied().flatten();
        fits(p, before, sealed, committed)?;
    }
    Ok(())
}

/// Whether what was staged up to an offset can be seen to be of this topic, though its id is another one: brokers forget ids that
/// nobody has written for `offsets.retention.minutes`. Append times ascend, so in the same topic whatever came after the latest
/// seal stands behind it, and in a topic made anew everything came after it.
fn is_same_topic(bus: &Bus, seals: &Seals, partition: u32, staged: i64) -> Result<bool> {
    let of_partition = seals.iter().filter(|(key, _)| key.topic == ARTEFACTS && key.partition == partition);
    let Some(sealed) = of_partition.map(|(_, seal)| seal.next).max().filter(|next| *next >= staged) else {
        return Ok(false);
    };
    let later = max_time(seals, partition).saturating_add(1);
    Ok(bus.offset_at(ARTEFACTS, partition, later)? >= sealed)
}

/// What was committed of a partition before and after its seals were read, and up to where those go: a stager covers what it
/// seals in one transaction, so without others the three are the same, and with others they ascend.
fn fits(p: u32, before: Option<i64>, sealed: Option<i64>, after: Option<i64>) -> Result<()> {
    let told = |offset: Option<i64>| offset.map_or("nothing".into(), |offset| offset.to_string());
    if let Some(s) = sealed.filter(|s| after.is_none_or(|after| *s > after)) {
        bail!(
            "partition {p} is sealed up to offset {s}, but group `{STAGE_GROUP}` has committed {}: the group was reset, \
             `{ARTEFACTS}` made anew, or nobody was in the group for longer than the brokers remember (offsets.retention.minutes). \
             Set the group's offset of this partition to {s}, or start with a new bus and a new data directory",
            told(after)
        );
    }
    if let Some(c) = before.filter(|before| sealed.is_none_or(|s| *before > s)) {
        bail!(
            "group `{STAGE_GROUP}` has committed offset {c} of partition {p}, but the seals end at {}, and no file is named for \
             what lies between. Something else than `etl stage` moved the group: set its offset of this partition back to {}",
            told(sealed),
            sealed.unwrap_or_default()
        );
    }
    Ok(())
}

/// Running maximum of append times of a partition: that of its latest seal of any archive.
pub fn max_time(seals: &Seals, partition: u32) -> i64 {
    let of_partition = seals.iter().filter(|(key, _)| key.topic == ARTEFACTS && key.partition == partition);
    of_partition.map(|(_, seal)| seal.max_time).max().unwrap_or(i64::MIN)
}

/// Makes the folder of a segment, durably; one that is there may have been made by a process that died before it synced.
pub fn make_day_dir(data: &DataDir, segment: &Path) -> Result<()> {
    let missing = |path: &Path| format!("cannot make {}", path.display());
    let Some(day) = segment.parent() else { return Ok(()) };
    std::fs::create_dir_all(day).with_context(|| missing(day))?;
    if let Some(set) = day.parent() {
        sync_dir(set)?;
    }
    Ok(sync_dir(data.root())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_stager_may_seal_while_the_seals_are_read() {
        for (before, sealed, after, well) in [
            (None, None, None, true),
            (Some(5), Some(5), Some(5), true),
            // sealed after the seals were read, before, and in between
            (Some(5), Some(5), Some(9), true),
            (Some(5), Some(9), Some(9), true),
            (None, Some(7), Some(9), true),
            (None, None, Some(9), true),
            // no stager does these
            (Some(9), Some(5), Some(9), false),
            (Some(9), None, Some(9), false),
            (Some(5), Some(9), Some(5), false),
            (None, Some(9), None, false),
        ] {
            assert_eq!(fits(3, before, sealed, after).is_ok(), well, "{before:?} {sealed:?} {after:?}");
        }
    }
}
