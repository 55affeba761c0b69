//! The spider: from URLs on the bus to artefacts on the bus.
//!
#![doc = include_str!("../README.md")]

mod clock;
mod fingerprint;
mod names;
mod revisit;
mod scope;

mod fetch;
mod robots;

mod frontier;

mod add;
mod crawl;
mod explain;
mod status;

use anyhow::{Context, Result};
use bus::{Bus, PublishError};
use program::{Common, Exit, Program, Shutdown};

/// Fetch web pages, politely, onto the bus
#[derive(Debug, clap::Parser)]
#[command(name = "spider", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is taken apart at once")]
enum Command {
    /// Fetch from seeds on, following links within scope; or go on with a crawl
    Crawl(Box<crawl::settings::Flags>),
    /// Give URLs to a crawl, which may be running
    Add(add::Flags),
    /// Say what becomes of a URL, and why: canonical form, scope, robots.txt, addresses, what the crawl knows
    Explain(explain::Flags),
    /// Show how far a crawl is
    Status(status::Flags),
}

impl Program for Cli {
    const NAME: &'static str = "spider";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, shutdown: Shutdown) -> Result<Exit> {
        let common = &self.common;
        match self.command {
            Command::Crawl(flags) => crawl::run(common, *flags, shutdown),
            Command::Add(flags) => add::run(common, &flags),
            Command::Explain(flags) => explain::run(common, &flags),
            Command::Status(flags) => status::run(common, &flags),
        }
    }

    fn exit_of(error: &anyhow::Error) -> Option<Exit> {
        let busy = error.chain().any(|cause| {
            matches!(cause.downcast_ref(), Some(bus::Error::Busy { .. }))
                || matches!(cause.downcast_ref(), Some(PublishError::Fenced(_)))
                || cause.is::<Busy>()
        });
        let ended = error.chain().any(|cause| matches!(cause.downcast_ref(), Some(bus::Error::Ended { .. })));
        if busy { Some(Exit::Busy) } else { ended.then_some(Exit::Interrupted) }
    }
}

/// Something is held by another process.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Busy(String);

/// Opens the bus that the shared flags name.
fn open_bus(common: &Common, clock: &clock::Clock) -> Result<Bus> {
    let options = bus::Options { config: common.bus_config.clone(), clock: clock.for_bus() };
    Bus::open(&common.bus_url(), &options).context("cannot open the bus")
}

/// The same when there is one; none when the embedded log's file is missing, which opening would make.
fn open_existing_bus(common: &Common, clock: &clock::Clock) -> Result<Option<Bus>> {
    let url = common.bus_url();
    if !url.starts_with("kafka://") && !std::path::Path::new(&url).exists() {
        return Ok(None);
    }
    open_bus(common, clock).map(Some)
}
