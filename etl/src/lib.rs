//! Etl: from the bus to the archive, from the archive to tables of pages, links and scripts, and a look into both.
//!
//! `stage` turns records of the topic `artefacts` into Parquet segments; `extract` reads the pages in them; `ls` and `get`
//! look into the archive, `tail` into any topic of the bus.

mod columns;
mod footer;
mod row_hash;
mod segment_reader;
mod segment_writer;

mod find;
mod size;
mod world;

#[doc(hidden)]
pub mod extract;
mod get;
mod import;
mod ls;
mod stage;
mod tail;

use program::{Common, Exit, Program, Shutdown};

/// Stages records of the bus into the archive, extracts pages and links from it, and looks into both
#[derive(Debug, clap::Parser)]
#[command(name = "etl", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Stage(stage::Args),
    Extract(extract::Args),
    Import(import::Args),
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
        let common = &self.common;
        match &self.command {
            Command::Stage(args) => stage::run(args, common, &shutdown),
            Command::Extract(args) => extract::run(args, common, &shutdown),
            Command::Import(args) => import::run(args, common, &shutdown),
            Command::Ls(args) => ls::run(args, common),
            Command::Get(args) => get::run(args, common),
            Command::Tail(args) => tail::run(args, common, &shutdown),
        }
    }

    fn exit_of(error: &anyhow::Error) -> Option<Exit> {
        let busy = error.chain().any(|cause| {
            matches!(cause.downcast_ref(), Some(archive::Error::Busy { .. }))
                || matches!(cause.downcast_ref(), Some(bus::Error::Busy { .. }))
                || matches!(cause.downcast_ref(), Some(bus::PublishError::Fenced(_)))
        });
        busy.then_some(Exit::Busy)
    }
}
