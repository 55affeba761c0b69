#![doc = include_str!("../README.md")]

// The command line.
mod options;
mod schema;
mod summary;
mod threads;

// What every miner stands on.
mod findings;
mod miner;
mod source;

// The miners; each is also one line of `miner::MINERS`.
mod links;
mod terms;

// What comes out.
mod html;
mod index;
mod report;

use anyhow::Result;
use clap::{ArgMatches, Args, FromArgMatches};
use program::{Common, Exit, Program, Shutdown};

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
    Schema(schema::Flags),
    Report(index::Flags),
}

const SCHEMA: &str = "schema";
const REPORT: &str = "report";

impl clap::Subcommand for Command {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        // A type of flags sets what its command says of itself, so the command's own words come behind it.
        let schema = schema::Flags::augment_args(clap::Command::new(SCHEMA))
            .about("Print tables and columns of the data sets and of the reports")
            .long_about(None);
        let report = index::Flags::augment_args(clap::Command::new(REPORT))
            .about("Write an index page over all reports")
            .long_about(None);
        let command = MINERS.iter().fold(command, |command, miner| command.subcommand(miner.command()));
        command.subcommand(schema).subcommand(report).subcommand_required(true).arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        name == SCHEMA || name == REPORT || MINERS.iter().any(|miner| miner.name == name)
    }
}

impl FromArgMatches for Command {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Command, clap::Error> {
        let (name, matches) =
            matches.subcommand().ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        match MINERS.iter().find(|miner| miner.name == name) {
            Some(miner) => Ok(Command::Mine(miner, Box::new((Flags::from_arg_matches(matches)?, matches.clone())))),
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
            Command::Mine(miner, given) => mine(miner, &given.0, &given.1, &self.common, shutdown)?,
            Command::Schema(flags) => schema::run(flags, self.common.json)?,
            Command::Report(flags) => index::run(flags, &self.common)?,
        }
        Ok(Exit::Done)
    }

    fn exit_of(error: &anyhow::Error) -> Option<Exit> {
        error.is::<Interrupted>().then_some(Exit::Interrupted)
    }
}

/// One miner from flags to report folder.
fn mine(miner: &Miner, flags: &Flags, matches: &ArgMatches, common: &Common, shutdown: Shutdown) -> Result<()> {
    let options = Options::new(flags, common)?;
    threads::limit(&options)?;
    let started = Started::now();
    let source = Source::open(&options, miner.inputs, shutdown)?;
    let params = Params { flags: matches, rows: options.summary_rows };
    let findings = (miner.mine)(&source, &params)?;
    source.go_on()?;
    let run = report::write(&options, miner, &source, &findings, started)?;
    summary::print(&run, &findings, common.json)
}
