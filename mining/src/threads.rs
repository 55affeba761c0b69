//! As many threads as the user wants, in every pool of the process.
//!
//! Polars reads the size of its pool from the environment, once. A process can change its own environment only with unsafe
//! code, of which there is none here: so `mine` starts itself again, in place, with the variable set.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::options::Options;

const POLARS: &str = "POLARS_MAX_THREADS";
/// Row groups that the streaming engine reads ahead, and how much it may keep before it spills what it can.
const AHEAD: &str = "POLARS_ROW_GROUP_PREFETCH_SIZE";
const SPILL: &str = "POLARS_OOC_MEMORY_BUDGET_MB";

/// Sets the size of the pools. Comes before any other use of them; may replace the process.
pub fn limit(options: &Options) -> Result<()> {
    if options.threads_given {
        again_with(&[(POLARS, options.threads.to_string())])?;
    }
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).build_global().context("cannot start threads")
}

/// The same for a run of the streaming engine, with its appetite for memory.
pub fn limit_streaming(options: &Options) -> Result<()> {
    let mut wanted = vec![(AHEAD, options.threads.to_string())];
    if options.threads_given {
        wanted.push((POLARS, options.threads.to_string()));
    }
    if let Some(memory) = options.memory {
        wanted.push((SPILL, (memory / 2 / 1_000_000).max(16).to_string()));
    }
    again_with(&wanted)
}

/// Starts this program again, in place, unless the variables have these values.
fn again_with(variables: &[(&str, String)]) -> Result<()> {
    if variables.iter().all(|(name, value)| std::env::var(name).as_ref() == Ok(value)) {
        return Ok(());
    }
    let program = std::env::current_exe().context("cannot find this executable")?;
    let variables = variables.iter().map(|(name, value)| (name, value));
    let error = Command::new(program).args(std::env::args_os().skip(1)).envs(variables).exec();
    Err(error).context("cannot start again with the settings wanted")
}
