//! `mine sql`: any question to the data sets of the archive and to the newest reports, in SQL.
//!
//! Tables are scanned lazily and rows come out in batches, so a scan, a filter or a small aggregate needs little memory
//! whatever the input. Memory is watched while a query runs: one that needs more ends with a line that says so.

mod output;
mod tables;
mod value;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use archive::{DataSet, Day};
use polars::prelude::{DataFrame, Engine, LazyFrame, PlanCallback, Schema};
use polars::sql::SQLContext;
use program::{Common, Shutdown};

use crate::options::{self, Options, Size};
use crate::source::{Budget, Source};
use crate::threads;
use output::{Format, Output};

/// Flags of `mine sql`.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// The query, for example "SELECT host, count(*) AS n FROM pages GROUP BY host ORDER BY n DESC"
    #[arg(value_name = "SQL")]
    query: String,
    /// How rows come out: table, csv, json (one object a line) or parquet [default: by the ending of --output, else table]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// File to write to, which must not exist [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Rows that a table shows
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Print how the query would be run, and do not run it
    #[arg(long)]
    explain: bool,
    /// Only this day of the data sets (UTC)
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to"])]
    day: Option<Day>,
    /// First day of the data sets [default: the first of the archive]
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// Last day of the data sets [default: the last of the archive]
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
    /// Data directory to read from, or mongodb://[user@]host:port/database with what `etl upload` brought there [default:
    /// --data]
    #[arg(long, value_name = "DIR|URL")]
    source: Option<String>,
    /// File whose first line is the password of the server; else KAFKASPIDER_MONGODB_PASSWORD
    #[arg(long, value_name = "FILE")]
    mongodb_password_file: Option<PathBuf>,
    /// Folder of the reports [default: <data>/reports]
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Stop with an error rather than use more memory, for example 1GiB [default: 80 % of what is free]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
}

/// Long help.
pub const HELP: &str = "\
Tables: the data sets artefacts, pages, links and scripts over the days asked for, with all their fetches; and of each \
miner's newest report its tables, named <miner>_<table>: links_pages, terms_hosts. `mine schema` prints their columns.

The dialect is that of Polars: SELECT with WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, JOIN (inner, left, full, cross, semi, \
anti), UNION, WITH, CASE, window functions, SHOW TABLES.

Memory: a scan or a filter some row groups, an aggregate its groups, a sort or the build side of a join its rows; what \
needs more than --memory ends with a line that says so.";

/// Runs a query.
pub fn run(flags: &Flags, common: &Common, shutdown: Shutdown) -> Result<()> {
    let options = Options::new(
        &options::Flags {
            day: flags.day,
            from: flags.from,
            to: flags.to,
            source: flags.source.clone(),
            mongodb_password_file: flags.mongodb_password_file.clone(),
            out: flags.reports.clone(),
            top: None,
            threads: flags.threads,
            memory: flags.memory,
            partials: None,
            shard: None,
            seed: None,
        },
        common,
    )?;
    threads::limit_streaming(&options, Budget::new(options.memory).limit())?;
    // what the query does not name is neither looked for nor warned of
    let (sets, bodies) = named(&flags.query);
    let source = Source::open(&options, &sets, bodies, shutdown)?;
    let mut context = SQLContext::new();
    tables::register(&mut context, &source, &options.out)?;
    let query = || format!("in the query; tables are {}", tables::names(&context).join(", "));
    let mut frame = program::contained(|| context.clone().execute(&flags.query))
        .unwrap_or_else(|panic| Err(polars::prelude::polars_err!(ComputeError: "{panic}")))
        .with_context(query)?;
    let schema = frame.collect_schema().with_context(query)?;
    if flags.explain {
        println!("{}", frame.explain(true)?);
        return Ok(());
    }
    let format = output::chosen(flags.format, flags.output.as_deref(), common.json)?;
    let output = Output::new(format, flags.output.as_deref(), &schema, flags.top as usize)?;
    let frame = match output.most_rows() {
        // One more, to tell that there are more.
        Some(rows) => frame.limit(u32::try_from(rows + 1).unwrap_or(u32::MAX)),
        None => frame,
    };
    stream(frame, &schema, &source, output)
}

/// Data sets that a query may read, and whether it may read bodies (which only a server gives apart): judged by its words, rather too many than too few.
fn named(query: &str) -> (Vec<DataSet>, bool) {
    let query = query.to_ascii_lowercase();
    let words: Vec<&str> = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let sets: Vec<DataSet> = DataSet::ALL.into_iter().filter(|set| words.contains(&set.name())).collect();
    // A star that follows a bracket counts rows.
    let star = query.match_indices('*').any(|(at, _)| !query[..at].trim_end().ends_with('('));
    let bodies = sets.contains(&DataSet::Artefacts) && (star || words.contains(&"body"));
    (sets, bodies)
}

/// Rows of a batch.
const BATCH: usize = 8192;
/// How often memory and the wish to end are looked at while no rows come.
const WATCH: Duration = Duration::from_millis(2);

/// Runs the query on threads of its own, and writes rows as they come.
fn stream(frame: LazyFrame, schema: &Schema, source: &Source, mut output: Output) -> Result<()> {
    let (sender, receiver) = sync_channel::<Result<DataFrame>>(2);
    let rows = sender.clone();
    let worker = move || {
        let callback = PlanCallback::new(move |frame: DataFrame| Ok(rows.send(Ok(frame)).is_err()));
        let run =
            || frame.sink_batches(callback, true, NonZeroUsize::new(BATCH))?.collect_with_engine(Engine::Streaming);
        let ended = program::contained(run);
        let error = match ended {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => anyhow!(error),
            Err(panic) => anyhow!("the engine gave up: {panic}"),
        };
        // Nobody listens any more when the run has ended otherwise.
        drop(sender.send(Err(error)));
    };
    std::thread::Builder::new().name("sql".to_owned()).spawn(worker).context("cannot start a thread")?;
    loop {
        match receiver.recv_timeout(WATCH) {
            Ok(batch) => output.write(batch?)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        source.go_on()?;
    }
    output.finish(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_fetches_the_data_sets_that_it_names_and_bodies_only_when_it_reads_them() {
        use DataSet::{Artefacts, Links, Pages};
        assert_eq!(named("SELECT count( *) FROM artefacts"), (vec![Artefacts], false));
        assert_eq!(named("select * from Artefacts a, pages"), (vec![Artefacts, Pages], true));
        assert_eq!(named("SELECT body_bytes, a.body FROM artefacts a"), (vec![Artefacts], true));
        assert_eq!(named("SELECT * FROM links JOIN links_pages USING (url)"), (vec![Links], false));
    }
}
