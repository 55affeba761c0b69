//! `etl verify --archive`: checks every segment; what is damaged is set aside, and comes back or is recorded as lost.
//!
//! Artefacts are staged again from the bus, as far as it has them; the rest of the interval becomes a recorded loss. Pages,
//! links and scripts are extracted again. Where it stops, the next run goes on: what was set aside stands in the ledger until
//! its offsets are staged or recorded as lost.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Quarantined, Segment, Source};
use bus::Bus;
use bus::payload::Artefact;
use bus::topic::ARTEFACTS;
use program::{Common, Exit, Progress, Shutdown, human};

use super::whole;
use crate::{complete, extract, stage, world};

/// What was found.
#[derive(Debug, Default, serde::Serialize)]
struct Report {
    segments: u64,
    rows: u64,
    bytes: u64,
    damaged: Vec<String>,
    overlaps: Vec<String>,
    /// Offsets that no segment holds, though the bus has records there.
    missing: Vec<String>,
    /// Offsets that no segment holds, and of which nobody knows more.
    gaps: Vec<String>,
    staged_again: u64,
    lost: u64,
    waiting: Vec<String>,
}

/// Runs the command.
pub fn run(from: Option<Day>, to: Option<Day>, dry_run: bool, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let started = Instant::now();
    let data = DataDir::new(&common.data);
    let catalogue = Catalogue::read(&data)?;
    let mut report = Report::default();
    let mut damaged: Vec<(Segment, String)> = Vec::new();
    let progress = Progress::new("verify", "bytes", None);
    for set in DataSet::ALL {
        for segment in catalogue.segments(set, from, to) {
            if shutdown.requested() {
                return Ok(Exit::Interrupted);
            }
            match whole::check(segment) {
                Ok(rows) => report.rows += rows,
                // a disk that cannot be read is another thing than a file that says nonsense
                Err(error) if is_of_the_system(&error) => return Err(error),
                Err(error) => {
                    let why = format!("{error:#}");
                    tracing::error!("{} is damaged: {why}", segment.path.display());
                    report.damaged.push(format!("{}/{}: {why}", segment.day, segment.name));
                    damaged.push((segment.clone(), why));
                }
            }
            report.segments += 1;
            report.bytes += segment.bytes;
            progress.add(segment.bytes);
        }
        for overlap in catalogue.overlaps(set) {
            report.overlaps.push(format!(
                "{} and {} share offsets; one of them must go",
                overlap.a.display(),
                overlap.b.display()
            ));
        }
    }
    progress.finish();
    let missing = look_at_gaps(&data, &catalogue, &mut report, common)?;
    if !dry_run {
        mend(&data, &damaged, !missing.is_empty(), &mut report, common, shutdown)?;
        let mut again = Report::default();
        look_at_gaps(&data, &Catalogue::read(&data)?, &mut again, common)?;
        report.waiting.extend(again.missing);
    }
    let waiting = complete::set_aside(&data, &Catalogue::read(&data)?)?;
    report
        .waiting
        .extend(waiting.iter().map(|hole| format!("{} lacks offsets {} to {}", hole.segment, hole.from, hole.next)));
    print(&report, dry_run, started, common)?;
    let mended = !dry_run && report.waiting.is_empty() && report.lost == 0 && report.overlaps.is_empty();
    let whole = report.damaged.is_empty()
        && report.missing.is_empty()
        && report.overlaps.is_empty()
        && report.waiting.is_empty()
        && report.lost == 0;
    Ok(if whole || mended { Exit::Done } else { Exit::Partly })
}

fn is_of_the_system(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let kinds = [PermissionDenied, NotFound];
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| kinds.contains(&e.kind())))
}

/// Gaps between segments that no loss and nothing set aside explains. Where the bus has records, a segment is missing; where
/// it has none, there were transaction markers; what it has no more, nobody knows.
fn look_at_gaps(data: &DataDir, catalogue: &Catalogue, report: &mut Report, common: &Common) -> Result<Vec<u32>> {
    let losses = Loss::list(data)?;
    let aside = Quarantined::list(data)?;
    let known = losses.iter().map(|l| (&l.source, l.from, l.next));
    let known: Vec<_> = known.chain(aside.iter().map(|q| (&q.source, q.from, q.next))).collect();
    let mut unexplained = Vec::new();
    for gap in catalogue.gaps(DataSet::Artefacts) {
        let held = known.iter().filter(|(source, ..)| **source == gap.source).map(|(_, from, next)| (*from, *next));
        for (from, next) in complete::holes(held.collect(), gap.from, gap.next) {
            unexplained.push((gap.source.clone(), from, next));
        }
    }
    let mut partitions = BTreeSet::new();
    // an archive without gaps needs no bus to be checked
    let bus = if unexplained.is_empty() { None } else { world::look_at_bus(common)? };
    for (source, from, next) in unexplained {
        let (Some(bus), Source::Partition(p)) = (&bus, &source) else {
            report.gaps.push(format!("{source} lacks offsets {from} to {next}"));
            continue;
        };
        let start = bus.offsets(ARTEFACTS, *p)?.start;
        if start > from {
            report.gaps.push(format!("{source} lacks offsets {from} to {}", start.min(next)));
        }
        if start < next && has_artefact(bus, *p, from.max(start), next)? {
            report.missing.push(format!("{source} lacks offsets {} to {next}", from.max(start)));
            partitions.insert(*p);
        }
    }
    Ok(partitions.into_iter().collect())
}

/// True when the bus has an artefact in an interval; other records are dead letters, and in no segment.
fn has_artefact(bus: &Bus, partition: u32, from: i64, next: i64) -> Result<bool> {
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

fn mend(
    data: &DataDir,
    damaged: &[(Segment, String)],
    missing: bool,
    report: &mut Report,
    common: &Common,
    shutdown: &Shutdown,
) -> Result<()> {
    let mut days = BTreeSet::new();
    for (segment, why) in damaged {
        let to = Quarantined::set_aside(data, segment, why)?;
        tracing::warn!("{} was set aside as {}", segment.name, to.display());
        days.insert(segment.day);
    }
    let before = complete::set_aside(data, &Catalogue::read(data)?)?;
    days.extend(before.iter().map(|hole| hole.day));
    if !before.is_empty() || missing {
        let held = days_of_segments(data)?;
        stage_again(data, &before, report, common, shutdown)?;
        // a missing segment may come back on any day
        days.extend(days_of_segments(data)?.difference(&held).map(|(day, _)| *day));
    }
    for day in days {
        if !shutdown.requested() {
            extract::day(day, false, common, shutdown)?;
        }
    }
    Ok(())
}

fn days_of_segments(data: &DataDir) -> Result<BTreeSet<(Day, String)>> {
    let catalogue = Catalogue::read(data)?;
    let segments = catalogue.segments(DataSet::Artefacts, None, None);
    Ok(segments.into_iter().map(|segment| (segment.day, segment.name.to_string())).collect())
}

fn stage_again(
    data: &DataDir,
    holes: &[complete::Hole],
    report: &mut Report,
    common: &Common,
    shutdown: &Shutdown,
) -> Result<()> {
    if world::look_at_bus(common)?.is_none() {
        tracing::error!("there is no bus at {}: what was set aside cannot be staged again now", common.bus_url());
        return Ok(());
    }
    stage::once(true, common, shutdown)?;
    let after = complete::set_aside(data, &Catalogue::read(data)?)?;
    let count = |holes: &[complete::Hole]| holes.iter().map(|hole| hole.next - hole.from).sum::<i64>();
    report.staged_again = u64::try_from(count(holes) - count(&after)).unwrap_or(0);
    let bus = world::need_bus(common)?;
    for hole in after {
        let Source::Partition(p) = hole.source else { continue };
        let start = bus.offsets(ARTEFACTS, p)?.start.min(hole.next);
        if start <= hole.from {
            continue;
        }
        let reason = format!("{} was damaged, and the bus has these offsets no more", hole.segment);
        Loss::of_partition(ARTEFACTS, p, hole.from, start, reason).record(data)?;
        report.lost += (start - hole.from) as u64;
    }
    Ok(())
}

fn print(report: &Report, dry_run: bool, started: Instant, common: &Common) -> Result<()> {
    if common.json {
        println!("{}", serde_json::to_value(report)?);
        return Ok(());
    }
    println!(
        "checked {} segments, {} rows, {} in {}: {} damaged, {} missing, {} overlaps",
        human::count(report.segments),
        human::count(report.rows),
        human::bytes(report.bytes),
        human::duration(started.elapsed()),
        report.damaged.len(),
        report.missing.len(),
        report.overlaps.len()
    );
    for line in report.damaged.iter().chain(&report.overlaps) {
        println!("  {}", human::clean(line));
    }
    for line in &report.missing {
        println!("  missing: {line}, and the bus has records there");
    }
    for gap in &report.gaps {
        println!("  gap: {gap} (normal where the bus had transaction markers; it cannot be asked any more)");
    }
    if dry_run {
        return Ok(());
    }
    if report.staged_again > 0 {
        println!("  {} offsets were staged again from the bus", human::count(report.staged_again));
    }
    if report.lost > 0 {
        println!("  {} offsets are lost and recorded in the ledger", human::count(report.lost));
    }
    for line in &report.waiting {
        println!("  waiting: {line}; run `etl verify --archive` again where the bus can be reached");
    }
    Ok(())
}
