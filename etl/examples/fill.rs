//! Fills the embedded log of a data directory with the pages of a folder, as if a spider had fetched them.
//!
//! usage: fill DATA [FOLDER [MB]] — by default 100 MB of the Rust documentation.
#![allow(missing_docs, reason = "an executable")]

#[path = "bench/mod.rs"]
mod bench;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let data = std::path::PathBuf::from(std::env::args().nth(1).context("usage: fill DATA [FOLDER [MB]]")?);
    let (folder, limit, _) = bench::arguments_from(2)?;
    let pages = bench::pages(&folder, limit)?;
    bench::fill(&data, &pages)?;
    println!("{} pages from {} are in {}", pages.len(), folder.display(), data.join("bus.db").display());
    Ok(())
}
