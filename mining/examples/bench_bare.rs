//! The bare loop beside `mine keywords`: reads the texts of an archive's pages, cuts them into words, and counts the words of each
//! document and the documents of each word, on one thread. No weights, no order, no table, nothing kept; only what no program that
//! weighs terms can leave out. Run by `bench/mine.py`.
//!
//! usage: bench_bare DATA
#![allow(missing_docs, reason = "an executable")]

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result};
use polars::prelude::{ParquetReader, SerReader};
use unicode_segmentation::UnicodeSegmentation;

fn main() -> Result<()> {
    let data = std::env::args_os().nth(1).map(PathBuf::from).context("usage: bench_bare DATA")?;
    let catalogue = archive::Catalogue::read(&archive::DataDir::new(&data))?;
    let mut df: HashMap<String, u32> = HashMap::new();
    let (mut documents, mut cells) = (0u64, 0u64);
    for segment in catalogue.segments(archive::DataSet::Pages, None, None) {
        let columns = Some(vec!["text".to_owned()]);
        let frame = ParquetReader::new(File::open(&segment.path)?).with_columns(columns).finish()?;
        for text in frame.column("text")?.str()?.iter() {
            let mut counts: HashMap<String, u32> = HashMap::new();
            for word in text.unwrap_or_default().unicode_words() {
                *counts.entry(word.to_lowercase()).or_default() += 1;
            }
            documents += 1;
            cells += counts.len() as u64;
            for term in counts.into_keys() {
                *df.entry(term).or_default() += 1;
            }
        }
    }
    println!("{documents} {cells} {}", df.len());
    Ok(())
}
