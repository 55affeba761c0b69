//! Where rows go: a table for people, CSV, JSON lines, Parquet.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use polars::prelude::{AnyValue, DataFrame, DataType, Schema};
use program::Misuse;

use super::value;
use crate::report::{Pieces, defused};

/// How rows come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// RFC 4180.
    Csv,
    /// One object a line.
    Json,
    /// A Parquet file.
    Parquet,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "table" => Ok(Format::Table),
            "csv" => Ok(Format::Csv),
            "json" | "jsonl" | "ndjson" => Ok(Format::Json),
            "parquet" => Ok(Format::Parquet),
            _ => Err(format!("`{text}` is not table, csv, json or parquet")),
        }
    }
}

/// The format as given, else by the ending of the file, else a table (with the common flag `--json`, JSON).
pub fn chosen(given: Option<Format>, file: Option<&Path>, json: bool) -> Result<Format, Misuse> {
    let ending = || file?.extension()?.to_str()?.parse().ok();
    let format = given.or_else(ending).unwrap_or(if json { Format::Json } else { Format::Table });
    if format == Format::Parquet && file.is_none() {
        return Err(Misuse::new("--format parquet needs a file: --output FILE.parquet"));
    }
    Ok(format)
}

/// Takes rows.
pub struct Output {
    kind: Kind,
    path: Option<PathBuf>,
    rows: u64,
}

enum Kind {
    Table { rows: Vec<DataFrame>, top: usize, out: Box<dyn Write> },
    Csv(Box<csv::Writer<Box<dyn Write>>>),
    Json(Box<dyn Write>),
    Parquet(Box<Pieces>),
}

impl Output {
    /// Opens the file, which must not exist, or takes standard output.
    pub fn new(format: Format, path: Option<&Path>, schema: &Schema, top: usize) -> Result<Output> {
        let out = || -> Result<Box<dyn Write>> {
            Ok(match path {
                Some(path) => {
                    let file = File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
                    Box::new(BufWriter::new(file))
                }
                None => Box::new(BufWriter::new(io::stdout())),
            })
        };
        let kind = match (format, path) {
            (Format::Table, _) => Kind::Table { rows: Vec::new(), top, out: out()? },
            (Format::Csv, _) => {
                let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out()?);
                writer.write_record(schema.iter_names().map(|name| name.as_str())).map_err(plain)?;
                Kind::Csv(Box::new(writer))
            }
            (Format::Json, _) => Kind::Json(out()?),
            (Format::Parquet, path) => {
                let path = path.context("bug: no file for Parquet")?;
                let file = Pieces::create(path, schema);
                Kind::Parquet(Box::new(file.with_context(|| format!("cannot create {}", path.display()))?))
            }
        };
        Ok(Output { kind, path: path.map(Path::to_owned), rows: 0 })
    }

    /// How many rows are wanted; none for all.
    pub fn most_rows(&self) -> Option<usize> {
        match &self.kind {
            Kind::Table { top, .. } => Some(*top),
            _ => None,
        }
    }

    /// Takes some rows.
    pub fn write(&mut self, batch: DataFrame) -> Result<()> {
        if batch.height() == 0 {
            return Ok(());
        }
        self.rows += batch.height() as u64;
        match &mut self.kind {
            Kind::Table { rows, .. } => rows.push(batch),
            Kind::Csv(writer) => {
                for row in 0..batch.height() {
                    for column in batch.columns() {
                        let value = column.get(row)?;
                        let cell = value::text(&value, true);
                        let cell = if value.get_str().is_some() { defused(&cell).into_owned() } else { cell };
                        writer.write_field(cell).map_err(plain)?;
                    }
                    writer.write_record(None::<&[u8]>).map_err(plain)?;
                }
            }
            Kind::Json(out) => {
                for row in 0..batch.height() {
                    // By hand, so that columns keep their order.
                    for (number, column) in batch.columns().iter().enumerate() {
                        out.write_all(if number == 0 { b"{" } else { b"," })?;
                        serde_json::to_writer(&mut *out, column.name().as_str())?;
                        out.write_all(b":")?;
                        serde_json::to_writer(&mut *out, &value::json(&column.get(row)?))?;
                    }
                    out.write_all(b"}\n")?;
                }
            }
            Kind::Parquet(file) => file.write(batch)?,
        }
        Ok(())
    }

    /// Writes what waits; says on standard error what a file holds.
    pub fn finish(self, schema: &Schema) -> Result<()> {
        let rows = self.rows;
        match self.kind {
            Kind::Table { rows: batches, top, mut out } => {
                let text = table(&batches, schema, top)?;
                match &self.path {
                    None => text.print()?,
                    Some(_) => write!(out, "{text}")?,
                }
                out.flush()?;
                if rows > top as u64 {
                    eprintln!("… and more rows: --top N, or --format csv");
                }
            }
            Kind::Csv(mut writer) => writer.flush()?,
            Kind::Json(mut out) => out.flush()?,
            Kind::Parquet(file) => file.finish()?,
        }
        if let Some(path) = self.path {
            let file = File::open(&path).and_then(|file| file.sync_all());
            file.with_context(|| format!("cannot sync {}", path.display()))?;
            eprintln!("{} rows: {}", crate::report::grouped(rows as i64), path.display());
        }
        Ok(())
    }
}

/// What went wrong below the writer of CSV, which keeps it to itself: a closed pipe ends a run quietly.
fn plain(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("cannot write CSV: {other:?}"),
    }
}

fn table(batches: &[DataFrame], schema: &Schema, top: usize) -> Result<program::Table> {
    let names: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
    let mut table = program::Table::with_columns(&names);
    for (number, (_, dtype)) in schema.iter().enumerate() {
        if dtype.is_numeric() {
            table = table.right(number);
        }
    }
    let number = |value: &AnyValue<'_>, dtype: &DataType| match (value, dtype) {
        (AnyValue::Int64(n), _) => crate::report::grouped(*n),
        (AnyValue::Float64(x), _) => crate::report::score(*x),
        _ => value::text(value, false),
    };
    let rows = batches.iter().flat_map(|batch| (0..batch.height()).map(move |row| (batch, row)));
    for (batch, row) in rows.take(top) {
        let cells = batch.columns().iter().map(|column| Ok(number(&column.get(row)?, column.dtype())));
        table.push(cells.collect::<Result<_>>()?);
    }
    Ok(table)
}
