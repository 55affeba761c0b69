//! `etl verify --archive`: checks every segment; what is damaged is set aside, and comes back or is recorded as lost.
//!
//! Artefacts are staged again from the bus, as far as it has them; the rest of the interval becomes a recorded loss. Pages,
//! links and scripts are extracted again. Where it stops, the next run goes on: what was set aside stands in the ledger until
//! its offsets are staged or recorded as lost.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Quarantined, Segment, Source};
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
    report.gaps = gaps(&data, &catalogue)?;
    if !dry_run {
        mend(&data, &damaged, &mut report, common, shutdown)?;
    }
    let waiting = complete::set_aside(&data, &Catalogue::read(&data)?)?;
    report.waiting =
        waiting.iter().map(|hole| format!("{} lacks offsets {} to {}", hole.segment, hole.from, hole.next)).collect();
    print(&report, dry_run, started, common)?;
    let mended = !dry_run && report.waiting.is_empty() && report.lost == 0 && report.overlaps.is_empty();
    let whole =
        report.damaged.is_empty() && report.overlaps.is_empty() && report.waiting.is_empty() && report.lost == 0;
    Ok(if whole || mended { Exit::Done } else { Exit::Partly })
}

fn is_of_the_system(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let kinds = [PermissionDenied, NotFound];
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| kinds.contains(&e.kind())))
}

/// Gaps between segments that no loss explains and that the bus still could fill; small ones are transaction markers.
fn gaps(data: &DataDir, catalogue: &Catalogue) -> Result<Vec<String>> {
    let losses = Loss::list(data)?;
    let lost =
        |source: &Source, from, next| losses.iter().any(|l| l.source == *source && l.from <= from && next <= l.next);
    let gaps = catalogue.gaps(DataSet::Artefacts).into_iter().filter(|gap| !lost(&gap.source, gap.from, gap.next));
    Ok(gaps.map(|gap| format!("{} lacks offsets {} to {}", gap.source, gap.from, gap.next)).collect())
}

fn mend(
    data: &DataDir,
    damaged: &[(Segment, String)],
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
    if !before.is_empty() {
        stage_again(data, &before, report, common, shutdown)?;
    }
    for day in days {
        if !shutdown.requested() {
            extract::day(day, common, shutdown)?;
        }
    }
    Ok(())
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
        "checked {} segments, {} rows, {} in {}: {} damaged, {} overlaps",
        human::count(report.segments),
        human::count(report.rows),
        human::bytes(report.bytes),
        human::duration(started.elapsed()),
        report.damaged.len(),
        report.overlaps.len()
    );
    for line in report.damaged.iter().chain(&report.overlaps) {
        println!("  {}", human::clean(line));
    }
    for gap in &report.gaps {
        println!("  gap: {gap} (normal where the bus had transaction markers)");
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
