//! `etl extract` beside parsing alone with `scraper`, on the same pages: MB of HTML per CPU-second.
//!
//! usage: bench_extract [FOLDER [MB [RUNS]]] — by default 100 MB of the Rust documentation, 5 runs, the median counts.
//! Extract reads Parquet, parses, finds links, text, language and words, and writes three Parquet files; the peer only parses
//! text that is in memory, on as many threads: two processors of one core do less in a CPU-second each when both are busy.
//! Build first: `cargo build --release --workspace --bin etl --examples`.
#![allow(missing_docs, reason = "an executable")]

#[path = "bench/mod.rs"]
mod bench;

use anyhow::Result;
use rayon::prelude::*;

fn main() -> Result<()> {
    let (folder, limit, runs) = bench::arguments()?;
    let pages = bench::pages(&folder, limit)?;
    let megabytes = pages.iter().map(|(_, body)| body.len()).sum::<usize>() as f64 / 1e6;
    let data = tempfile::tempdir()?;
    bench::fill(data.path(), &pages)?;
    bench::etl(data.path(), &["stage", "--once"])?;
    let (mut extract, mut parse, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..=runs {
        let done = bench::etl(data.path(), &["extract", "--force"])?;
        extract.push(megabytes / done["cpu_seconds"].as_f64().unwrap_or(f64::NAN));
        peak = peak.max(done["peak_memory"].as_u64().unwrap_or(0));
        let before = bench::cpu();
        pages.par_iter().with_max_len(1).for_each(|(_, body)| {
            let text = String::from_utf8_lossy(body);
            std::hint::black_box(scraper::Html::parse_document(&text));
        });
        parse.push(megabytes / (bench::cpu() - before));
    }
    // The first of each warms up.
    let (extract, parse) = (bench::median(extract.split_off(1)), bench::median(parse.split_off(1)));
    println!("{} pages, {megabytes:.0} MB", pages.len());
    println!("etl extract              {extract:7.1} MB per CPU-second, peak memory {:.0} MB", peak as f64 / 1e6);
    println!("scraper, parsing alone   {parse:7.1} MB per CPU-second");
    println!("ratio                    {:7.2}", extract / parse);
    Ok(())
}
