//! `etl status`: for each day how far the night has come with it, what is late, what was lost, and what to do next.
//!
//! Read off files only: marks, segments, extractor versions, the ledger, reports, losses. No server is asked, so it answers
//! also when one is away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Run, Source, Upload};
use program::{Common, Exit, Table, human};
use serde::Serialize;

use crate::{complete, segment_reader, size, world};

/// Tell for each day what is staged, extracted, uploaded, verified and mined, and what to do next
///
/// A day is late when it ended longer ago than --late-after and something is still to be done. Recorded losses are told, and
/// are nothing to do. Exit code 3 when a day is late, or a segment damaged or gone.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// So many days, up to today
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// When a day that is over and not finished is late
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = size::duration)]
    late_after: Duration,
}

/// How a day stands.
#[derive(Debug, Serialize)]
struct Standing {
    day: Day,
    rows: u64,
    bytes: u64,
    /// `open` (not over), `no`, `staged`.
    staged: &'static str,
    /// Staged to its end, nothing set aside or gone: it may be uploaded once it is extracted.
    complete: bool,
    extracted: String,
    /// State on each server.
    uploads: BTreeMap<String, String>,
    verified: bool,
    mined: Vec<String>,
    /// Offsets that are lost.
    lost: i64,
    /// A segment is damaged, set aside or gone.
    damaged: bool,
    late: bool,
    /// The next thing to do; none when the day is done.
    next: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common) -> Result<Exit> {
    let data = world::need_data(common)?;
    let now = world::now()?;
    let today = Day::of_millis(now);
    let catalogue = Catalogue::read(&data)?;
    let losses = lost_by_day(&catalogue, &Loss::list(&data)?);
    let known = known_days(&data, &catalogue)?;
    let runs = Run::list(&data, None)?;
    let mined = |day: Day| -> Vec<String> {
        let span = format!("day={day}");
        let names: BTreeSet<String> = runs.iter().filter(|run| run.span == span).map(|run| run.miner.clone()).collect();
        names.into_iter().collect()
    };
    let mut first = today;
    for _ in 1..args.days {
        first = first.previous();
    }
    // nothing is expected of the days before the archive began
    let first = known.first().map_or(today, |known| (*known).max(first));
    let span: Vec<Day> = first.to(today).collect();
    let nightly: BTreeSet<String> = span.iter().flat_map(|day| mined(*day)).collect();
    let servers: BTreeSet<String> = servers(&data, &known)?;
    let mut days = Vec::new();
    for day in span {
        let ctx = Context { data: &data, catalogue: &catalogue, servers: &servers, nightly: &nightly, today };
        let mut standing = ctx.standing(day, mined(day), losses.get(&day).copied().unwrap_or(0))?;
        let over = now - day.end_millis();
        standing.late =
            standing.next.is_some() && over >= i64::try_from(args.late_after.as_millis()).unwrap_or(i64::MAX);
        days.push(standing);
    }
    let late = days.iter().any(|day| day.late);
    let lost_all: i64 = losses.values().sum();
    if common.json {
        println!("{}", serde_json::json!({ "days": days, "late": late, "lost": lost_all }));
    } else {
        print(&days, lost_all)?;
    }
    let damaged = days.iter().any(|day| day.damaged);
    Ok(if late || damaged { Exit::Partly } else { Exit::Done })
}

/// Days with marks, segments or an upload.
fn known_days(data: &DataDir, catalogue: &Catalogue) -> Result<BTreeSet<Day>> {
    let mut days: BTreeSet<Day> = catalogue.days.keys().copied().collect();
    for folder in [data.marks(), data.ledger().join("uploads")] {
        days.extend(archive::days_in(&folder)?);
    }
    Ok(days)
}

/// Servers that days were uploaded to.
fn servers(data: &DataDir, known: &BTreeSet<Day>) -> Result<BTreeSet<String>> {
    let mut servers = BTreeSet::new();
    for day in known {
        servers.extend(Upload::of_day(data, *day)?.into_iter().map(|upload| upload.server));
    }
    Ok(servers)
}

/// Lost offsets by day: a loss counts to the day of the segment that comes before it in its partition, else after it.
fn lost_by_day(catalogue: &Catalogue, losses: &[Loss]) -> BTreeMap<Day, i64> {
    let segments = catalogue.segments(DataSet::Artefacts, None, None);
    let mut lost = BTreeMap::new();
    for loss in losses {
        let same = |source: &Source| *source == loss.source;
        let before =
            segments.iter().filter(|s| same(&s.name.source) && s.name.next <= loss.from).max_by_key(|s| s.name.next);
        let after =
            segments.iter().filter(|s| same(&s.name.source) && s.name.from >= loss.next).min_by_key(|s| s.name.from);
        let recorded = loss.at.get(..10).and_then(|day| day.parse().ok());
        if let Some(day) = before.or(after).map(|segment| segment.day).or(recorded) {
            *lost.entry(day).or_insert(0) += loss.next - loss.from;
        }
    }
    lost
}

struct Context<'a> {
    data: &'a DataDir,
    catalogue: &'a Catalogue,
    servers: &'a BTreeSet<String>,
    nightly: &'a BTreeSet<String>,
    today: Day,
}

impl Context<'_> {
    fn standing(&self, day: Day, mined: Vec<String>, lost: i64) -> Result<Standing> {
        let artefacts = self.catalogue.segments(DataSet::Artefacts, Some(day), Some(day));
        let (mut rows, mut bytes) = (0, 0);
        let mut damaged = false;
        for segment in &artefacts {
            bytes += segment.bytes;
            match segment_reader::footer(&segment.path) {
                Ok(footer) => rows += footer.rows,
                Err(_) => damaged = true,
            }
        }
        let staged = complete::is_staged(self.data, day)?;
        let waiting = complete::set_aside(self.data, self.catalogue)?.iter().any(|hole| hole.day == day)
            || !complete::vanished(self.data, self.catalogue, Some(day), Some(day))?.is_empty();
        let unextracted = complete::unextracted(self.catalogue, day)?;
        let uploads = Upload::of_day(self.data, day)?;
        let states: BTreeMap<String, String> =
            uploads.iter().map(|upload| (upload.server.clone(), shown(upload))).collect();
        let verified = !uploads.is_empty() && uploads.iter().all(|u| u.state == "verified" && !u.partial);
        let miners: Vec<&String> = self.nightly.iter().filter(|miner| !mined.contains(miner)).collect();
        let late_server = self.servers.iter().find(|server| {
            !uploads
                .iter()
                .any(|u| u.server == **server && matches!(u.state.as_str(), "verified" | "uploaded") && !u.partial)
        });
        // what is damaged or gone does not wait for the day's end
        let next = if damaged || waiting {
            Some("etl verify --archive".to_owned())
        } else if day == self.today {
            None
        } else if !staged {
            Some("etl stage --once".to_owned())
        } else if unextracted > 0 {
            Some(format!("etl extract --day {day}"))
        } else if let Some(server) = late_server {
            Some(format!("etl upload --day {day} --to {server}"))
        } else if !artefacts.is_empty() {
            miners.first().map(|miner| format!("mine {miner} --day {day}"))
        } else {
            None
        };
        let total = artefacts.len();
        Ok(Standing {
            day,
            rows,
            bytes,
            staged: if staged {
                "staged"
            } else if day == self.today {
                "open"
            } else {
                "no"
            },
            complete: staged && !waiting && !damaged,
            extracted: match total {
                0 => "-".to_owned(),
                _ if unextracted == 0 => "all".to_owned(),
                _ => format!("{} of {total}", total - unextracted),
            },
            uploads: states,
            verified,
            mined,
            lost,
            damaged: damaged || waiting,
            late: false,
            next,
        })
    }
}

fn shown(upload: &Upload) -> String {
    match (upload.partial, upload.rejected) {
        (true, _) => format!("{} in part", upload.state),
        (false, 0) => upload.state.clone(),
        (false, n) => format!("{}, {n} rejected", upload.state),
    }
}

fn print(days: &[Standing], lost: i64) -> Result<()> {
    let mut table =
        Table::new(["day", "rows", "bytes", "staged", "extracted", "uploaded", "mined", "lost", "late", "next"])
            .right(1)
            .right(2);
    for day in days {
        let uploads: Vec<&str> = day.uploads.values().map(String::as_str).collect();
        let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        table.row([
            day.day.to_string(),
            human::count(day.rows),
            human::bytes(day.bytes),
            day.staged.to_owned(),
            day.extracted.clone(),
            dash(uploads.join(", ")),
            dash(day.mined.join(", ")),
            if day.lost == 0 { "-".to_owned() } else { day.lost.to_string() },
            if day.late { "late" } else { "" }.to_owned(),
            day.next.clone().unwrap_or_default(),
        ]);
    }
    table.print()?;
    if lost > 0 {
        println!("{lost} offsets are recorded as lost; `etl ls` tells which and why");
    }
    if days.iter().all(|day| day.next.is_none()) {
        println!("nothing is to be done");
    }
    Ok(())
}
