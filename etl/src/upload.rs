//! `etl upload`: one day of the archive to MongoDB, for the rest of the pipeline to read.
//!
//! Keyed by record id, checked by `rev`, accounted for in the ledger, read back at the end. See [`day`] for the order of the
//! steps, [`send`] for what becomes of a batch, `mongo::document` for what a document holds.

pub mod batch;
mod compare;
pub mod day;
pub mod mirror;
pub(crate) mod recent;
pub mod rejects;
pub mod segment;
pub mod send;
pub mod source;
mod turn;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use archive::{Catalogue, DataDir, Day, Lock, TmpDir, Upload};
use program::{Common, Exit, Shutdown, Table, Usage, human};

use crate::mongo::document::Collection;
use crate::mongo::target;
use crate::mongo::{Failure, Server, Target};
use crate::{complete, segment_reader, summary, world};
use day::{Options, Report, Work};

/// Name under which upload has its folders of unfinished files.
pub const PROGRAM: &str = "upload";

/// Upload a day to MongoDB or FerretDB
///
/// Sends what the ledger does not know as done, reads back what the server has, and sends once more what differs. Whatever
/// happened before, it can be run again: what is there already is recognised, nothing is stored twice. Documents that the
/// server does not take go to rejects/ with the reason, and the exit code is 3. Memory stays under 256 MB.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// This day, UTC, or `yesterday` [default: yesterday]
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: Option<Day>,
    /// Server and database, as --mongodb: mongodb://[user@]host:port/database
    #[arg(long, value_name = "URL", value_parser = target::url)]
    to: Option<String>,
    #[command(flatten)]
    server: Server,
    /// What to upload: some of artefacts, pages, bodies, links
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "artefacts,pages,bodies")]
    collections: Vec<Collection>,
    /// Do not read back what the server has
    #[arg(long)]
    no_verify: bool,
    /// Batches in flight
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Send everything, and replace documents that are there
    #[arg(long)]
    force: bool,
    /// Upload also a day that is not complete; a later run adds the rest
    #[arg(long)]
    partial: bool,
    /// Only say what would be uploaded
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let started = Instant::now();
    let data = DataDir::new(&common.data);
    let day = args.day.map_or_else(yesterday, Ok)?;
    let server = Server { mongodb: args.to.clone().or(args.server.mongodb.clone()), ..args.server.clone() };
    let target = server.need("--to")?;
    let collections = ordered(&args.collections);
    let why_not = complete::why_not(&data, day, needs_extract(&collections))?;
    if let Some(why) = why_not.as_ref().filter(|_| !args.partial && !args.dry_run) {
        bail!("{why}; --partial uploads what is there");
    }
    let options = Options {
        collections,
        verify: !args.no_verify,
        jobs: args.jobs as usize,
        force: args.force,
        partial: why_not.is_some(),
    };
    if args.dry_run {
        return dry_run(&data, day, &target, &options, why_not.as_deref(), common);
    }
    let _lock = Lock::take(&data, &lock_of(day))?;
    TmpDir::sweep(&data, PROGRAM)?;
    let tmp = TmpDir::create(&data, PROGRAM)?;
    let connected = server.connect(&target, shutdown);
    let mongo = match connected {
        Err(error) if is_interrupted(&error) => return Ok(Exit::Interrupted),
        Err(error) => return Err(error.context(left(&data, day, &target, &options)?)),
        Ok(connected) => connected,
    };
    let work = Work { data: &data, tmp: tmp.path(), mongo: &mongo, target: &target, options: &options, shutdown };
    let done = work.day(day);
    if let Ok(report) = &done {
        report.trouble.iter().for_each(|line| crate::on_failure::note(line));
    }
    let report = match done {
        Err(error) if is_interrupted(&error) => return Ok(Exit::Interrupted),
        Err(error) if world::is_disk_full(&error) => {
            return Err(error.context(format!(
                "the disk of {} is full: make room and run the same command again",
                data.root().display()
            )));
        }
        report => report?,
    };
    print(&report, &target, started.elapsed(), common)?;
    Ok(match report.state.as_str() {
        "interrupted" => Exit::Interrupted,
        "partly" => Exit::Partly,
        _ => Exit::Done,
    })
}

/// The lock of a day, which upload and backfill take.
pub fn lock_of(day: Day) -> String {
    format!("day-{day}")
}

/// Takes a day as it is written, or the word.
pub fn day(text: &str) -> Result<Day, String> {
    match text {
        "yesterday" => yesterday().map_err(|error| format!("{error:#}")),
        _ => text.parse().map_err(|error: archive::Error| error.to_string()),
    }
}

/// What is left to be sent where nothing could be.
fn left(data: &DataDir, day: Day, target: &Target, options: &Options) -> Result<String> {
    let catalogue = Catalogue::read(data)?;
    let (mut segments, mut rows) = (0, 0);
    for collection in &options.collections {
        let pending = pending(data, &catalogue, day, &target.key(), *collection, options.force)?;
        segments += pending.segments;
        rows += pending.rows;
    }
    Ok(format!(
        "nothing of {day} was uploaded now, {} segments with {} rows are left; run the same command again, which does them",
        human::count(segments),
        human::count(rows)
    ))
}

/// Yesterday, UTC.
pub fn yesterday() -> Result<Day> {
    Ok(Day::of_millis(world::now()?).previous())
}

/// Without doubles, in the order in which they are uploaded.
pub fn ordered(collections: &[Collection]) -> Vec<Collection> {
    Collection::ALL.into_iter().filter(|one| collections.contains(one)).collect()
}

/// What is asked for has to be extracted first.
pub fn needs_extract(collections: &[Collection]) -> bool {
    collections.iter().any(|one| matches!(one, Collection::Pages | Collection::Links))
}

/// A signal came while the server was away.
pub fn is_interrupted(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(Failure::Interrupted)))
}

/// What is to be sent by what the archive's ledger says; the server is not asked.
#[derive(Debug, Default, serde::Serialize)]
pub struct Pending {
    /// Segments.
    pub segments: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// What of a collection is to be sent.
pub fn pending(
    data: &DataDir,
    catalogue: &Catalogue,
    day: Day,
    key: &str,
    collection: Collection,
    force: bool,
) -> Result<Pending> {
    let ledger = Upload::read(data, day, key)?.unwrap_or_default();
    let mut pending = Pending::default();
    for segment in catalogue.segments(collection.data_set(), Some(day), Some(day)) {
        let footer = segment_reader::footer(&segment.path).ok();
        let done = ledger.segment(collection.name(), &segment.name.to_string()).is_some_and(|entry| {
            let same = |f: &crate::footer::Footer| {
                crate::row_hash::hex(f.hash) == entry.hash && f.extractor == entry.extractor
            };
            entry.state == "done" && footer.as_ref().is_some_and(same)
        });
        if force || !done {
            pending.segments += 1;
            pending.rows += footer.map_or(0, |footer| footer.rows);
            pending.bytes += segment.bytes;
        }
    }
    Ok(pending)
}

fn dry_run(
    data: &DataDir,
    day: Day,
    target: &Target,
    options: &Options,
    why_not: Option<&str>,
    common: &Common,
) -> Result<Exit> {
    let catalogue = Catalogue::read(data)?;
    let mut table = Table::new(["collection", "segments", "rows", "bytes"]).right(1).right(2).right(3);
    let mut json = serde_json::Map::new();
    for collection in &options.collections {
        let pending = pending(data, &catalogue, day, &target.key(), *collection, options.force)?;
        table.row([
            collection.name().to_owned(),
            human::count(pending.segments),
            human::count(pending.rows),
            human::bytes(pending.bytes),
        ]);
        json.insert(collection.name().to_owned(), serde_json::to_value(&pending)?);
    }
    if common.json {
        println!(
            "{}",
            serde_json::json!({ "day": day.to_string(), "server": target.shown(), "refused": why_not, "pending": json })
        );
        return Ok(Exit::Done);
    }
    println!("would upload of {day} to {}:", target.shown());
    table.print()?;
    if let Some(why) = why_not {
        println!("but {why}; --partial uploads what is there");
    }
    Ok(Exit::Done)
}

fn print(report: &Report, target: &Target, elapsed: Duration, common: &Common) -> Result<()> {
    let usage = Usage::now();
    if common.json {
        let mut json = summary::json(report, elapsed, &usage)?;
        json["server"] = target.shown().into();
        println!("{json}");
        return Ok(());
    }
    println!(
        "{}: {} segments of {} sent to {}, {} known as done; {} documents: {} new, {} there already, {} replaced, {} rejected; in \
         {}, peak memory {}",
        report.state,
        human::count(report.segments),
        report.day,
        target.shown(),
        human::count(report.skipped),
        human::count(report.sent),
        human::count(report.inserted),
        human::count(report.present),
        human::count(report.replaced),
        human::count(report.rejected),
        human::duration(elapsed),
        human::bytes(usage.peak_memory_bytes)
    );
    if report.state == "verified" {
        println!("  the server holds {} documents of the day, as the archive does", human::count(report.documents));
    }
    if report.removed > 0 {
        println!("  {} documents of an older extractor were removed", human::count(report.removed));
    }
    for line in &report.trouble {
        println!("  {}", human::clean(line));
    }
    Ok(())
}
