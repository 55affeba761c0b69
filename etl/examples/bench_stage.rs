//! `etl stage --once` beside writing the same rows to Parquet from memory: MB of records per CPU-second.
//!
//! usage: bench_stage [FOLDER [MB [RUNS]]] — by default 100 MB of the Rust documentation, 5 runs, the median counts.
//! Stage reads the embedded log, checks every body's hash, hashes rows and files, and syncs; the peer has all in memory and
//! writes one file of the same columns with the same compression. Build first: `cargo build --release --workspace --bin etl --examples`.
#![allow(missing_docs, reason = "an executable")]

#[path = "bench/mod.rs"]
mod bench;

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

fn main() -> Result<()> {
    let (folder, limit, runs) = bench::arguments()?;
    let pages = bench::pages(&folder, limit)?;
    let megabytes = pages.iter().map(|(_, body)| body.len()).sum::<usize>() as f64 / 1e6;
    let (mut stage, mut write, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..=runs {
        let data = tempfile::tempdir()?;
        bench::fill(data.path(), &pages)?;
        let done = bench::etl(data.path(), &["stage", "--once"])?;
        stage.push(megabytes / done["cpu_seconds"].as_f64().unwrap_or(f64::NAN));
        peak = peak.max(done["peak_memory"].as_u64().unwrap_or(0));
        let before = bench::cpu();
        write_alone(&data.path().join("alone.parquet"), &pages)?;
        write.push(megabytes / (bench::cpu() - before));
    }
    // The first of each warms up.
    let (stage, write) = (bench::median(stage.split_off(1)), bench::median(write.split_off(1)));
    println!("{} records, {megabytes:.0} MB", pages.len());
    println!("etl stage --once         {stage:7.1} MB per CPU-second, peak memory {:.0} MB", peak as f64 / 1e6);
    println!("Parquet from memory      {write:7.1} MB per CPU-second");
    println!("ratio                    {:7.2}", stage / write);
    Ok(())
}

/// Rows of id, URL, host, hash, size and body: less than stage writes.
fn write_alone(path: &std::path::Path, pages: &[(String, Vec<u8>)]) -> Result<()> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_column_dictionary_enabled("body".into(), false)
        .build();
    let mut writer: Option<ArrowWriter<std::fs::File>> = None;
    for chunk in pages.chunks(64) {
        let text = |value: fn(&(String, Vec<u8>)) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(chunk.iter().map(value)))
        };
        let batch = RecordBatch::try_from_iter([
            ("id", text(|_| uuid::Uuid::now_v7().to_string())),
            ("url", text(|(url, _)| url.clone())),
            ("host", text(|_| "docs.example".into())),
            (
                "size",
                Arc::new(Int64Array::from_iter_values(chunk.iter().map(|(_, body)| body.len() as i64))) as ArrayRef,
            ),
            ("body", Arc::new(BinaryArray::from_iter_values(chunk.iter().map(|(_, body)| body))) as ArrayRef),
        ])?;
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                let file = std::fs::File::create(path)?;
                none.insert(ArrowWriter::try_new(file, batch.schema(), Some(properties.clone()))?)
            }
        };
        writer.write(&batch)?;
        if writer.in_progress_size() > 48 << 20 {
            writer.flush()?;
        }
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}
