//! `etl verify --archive`: checks every segment; what is damaged is set aside, and comes back or is recorded as lost.
//!
//! Artefacts are staged again from the bus, as far as it has them; the rest of the interval becomes a recorded loss. So are
//! those of segments that are gone. Pages, links and scripts are extracted again. Where it stops, the next run goes on: what
//! was set aside or is gone stands in the ledger until its offsets are staged or recorded as lost.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Quarantined, Segment, SegmentName, Source};
use bus::topic::ARTEFACTS;
use program::{Common, Exit, Progress, Shutdown, human};

use super::missing::{self, Missing};
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
    /// Segments that are gone, and offsets that no segment holds though the bus has records there.
    missing: Vec<String>,
    /// Offsets that no segment holds, and of which nobody knows more.
    gaps: Vec<String>,
    staged_again: u64,
    lost: u64,
    waiting: Vec<String>,
    /// Why the bus was not asked.
    unasked: Option<String>,
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
    let missing = missing::find(&data, from, to, common)?;
    report.tell(&missing);
    if !dry_run {
        mend(&data, &damaged, &missing, &mut report, common, shutdown)?;
        report.waiting.extend(named(&missing::find(&data, from, to, common)?));
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

impl Report {
    /// Takes what is missing.
    fn tell(&mut self, missing: &Missing) {
        self.missing = named(missing);
        let gap = |(source, from, next): &(Source, i64, i64)| format!("{source} lacks offsets {from} to {next}");
        self.gaps = missing.unknown.iter().map(gap).collect();
        self.unasked.clone_from(&missing.unasked);
    }
}

/// What is missing for certain, for people.
fn named(missing: &Missing) -> Vec<String> {
    let gone = missing.gone.iter().map(|hole| format!("{}/{} is gone", hole.day, hole.segment));
    let on_bus = missing.on_bus.iter().map(|(p, from, next)| {
        format!("{} lacks offsets {from} to {next}, and the bus has records there", Source::Partition(*p))
    });
    let lost = missing.lost.iter().map(|(p, from, next)| {
        format!("{} lacks offsets {from} to {next}, which were sealed, and the bus has no more", Source::Partition(*p))
    });
    gone.chain(on_bus).chain(lost).collect()
}

fn mend(
    data: &DataDir,
    damaged: &[(Segment, String)],
    missing: &Missing,
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
    for hole in &missing.gone {
        // the name of what is to come back: a part of the segment may be held by another
        let name = SegmentName::new(DataSet::Artefacts, hole.source.clone(), hole.from, hole.next)?;
        Quarantined::record(data, hole.day, &name, "it was there and is gone")?;
        tracing::warn!("{} of {} is gone", hole.segment, hole.day);
    }
    for (p, from, next) in &missing.lost {
        let reason = "sealed by this archive, in no segment of it, and on the bus no more";
        Loss::of_partition(ARTEFACTS, *p, *from, *next, reason).record(data)?;
        report.lost += (next - from) as u64;
    }
    let before = complete::set_aside(data, &Catalogue::read(data)?)?;
    days.extend(before.iter().map(|hole| hole.day));
    if !before.is_empty() || !missing.on_bus.is_empty() {
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
    match world::look_at_bus(common) {
        Ok(Some(_)) => {}
        Ok(None) => {
            tracing::error!("there is no bus at {}: what was set aside cannot be staged again now", common.bus_url());
            return Ok(());
        }
        Err(error) => {
            tracing::error!("what was set aside cannot be staged again now: {error:#}");
            return Ok(());
        }
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
        let reason = format!("{} was damaged or is gone, and the bus has these offsets no more", hole.segment);
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
        println!("  missing: {}", human::clean(line));
    }
    for gap in &report.gaps {
        println!("  gap: {gap} (normal where another archive staged too; the bus cannot be asked any more)");
    }
    if let Some(why) = &report.unasked {
        println!("  the bus was not asked what this archive has sealed: {}", human::clean(why));
    }
    if report.staged_again > 0 {
        println!("  {} offsets were staged again from the bus", human::count(report.staged_again));
    }
    if report.lost > 0 {
        println!("  {} offsets are lost and recorded in the ledger", human::count(report.lost));
    }
    for line in &report.waiting {
        let again = if dry_run { "run `etl verify --archive`" } else { "run it again where the bus can be reached" };
        println!("  waiting: {line}; {again}, or import again what was imported");
    }
    Ok(())
}
