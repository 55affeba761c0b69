//! `spider status`: how far a crawl is.

use anyhow::Result;
use clap::Args;
use program::{Common, Exit};

use crate::names;

/// Flags of `spider status`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Name of the crawl
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = names::crawl)]
    crawl: String,
}

/// Runs the command.
pub fn run(_common: &Common, _flags: &Flags) -> Result<Exit> {
    Ok(Exit::Done)
}
