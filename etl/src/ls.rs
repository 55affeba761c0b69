//! `etl ls`: what the archive holds, by day and data set.

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Gap, Loss, Mark, Segment};
use bus::topic::PARTITIONS;
use program::{Common, Exit, Table, human};
use serde_json::{Value, json};

use crate::{segment_reader, world};

/// List what the archive holds
///
/// One line per day and data set, with gaps and overlaps of offsets below; with --day one line per segment. A day is complete when
/// all its records are staged. Exit code 3 when a segment cannot be read or two overlap.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The segments of one day, UTC
    #[arg(long, value_name = "DAY")]
    day: Option<Day>,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common) -> Result<Exit> {
    let data = world::need_data(common)?;
    let catalogue = Catalogue::read(&data)?;
    let holes = Holes::of(&data, &catalogue)?;
    let damaged = match args.day {
        Some(day) => list_day(&catalogue, day, common)?,
        None => list_days(&data, &catalogue, &holes, common)?,
    };
    if catalogue.days.is_empty() && !common.json {
        tracing::info!("the archive in {} is empty; `etl stage` fills it", data.root().display());
    }
    Ok(if damaged || !holes.overlaps.is_empty() { Exit::Partly } else { Exit::Done })
}

/// What is missing between segments, and what is there twice.
struct Holes {
    gaps: Vec<Gap>,
    losses: Vec<Loss>,
    overlaps: Vec<[String; 2]>,
}

impl Holes {
    fn of(data: &DataDir, catalogue: &Catalogue) -> Result<Holes> {
        let losses = Loss::list(data)?;
        let lost =
            |gap: &Gap| losses.iter().any(|l| l.source == gap.source && l.from <= gap.from && gap.next <= l.next);
        let gaps = catalogue.gaps(DataSet::Artefacts).into_iter().filter(|gap| !lost(gap)).collect();
        let relative = |path: &std::path::Path| path.strip_prefix(data.root()).unwrap_or(path).display().to_string();
        let overlaps = DataSet::ALL.into_iter().flat_map(|set| catalogue.overlaps(set));
        let overlaps = overlaps.map(|o| [relative(&o.a), relative(&o.b)]).collect();
        Ok(Holes { gaps, losses, overlaps })
    }
}

/// Sums over some segments.
#[derive(Default)]
struct Sum {
    segments: usize,
    rows: u64,
    bytes: u64,
    damaged: bool,
}

impl Sum {
    fn of(segments: &[Segment]) -> Sum {
        let mut sum = Sum::default();
        for segment in segments {
            sum.segments += 1;
            sum.bytes += segment.bytes;
            match rows(segment) {
                Some(rows) => sum.rows += rows,
                None => sum.damaged = true,
            }
        }
        sum
    }
}

/// Rows of a segment by its footer; none, and a line that says why, when it cannot be read.
fn rows(segment: &Segment) -> Option<u64> {
    match segment_reader::SegmentReader::open_footer(&segment.path) {
        Ok(reader) => u64::try_from(reader.metadata().file_metadata().num_rows()).ok(),
        Err(e) => {
            tracing::error!("{e:#}");
            None
        }
    }
}

fn list_days(data: &DataDir, catalogue: &Catalogue, holes: &Holes, common: &Common) -> Result<bool> {
    let mut table = Table::new(["day", "data set", "segments", "rows", "bytes", "state"]).right(2).right(3).right(4);
    let mut days = Vec::new();
    let mut damaged = false;
    for (day, sets) in &catalogue.days {
        let complete = is_complete(data, *day)?;
        let mut json_sets = serde_json::Map::new();
        for set in DataSet::ALL {
            let Some(holdings) = sets.get(&set) else { continue };
            let sum = Sum::of(&holdings.segments);
            damaged |= sum.damaged;
            let missing = catalogue.uncovered(DataSet::Artefacts, set, Some(*day), Some(*day)).len();
            let mut state = match set {
                DataSet::Artefacts if complete => "complete".to_owned(),
                DataSet::Artefacts => "open".to_owned(),
                _ if missing == 0 => "complete".to_owned(),
                _ => format!("{missing} segments to extract"),
            };
            if !holdings.superseded.is_empty() {
                state.push_str(&format!(", {} superseded", holdings.superseded.len()));
            }
            if sum.damaged {
                state.push_str(", damaged");
            }
            table.row([
                day.to_string(),
                set.name().to_owned(),
                human::count(sum.segments as u64),
                human::count(sum.rows),
                human::bytes(sum.bytes),
                state,
            ]);
            let entry = json!({
                "segments": sum.segments, "rows": sum.rows, "bytes": sum.bytes, "damaged": sum.damaged,
                "superseded": holdings.superseded.len(), "missing": missing,
            });
            json_sets.insert(set.name().to_owned(), entry);
        }
        days.push(json!({ "day": day.to_string(), "complete": complete, "sets": json_sets }));
    }
    if common.json {
        println!("{}", json_of(days, catalogue, holes));
        return Ok(damaged);
    }
    if !catalogue.days.is_empty() {
        table.print()?;
    }
    for gap in &holes.gaps {
        println!("gap: {} lacks offsets {} to {}", gap.source, gap.from, gap.next);
    }
    for loss in &holes.losses {
        println!("lost: {} offsets {} to {}: {}", loss.source, loss.from, loss.next, human::clean(&loss.reason));
    }
    for [a, b] in &holes.overlaps {
        println!("overlap: {a} and {b} share offsets");
    }
    for stranger in &catalogue.strangers {
        println!("stranger: {} is not a segment", stranger.display());
    }
    Ok(damaged)
}

fn json_of(days: Vec<Value>, catalogue: &Catalogue, holes: &Holes) -> Value {
    let gaps = holes.gaps.iter().map(|g| json!({ "source": g.source.to_string(), "from": g.from, "next": g.next }));
    let losses = holes.losses.iter().map(
        |l| json!({ "source": l.source.to_string(), "from": l.from, "next": l.next, "reason": l.reason, "at": l.at }),
    );
    let strangers = catalogue.strangers.iter().map(|path| json!(path.display().to_string()));
    json!({
        "days": days,
        "gaps": gaps.collect::<Vec<_>>(),
        "losses": losses.collect::<Vec<_>>(),
        "overlaps": holes.overlaps,
        "strangers": strangers.collect::<Vec<_>>(),
    })
}

/// Marked for every partition.
fn is_complete(data: &DataDir, day: Day) -> Result<bool> {
    let marks = Mark::read(data, day)?;
    let artefacts = marks.iter().filter(|mark| mark.topic == bus::topic::ARTEFACTS);
    Ok(artefacts.count() >= PARTITIONS as usize)
}

fn list_day(catalogue: &Catalogue, day: Day, common: &Common) -> Result<bool> {
    let mut table = Table::new(["segment", "rows", "bytes", "from", "to", "state"]).right(1).right(2);
    let mut segments = Vec::new();
    let mut damaged = false;
    let sets = catalogue.days.get(&day);
    for holdings in DataSet::ALL.into_iter().filter_map(|set| sets?.get(&set)) {
        let counting = holdings.segments.iter().map(|s| (s, false));
        for (segment, superseded) in counting.chain(holdings.superseded.iter().map(|s| (s, true))) {
            let footer = match segment_reader::footer(&segment.path) {
                Ok(footer) => Some(footer),
                Err(e) => {
                    tracing::error!("{e:#}");
                    damaged = true;
                    None
                }
            };
            let time = |millis: i64| {
                let time = chrono::DateTime::from_timestamp_millis(millis);
                time.map_or(String::new(), |t| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
            };
            let (from, to) = footer.as_ref().map(|f| (time(f.min_time), time(f.max_time))).unwrap_or_default();
            let state = match (&footer, superseded) {
                (None, _) => "damaged",
                (_, true) => "superseded",
                _ => "",
            };
            table.row([
                segment.name.to_string(),
                footer.as_ref().map_or("?".into(), |f| human::count(f.rows)),
                human::bytes(segment.bytes),
                from.clone(),
                to.clone(),
                state.to_owned(),
            ]);
            segments.push(json!({
                "segment": segment.name.to_string(), "bytes": segment.bytes, "superseded": superseded,
                "rows": footer.as_ref().map(|f| f.rows), "from": from, "to": to,
                "hash": footer.as_ref().map(|f| crate::row_hash::hex(f.hash)),
                "extractor": footer.as_ref().and_then(|f| f.extractor.clone()),
            }));
        }
    }
    if common.json {
        println!("{}", json!({ "day": day.to_string(), "segments": segments }));
    } else if segments.is_empty() {
        println!("no segments on {day}");
    } else {
        table.print()?;
    }
    Ok(damaged)
}
