//! Lists what an archive and its bus hold, record by record, for checks that look at everything (`cargo xtask chaos`).
//!
//! usage: audit DATA… [kafka://…] — reads `DATA/artefacts/day=*/*.parquet` as any other program would, without the catalogue,
//! and the topic `artefacts` of the bus, by default `DATA/bus.db`. Prints lines of JSON: `file` (a segment, by its name), `row` (of the archive),
//! `record` (of the bus), `end` (of a partition of the bus), `left` (a file that lies under tmp).
#![allow(missing_docs, reason = "an executable")]

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

const COLUMNS: [&str; 5] = ["id", "url", "status", "partition", "offset"];

fn main() -> Result<()> {
    let (buses, folders): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("kafka://"));
    let first = folders.first().context("usage: audit DATA… [kafka://…]")?;
    let bus =
        buses.first().cloned().unwrap_or_else(|| PathBuf::from(first).join("bus.db").to_string_lossy().into_owned());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for data in folders.iter().map(PathBuf::from) {
        for day in listed(&data.join("artefacts"))? {
            for file in listed(&day)? {
                segment(&day, &file, &mut out)?;
            }
        }
        for folder in listed(&data.join("tmp"))? {
            for left in listed(&folder)? {
                writeln!(out, "{}", json!({ "left": left }))?;
            }
        }
    }
    records(&bus, &mut out)?;
    out.flush()?;
    Ok(())
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn segment(day: &Path, path: &Path, out: &mut impl Write) -> Result<()> {
    let text = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let open = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(open).with_context(|| format!("{}", path.display()))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let mut rows = 0;
    for batch in builder.with_projection(mask).build()? {
        let batch = batch.with_context(|| format!("cannot read {}", path.display()))?;
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("{}: no {name}", path.display()));
        let (id, url) = (column("id")?.as_string::<i32>(), column("url")?.as_string::<i32>());
        let number = |name: &str| column(name).map(|it| it.as_primitive::<Int64Type>());
        let (status, partition, offset) = (number("status")?, number("partition")?, number("offset")?);
        for i in 0..batch.num_rows() {
            let status = status.is_valid(i).then(|| status.value(i));
            let row = json!({ "id": id.value(i), "url": url.value(i), "status": status,
                "partition": partition.value(i), "offset": offset.value(i), "file": text(path) });
            writeln!(out, "{}", json!({ "row": row }))?;
            rows += 1;
        }
    }
    writeln!(out, "{}", json!({ "file": { "name": text(path), "day": text(day), "rows": rows } }))?;
    Ok(())
}

fn records(bus: &str, out: &mut impl Write) -> Result<()> {
    let bus = bus::Bus::open(bus, &bus::Options::default())?;
    let topic = bus::topic::artefacts();
    for partition in 0..topic.partitions {
        let offsets = bus.offsets(&topic.name, partition)?;
        writeln!(out, "{}", json!({ "end": { "partition": partition, "start": offsets.start, "end": offsets.end } }))?;
        let mut scan = bus.scan(&topic.name, partition, offsets.start)?;
        loop {
            let batch = scan.next_batch()?;
            if batch.is_empty() {
                break;
            }
            for record in batch {
                let text = |name: &str| record.record.headers.text(name).map(str::to_string);
                let row = json!({ "id": text("ce_id"), "partition": record.partition, "offset": record.offset,
                    "url": text("ce_subject"), "status": text("ce_status") });
                writeln!(out, "{}", json!({ "record": row }))?;
            }
        }
    }
    Ok(())
}
