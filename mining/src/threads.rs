//! As many threads as the user wants, in every pool of the process.
//!
//! Polars reads the size of its pool from the environment, once. A process can change its own environment only with unsafe
//! code, of which there is none here: so `mine` starts itself again, in place, with the variable set.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::options::Options;

const POLARS: &str = "POLARS_MAX_THREADS";

/// Sets the size of the pools. Comes before any other use of them; may replace the process.
pub fn limit(options: &Options) -> Result<()> {
    let wanted = options.threads.to_string();
    if options.threads_given && std::env::var(POLARS).as_deref() != Ok(&wanted) {
        let program = std::env::current_exe().context("cannot find this executable")?;
        let error = Command::new(program).args(std::env::args_os().skip(1)).env(POLARS, &wanted).exec();
        return Err(error).context("cannot start again with the number of threads wanted");
    }
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).build_global().context("cannot start threads")
}
