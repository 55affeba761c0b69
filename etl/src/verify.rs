//! `etl verify`: does the server hold what the archive holds, and is the archive itself what was sealed?

pub mod agree;
pub mod bodies;
mod deep;
mod missing;
mod name;
mod repair;
mod whole;

use std::time::Instant;

use anyhow::Result;
use archive::{Catalogue, DataDir, Day};
use program::{Common, Exit, Misuse, Shutdown, Table, human};

use crate::mongo::document::{self, Collection};
use crate::mongo::{Mongo, Server};
use crate::segment_reader::SegmentReader;
use crate::upload::{self, mirror, rejects, source};
use crate::world;
use agree::{Bucket, Expected, NAMED};

/// Compare a day on the server with the archive, or check the archive itself
///
/// For a day: one pass over its documents, counted and summed per segment, and every document named that was changed, added or
/// removed; with --deep every field of every document. With --archive: every segment's footer, rows and place; what is damaged
/// is set aside and staged again from the bus, or recorded as lost. Exit code 3 when something differs.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// This day on the server, UTC, or `yesterday` [default: yesterday]
    #[arg(long, value_name = "DAY", value_parser = upload::day, conflicts_with = "archive")]
    day: Option<Day>,
    /// Check the archive itself
    #[arg(long)]
    archive: bool,
    /// With --archive: only from this day on
    #[arg(long, value_name = "DAY", requires = "archive")]
    from: Option<Day>,
    /// With --archive: only up to this day, included
    #[arg(long = "to", value_name = "DAY", requires = "archive")]
    until: Option<Day>,
    /// Compare every field of every document
    #[arg(long, conflicts_with = "archive")]
    deep: bool,
    /// With --deep: only so many documents of each collection, chosen by chance
    #[arg(long, value_name = "N", requires = "deep", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    #[command(flatten)]
    server: Server,
    /// What to compare: some of artefacts, pages, bodies, links [default: what the ledger says was uploaded]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    collections: Vec<Collection>,
    /// With --archive: only say what is damaged
    #[arg(long)]
    dry_run: bool,
}

/// A document that is not what the archive says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Collection.
    pub collection: String,
    /// `_id`.
    pub id: String,
    /// `added`, `removed`, `changed`, or `body`.
    pub what: String,
    /// The fields, where they were compared.
    pub fields: Vec<String>,
}

impl Difference {
    fn new(collection: Collection, id: impl Into<String>, what: &str) -> Difference {
        Difference { collection: collection.name().into(), id: id.into(), what: what.into(), fields: Vec::new() }
    }
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    world::need_data(common)?;
    if args.archive {
        if let (Some(from), Some(to)) = (args.from, args.until)
            && from > to
        {
            return Err(Misuse::new(format!("--from {from} is after --to {to}")).into());
        }
        return repair::run(args.from, args.until, args.dry_run, common, shutdown);
    }
    let ended = run_day(args, common, shutdown);
    match ended {
        Err(error) if upload::is_interrupted(&error) => Ok(Exit::Interrupted),
        ended => ended,
    }
}

fn run_day(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let started = Instant::now();
    let data = DataDir::new(&common.data);
    let day = args.day.map_or_else(upload::yesterday, Ok)?;
    let target = args.server.need("--mongodb")?;
    let collections = match &args.collections {
        asked if !asked.is_empty() => upload::ordered(asked),
        _ => {
            let ledger = archive::Upload::read(&data, day, &target.key())?;
            let Some(ledger) = ledger else {
                println!("{day} was not uploaded to {}; `etl upload --day {day}` does it", target.shown());
                return Ok(Exit::Partly);
            };
            upload::ordered(&ledger.collections.iter().filter_map(|name| name.parse().ok()).collect::<Vec<_>>())
        }
    };
    let mongo = args.server.connect(&target, shutdown)?;
    let rejected = rejects::path(&data, day, &target.key());
    let check = Check { data: &data, day, mongo: &mongo, rejected, shutdown };
    let mut table = Table::new(["collection", "archive", "server", "state"]).right(1).right(2);
    let mut all = Vec::new();
    let mut lines = Vec::new();
    for collection in collections {
        let (archived, there, mut differences) = check.collection(collection)?;
        if args.deep {
            let known: std::collections::HashSet<String> = differences.iter().map(|d| d.id.clone()).collect();
            let deep = deep::compare(&check, collection, args.sample)?;
            differences.retain(|d| d.what != "changed" || !deep.iter().any(|other| other.id == d.id));
            differences
                .extend(deep.into_iter().filter(|d| d.what == "changed" || d.what == "body" || !known.contains(&d.id)));
        }
        let state = match differences.len() {
            0 => "the same".to_owned(),
            n => format!("{n} differ"),
        };
        table.row([collection.name().to_owned(), human::count(archived), human::count(there), state]);
        lines.push(serde_json::json!({ "collection": collection.name(), "archive": archived, "server": there }));
        all.extend(differences);
    }
    if common.json {
        let json = serde_json::json!({
            "day": day.to_string(), "server": target.shown(), "collections": lines, "differences": all,
            "seconds": started.elapsed().as_secs_f64(), "peak_memory": program::Usage::now().peak_memory_bytes,
        });
        println!("{json}");
    } else {
        table.print()?;
        for d in all.iter().take(NAMED) {
            let fields = if d.fields.is_empty() { String::new() } else { format!(" in {}", d.fields.join(", ")) };
            println!("{}: {} {}{fields}", d.what, d.collection, human::clean(&d.id));
        }
        if all.len() > NAMED {
            println!("and {} more", human::count((all.len() - NAMED) as u64));
        }
        if !all.is_empty() {
            println!(
                "`etl upload --day {day} --force` puts the archive's documents back; what was added must be removed by hand"
            );
        }
    }
    Ok(if all.is_empty() { Exit::Done } else { Exit::Partly })
}

/// What a comparison of a day works with.
struct Check<'a> {
    data: &'a DataDir,
    day: Day,
    mongo: &'a Mongo,
    rejected: std::path::PathBuf,
    shutdown: &'a Shutdown,
}

impl Check<'_> {
    fn segments(&self, collection: Collection) -> Result<Vec<archive::Segment>> {
        let catalogue = Catalogue::read(self.data)?;
        let segments = catalogue.segments(collection.data_set(), Some(self.day), Some(self.day));
        Ok(segments.into_iter().cloned().collect())
    }

    /// Documents in the archive, documents on the server, and what differs.
    fn collection(&self, collection: Collection) -> Result<(u64, u64, Vec<Difference>)> {
        let rejected = rejects::ids(&self.rejected, collection)?;
        if collection == Collection::Bodies {
            let (mut archived, mut differences) = (0, Vec::new());
            for segment in self.segments(collection)? {
                archived += SegmentReader::open_footer(&segment.path)?.footer()?.rows;
                for (id, reason) in bodies::missing(self.mongo, &segment, &rejected)? {
                    let what = if reason.contains("missing") { "removed" } else { "changed" };
                    differences.push(Difference::new(collection, id, what));
                }
            }
            differences.sort_by(|a, b| a.id.cmp(&b.id));
            differences.dedup();
            return Ok((archived, archived - (differences.len() as u64).min(archived), differences));
        }
        let mut buckets = Vec::new();
        for segment in self.segments(collection)? {
            let reader = SegmentReader::open(&segment.path)?;
            let (mut count, mut sum, mut id) = (0, 0_u128, String::new());
            source::rows(&reader, collection.data_set(), |rows| {
                for row in 0..rows.len() {
                    rows.id(row, &mut id);
                    if !rejected.contains(&id) {
                        count += 1;
                        sum = sum.wrapping_add(document::proof(&id, rows.rev(row)));
                    }
                }
                Ok(true)
            })?;
            buckets.push(Bucket { extractor: reader.footer()?.extractor, segment, count, sum });
        }
        let others = mirror::others(self.mongo, self.data, self.day, collection.name())?;
        let expected = Expected::new(collection, self.day, buckets, rejected, others);
        let found = self.mongo.wait(expected.compare(self.mongo.link()))?;
        let mut differences: Vec<Difference> =
            found.strangers.iter().map(|id| Difference::new(collection, id, "added")).collect();
        for (i, _) in &found.differing {
            differences.extend(name::differences(self.mongo, &expected, *i)?);
        }
        Ok((expected.documents(), found.documents + found.strange, differences))
    }
}
