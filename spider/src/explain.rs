//! `spider explain`: what becomes of a URL, and why.

use anyhow::Result;
use clap::Args;
use program::{Common, Exit};

/// Flags of `spider explain`.
#[derive(Debug, Args)]
pub struct Flags {
    /// URL
    url: String,
}

/// Runs the command.
pub fn run(_common: &Common, _flags: &Flags) -> Result<Exit> {
    Ok(Exit::Done)
}
