//! `etl extract`: from artefacts to pages, links and scripts.
//!
//! Every artefacts segment that has no files of this version of the extractor gets three, named after it and in the same day.
//! Run again, it does only what is missing.

mod attributes;
pub mod budget;
pub mod content;
pub mod facts;
pub mod kind;
pub mod language;
mod names;
pub mod page;
mod segment;
pub(crate) mod source;
pub mod stream;
mod tables;
mod tokens;
pub mod tree;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use archive::{Catalogue, DataDir, DataSet, Day, Lock, Segment, TmpDir};
use program::{Common, Exit, Misuse, Progress, Shutdown, Usage, human};

use crate::{segment_reader, summary, world};
use budget::Budget;
use segment::{Counts, Extractor};

/// Name under which extract has its folders of unfinished files.
const PROGRAM: &str = "extract";

/// Extract pages, links and scripts from the archived artefacts
///
/// Does what is missing: segments with no pages, links and scripts yet, or with those of an older version of the extractor. Every
/// HTML artefact with a body becomes a row, however broken it is. Memory stays under 512 MB.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Only this day, UTC
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to"])]
    day: Option<Day>,
    /// Only from this day on
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// Only up to this day, included
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
    /// Threads that parse [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    jobs: Option<u32>,
    /// Extract also what is extracted already
    #[arg(long)]
    force: bool,
    /// Only say what would be extracted
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    world::need_data(common)?;
    let (exit, done) = run_quietly(args, common, shutdown)?;
    if let Some((total, failed, elapsed)) = done {
        report(&total, failed, elapsed, common)?;
    }
    Ok(exit)
}

/// What was done: counts, segments that failed, and how long it took.
type Done = (Counts, u64, Duration);

/// Does the work; what was done is reported by the caller.
fn run_quietly(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<(Exit, Option<Done>)> {
    let started = Instant::now();
    let data = DataDir::new(&common.data);
    let (from, to) = match args.day {
        Some(day) => (Some(day), Some(day)),
        None => (args.from, args.to),
    };
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Misuse::new(format!("--from {from} is after --to {to}")).into());
    }
    if args.dry_run {
        return Ok((dry_run(&missing(&data, from, to, args.force)?, common)?, None));
    }
    if !data.root().exists() {
        return Ok((Exit::Done, Some((Counts::default(), 0, started.elapsed()))));
    }
    let _lock = Lock::take(&data, PROGRAM)?;
    TmpDir::sweep(&data, PROGRAM)?;
    let segments = missing(&data, from, to, args.force)?;
    let tmp = TmpDir::create(&data, PROGRAM)?;
    let progress = Progress::new("extract", "bytes", None);
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).thread_name(|i| format!("extract-{i}"));
    let extractor = Extractor {
        data: &data,
        tmp: tmp.path(),
        budget: Budget::default(),
        pool: pool.build().context("cannot start threads; try fewer --jobs")?,
        shutdown,
        progress: &progress,
    };
    let mut total = Counts::default();
    let mut failed = 0;
    let mut interrupted = false;
    for (i, segment) in segments.iter().enumerate() {
        progress.say(&format!("{} of {} segments", i + 1, segments.len()));
        match extractor.extract(segment) {
            Ok(Some(counts)) => total.add(&counts),
            Ok(None) => {
                interrupted = true;
                break;
            }
            Err(e) if world::is_disk_full(&e) => {
                return Err(e.context(format!(
                    "the disk of {} is full: make room and run the same command again, which does what is missing",
                    data.root().display()
                )));
            }
            Err(e) => {
                tracing::error!("{}: {e:#}; the other segments are extracted all the same", segment.path.display());
                failed += 1;
            }
        }
    }
    progress.finish();
    let exit = match (interrupted, failed) {
        (true, _) => Exit::Interrupted,
        (false, 0) => Exit::Done,
        (false, _) => Exit::Partly,
    };
    Ok((exit, Some((total, failed, started.elapsed()))))
}

/// Extracts what is missing of one day, or all of it again, as the command does.
pub(crate) fn day(day: Day, force: bool, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let args = Args { day: Some(day), from: None, to: None, jobs: None, force, dry_run: false };
    Ok(run_quietly(&args, common, shutdown)?.0)
}

impl Counts {
    fn add(&mut self, more: &Counts) {
        self.segments += more.segments;
        self.pages += more.pages;
        self.links += more.links;
        self.scripts += more.scripts;
        self.bytes += more.bytes;
        self.written += more.written;
        self.streamed += more.streamed;
        self.panicked += more.panicked;
    }
}

/// Segments of artefacts that are still to be extracted.
fn missing(data: &DataDir, from: Option<Day>, to: Option<Day>, force: bool) -> Result<Vec<Segment>> {
    let catalogue = Catalogue::read(data)?;
    let mut missing = Vec::new();
    for segment in catalogue.segments(DataSet::Artefacts, from, to) {
        if force || !is_extracted(&catalogue, segment)? {
            missing.push(segment.clone());
        }
    }
    Ok(missing)
}

/// Covered means interval *and* version: the day's pages files cover the segment's offsets, each is of this version (or a
/// newer one, which an older program leaves alone), and each has its links and scripts, of that version too.
pub(crate) fn is_extracted(catalogue: &Catalogue, segment: &Segment) -> Result<bool> {
    let mut reached = segment.name.from;
    for pages in catalogue.covering(segment, DataSet::Pages) {
        let has = |set| {
            let covering = catalogue.covering(segment, set);
            covering.into_iter().find(|other| other.name == pages.name.in_set(set)).is_some_and(is_current)
        };
        if pages.name.from <= reached && is_current(pages) && has(DataSet::Links) && has(DataSet::Scripts) {
            reached = reached.max(pages.name.next);
        }
    }
    Ok(reached >= segment.name.next)
}

/// A file that cannot be read is not current: it counts as not extracted, and is made anew.
fn is_current(extracted: &Segment) -> bool {
    let version = |text: &str| text.parse::<u64>().unwrap_or(0);
    match segment_reader::footer(&extracted.path) {
        Ok(footer) => version(footer.extractor.as_deref().unwrap_or_default()) >= version(facts::VERSION),
        Err(e) => {
            tracing::warn!("{e:#}; it counts as not extracted");
            false
        }
    }
}

fn dry_run(segments: &[Segment], common: &Common) -> Result<Exit> {
    let bytes: u64 = segments.iter().map(|s| s.bytes).sum();
    if common.json {
        let names: Vec<String> = segments.iter().map(|s| format!("{}/{}", s.day, s.name)).collect();
        println!("{}", serde_json::json!({ "segments": names, "bytes": bytes }));
        return Ok(Exit::Done);
    }
    println!("would extract {} segments of {}", human::count(segments.len() as u64), human::bytes(bytes));
    for segment in segments {
        println!("  {} {} {}", segment.day, segment.name, human::bytes(segment.bytes));
    }
    Ok(Exit::Done)
}

fn report(counts: &Counts, failed: u64, elapsed: Duration, common: &Common) -> Result<()> {
    let usage = Usage::now();
    if common.json {
        let mut json = summary::json(counts, elapsed, &usage)?;
        json["failed"] = failed.into();
        println!("{json}");
        return Ok(());
    }
    println!(
        "extracted {} segments: {} pages, {} links, {} scripts from {} of HTML into {} in {}, peak memory {}",
        human::count(counts.segments),
        human::count(counts.pages),
        human::count(counts.links),
        human::count(counts.scripts),
        human::bytes(counts.bytes),
        human::bytes(counts.written),
        human::duration(elapsed),
        human::bytes(usage.peak_memory_bytes)
    );
    for (n, what) in [
        (counts.streamed, "pages were too large, deep or slow for a tree and read as a stream"),
        (counts.panicked, "pages broke the parser; what it did not give is empty"),
        (failed, "segments failed; see above"),
    ] {
        if n > 0 {
            println!("  {} {what}", human::count(n));
        }
    }
    Ok(())
}
