//! Miners: from the tables of the archive to reports.
//!
#![doc = include_str!("../README.md")]

// The command line.
mod options;
mod schema;
mod sql;
mod summary;
mod threads;

// What every miner stands on.
mod bags;
mod findings;
mod miner;
mod pile;
mod source;
mod spill;
mod text;

// The miners; each is also one line of `miner::MINERS`.
mod cluster;
mod duplicates;
mod hosts;
mod keywords;
mod languages;
mod links;
mod terms;

// What comes out.
mod html;
mod index;
mod report;

/// The link graph without an archive, for `examples/bench_graph.rs`; nothing else may rely on it.
#[doc(hidden)]
pub mod graph {
    pub use crate::links::components::{strong, weak};
    pub use crate::links::edges::Edges;
    pub use crate::links::graph::Csr;
    pub use crate::links::hits::hits;
    pub use crate::links::pagerank::pagerank;
    pub use crate::links::pull::Pull;
    pub use crate::spill::Room;
}

use anyhow::Result;
use clap::{ArgMatches, Args, FromArgMatches};
use program::{Common, Exit, Misuse, Program, Shutdown};

use crate::miner::{MINERS, Miner, Params};
use crate::options::{Flags, Options};
use crate::report::Started;
use crate::source::{Interrupted, Source};

/// What the archive knows: reports on terms, links and more, as tables and pages
#[derive(Debug, clap::Parser)]
#[command(name = "mine", version)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// The subcommands: each miner, and what needs none.
#[derive(Debug)]
enum Command {
    Mine(&'static Miner, Box<(Flags, ArgMatches)>),
    Merge(&'static Miner, Box<(Flags, ArgMatches)>),
    Sql(sql::Flags),
    Schema(schema::Flags),
    Report(index::Flags),
}

const SQL: &str = "sql";
const SCHEMA: &str = "schema";
const REPORT: &str = "report";
const MERGE: &str = "merge";

impl clap::Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        // A type of flags sets what its command says of itself, so the command's own words come behind it.
        let sql = sql::Flags::augment_args(clap::Command::new(SQL))
            .about("Ask the data sets and the newest reports in SQL")
            .long_about(format!("Ask the data sets and the newest reports in SQL\n\n{}", sql::HELP));
        let schema = schema::Flags::augment_args(clap::Command::new(SCHEMA))
            .about("Print tables and columns of the data sets and of the reports")
            .long_about(None);
        let report = index::Flags::augment_args(clap::Command::new(REPORT))
            .about("Write an index page over all reports")
            .long_about(None);
        let merge = clap::Command::new(MERGE)
            .about("Join the partials that runs with --shard I/N have made into one report")
            .subcommand_required(true)
            .arg_required_else_help(true);
        let sharing = MINERS.iter().filter(|miner| miner.shards);
        let merge = sharing.fold(merge, |merge, miner| {
            let about = format!("Join what `mine {} --shard I/N` has made, given the same flags", miner.name);
            merge.subcommand(miner.command().about(about).long_about(None).after_long_help(None))
        });
        let command = MINERS.iter().fold(command, |command, miner| command.subcommand(miner.command()));
        command
            .subcommand(merge)
            .subcommand(sql)
            .subcommand(schema)
            .subcommand(report)
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == SQL
            || name == SCHEMA
            || name == REPORT
            || name == MERGE
            || MINERS.iter().any(|miner| miner.name == name)
    }
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Command, clap::Error> {
        let (name, matches) =
            matches.subcommand().ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        let given = |matches: &ArgMatches| -> Result<Box<(Flags, ArgMatches)>, clap::Error> {
            Ok(Box::new((Flags::from_arg_matches(matches)?, matches.clone())))
        };
        match MINERS.iter().find(|miner| miner.name == name) {
            Some(miner) => Ok(Command::Mine(miner, given(matches)?)),
            None if name == MERGE => {
                let inner = matches.subcommand();
                let found = inner.and_then(|(name, m)| Some((MINERS.iter().find(|miner| miner.name == name)?, m)));
                let (miner, matches) =
                    found.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
                Ok(Command::Merge(miner, given(matches)?))
            }
            None if name == SQL => Ok(Command::Sql(sql::Flags::from_arg_matches(matches)?)),
            None if name == SCHEMA => Ok(Command::Schema(schema::Flags::from_arg_matches(matches)?)),
            None => Ok(Command::Report(index::Flags::from_arg_matches(matches)?)),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Command::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Program for Cli {
    const NAME: &'static str = "mine";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, shutdown: Shutdown) -> Result<Exit> {
        match &self.command {
            Command::Mine(miner, given) => mine(miner, given, &self.common, shutdown, false)?,
            Command::Merge(miner, given) => mine(miner, given, &self.common, shutdown, true)?,
            Command::Sql(flags) => sql::run(flags, &self.common, shutdown)?,
            Command::Schema(flags) => schema::run(flags, self.common.json)?,
            Command::Report(flags) => index::run(flags, &self.common)?,
        }
        Ok(Exit::Done)
    }

    fn exit_of(error: &anyhow::Error) -> Option<Exit> {
        error.is::<Interrupted>().then_some(Exit::Interrupted)
    }
}

/// One miner from flags to report folder; with `--shard`, to its share of the partials.
fn mine(miner: &Miner, given: &(Flags, ArgMatches), common: &Common, shutdown: Shutdown, merging: bool) -> Result<()> {
    let options = Options { merging, ..Options::new(&given.0, common)? };
    if options.shard.is_some() && (merging || !miner.shards) {
        let sharing: Vec<&str> = MINERS.iter().filter(|miner| miner.shards).map(|miner| miner.name).collect();
        let what = if merging { "mine merge" } else { miner.name };
        return Err(Misuse::new(format!("{what} takes no --shard; these miners do: {}", sharing.join(", "))).into());
    }
    threads::limit(&options)?;
    let started = Started::now();
    let source = Source::open(&options, miner.inputs, false, shutdown)?;
    let params =
        Params { flags: &given.1, rows: options.summary_rows, top: options.top, seed: options.seed.unwrap_or(0) };
    let mut findings = match (miner.mine)(&source, &params) {
        Ok(findings) => findings,
        Err(error) => return summary::share(error.downcast()?, common.json),
    };
    source.go_on()?;
    let written = report::write(&options, miner, &source, &mut findings, started)?;
    summary::print(&written, &findings, common.json)
}
