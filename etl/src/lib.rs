//! Etl: from the bus to the archive, from the archive to tables of pages, links and scripts, from there to MongoDB, and a
//! look into all of them.
//!
//! `stage` turns records of the topic `artefacts` into Parquet segments; `extract` reads the pages in them; `upload` brings a
//! day to MongoDB and `verify` compares it; `backfill` does what is missing over many days; `status`, `trace` and `doctor`
//! tell how things stand; `ls` and `get` look into the archive, `tail` into any topic of the bus.

mod columns;
mod file_hash;
mod footer;
mod row_hash;
mod segment_reader;
mod segment_writer;

mod complete;
mod find;
mod mongo;
mod on_failure;
mod size;
mod summary;
mod world;

mod backfill;
mod doctor;
#[doc(hidden)]
pub mod extract;
mod get;
mod import;
mod ls;
mod stage;
mod status;
mod tail;
mod trace;
mod upload;
mod verify;

use program::{Common, Exit, Program, Shutdown};

/// Stages records of the bus into the archive, extracts pages and links, uploads days to MongoDB, and looks into all of it
#[derive(Debug, clap::Parser)]
#[command(name = "etl", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    /// Run this in a shell when the command fails in whole or in part; a summary comes on its standard input
    #[arg(long, global = true, value_name = "COMMAND", help_heading = "Shared options")]
    on_failure: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Stage(stage::Args),
    Extract(extract::Args),
    Import(import::Args),
    Upload(upload::Args),
    Verify(verify::Args),
    Backfill(backfill::Args),
    Status(status::Args),
    Trace(trace::Args),
    Doctor(doctor::Args),
    Ls(ls::Args),
    Get(get::Args),
    Tail(tail::Args),
}

impl Program for Cli {
    const NAME: &'static str = "etl";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, shutdown: Shutdown) -> anyhow::Result<Exit> {
        let ended = self.command.run(&self.common, &shutdown);
        if let Some(command) = &self.on_failure {
            let busy = ended.as_ref().is_err_and(|error| Cli::exit_of(error) == Some(Exit::Busy));
            on_failure::tell(command, &ended, busy);
        }
        ended
    }

    fn exit_of(error: &anyhow::Error) -> Option<Exit> {
        let busy = error.chain().any(|cause| {
            matches!(cause.downcast_ref(), Some(archive::Error::Busy { .. }))
                || matches!(cause.downcast_ref(), Some(bus::Error::Busy { .. }))
                || matches!(cause.downcast_ref(), Some(bus::PublishError::Fenced(_)))
        });
        let ended = error.chain().any(|cause| matches!(cause.downcast_ref(), Some(bus::Error::Ended { .. })));
        if busy { Some(Exit::Busy) } else { ended.then_some(Exit::Interrupted) }
    }
}

impl Command {
    fn run(&self, common: &Common, shutdown: &Shutdown) -> anyhow::Result<Exit> {
        match self {
            Command::Stage(args) => stage::run(args, common, shutdown),
            Command::Extract(args) => extract::run(args, common, shutdown),
            Command::Import(args) => import::run(args, common, shutdown),
            Command::Upload(args) => upload::run(args, common, shutdown),
            Command::Verify(args) => verify::run(args, common, shutdown),
            Command::Backfill(args) => backfill::run(args, common, shutdown),
            Command::Status(args) => status::run(args, common),
            Command::Trace(args) => trace::run(args, common, shutdown),
            Command::Doctor(args) => doctor::run(args, common, shutdown),
            Command::Ls(args) => ls::run(args, common),
            Command::Get(args) => get::run(args, common),
            Command::Tail(args) => tail::run(args, common, shutdown),
        }
    }
}
