//! The report folder of a run: Parquet and CSV tables, the page, the manifest, `_SUCCESS`.
//!
//! It is written under a hidden name and gets its own when all of it is there and synced, so a reader sees a whole run or
//! none.

mod csv;
mod format;
mod inputs;
mod parquet;
mod pipeline;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use archive::{FileEntry, Manifest, Run, RunDir};
use chrono::{DateTime, SecondsFormat, Utc};
use polars::prelude::DataFrame;
use program::Usage;
use rayon::prelude::*;

pub use csv::defused;
pub use format::{grouped, score};
pub use parquet::Pieces;

use crate::findings::{Findings, Rows, Table};
use crate::html;
use crate::miner::Miner;
use crate::options::Options;
use crate::source::Source;

/// Bytes of rows that wait to be written at most, unless a sixteenth of the limit of memory is less.
const AHEAD: u64 = 128 << 20;

/// When the work began, by the wall and by the stop-watch.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    at: SystemTime,
    clock: Instant,
}

impl Started {
    /// Now.
    pub fn now() -> Started {
        Started { at: SystemTime::now(), clock: Instant::now() }
    }
}

/// A run that was written, with the rows of its tables by name.
#[derive(Debug)]
pub struct Written {
    /// The run.
    pub run: Run,
    /// Rows by table.
    pub rows: BTreeMap<&'static str, usize>,
}

/// Writes a run's folder.
pub fn write(
    options: &Options,
    miner: &Miner,
    source: &Source,
    findings: &mut Findings,
    started: Started,
) -> Result<Written> {
    let span = source.span();
    let dir = RunDir::create(&options.out, miner.name, span)?;
    let mut outputs = Vec::new();
    let mut files = Vec::new();
    let mut rows_of = BTreeMap::new();
    let whole = |table: &Table| match &table.rows {
        Rows::Whole(frame) => Some((format!("{}.parquet", table.spec.name), frame.clone())),
        Rows::Pieces(_) => None,
    };
    let wholes: Vec<(String, DataFrame)> = findings.tables.iter().filter_map(whole).collect();
    let write = |(name, frame): &(String, DataFrame)| {
        parquet::write(&dir.path().join(name), frame).with_context(|| format!("cannot write {name}"))
    };
    wholes.par_iter().try_for_each(write)?;
    for table in &mut findings.tables {
        let name = format!("{}.parquet", table.spec.name);
        let (rows, first) = write_table(&dir.path().join(&name), table, options, source)
            .with_context(|| format!("cannot write {name}"))?;
        rows_of.insert(table.spec.name, rows);
        let shown = first.height();
        files.push((name.clone(), format!("{}; {} rows", table.spec.doc, grouped(rows as i64))));
        outputs.push(FileEntry { path: name, rows: Some(rows as u64), ..FileEntry::default() });
        let name = format!("{}.csv", table.spec.name);
        csv::write(&dir.path().join(&name), &first).with_context(|| format!("cannot write {name}"))?;
        let part =
            if shown < rows { format!("its first {} rows", grouped(shown as i64)) } else { "the same rows".to_owned() };
        files.push((name.clone(), part));
        outputs.push(FileEntry { path: name, rows: Some(shown as u64), ..FileEntry::default() });
    }
    for extra in std::mem::take(&mut findings.files) {
        let file = std::fs::File::create_new(dir.path().join(&extra.name));
        let mut file = std::io::BufWriter::new(file.with_context(|| format!("cannot write {}", extra.name))?);
        (extra.write)(&mut file).with_context(|| format!("cannot write {}", extra.name))?;
        std::io::Write::flush(&mut file).with_context(|| format!("cannot write {}", extra.name))?;
        files.push((extra.name.clone(), extra.doc.to_owned()));
        outputs.push(FileEntry { path: extra.name, ..FileEntry::default() });
    }
    files.push((
        "manifest.json".to_owned(),
        "how this report was made: arguments, inputs, versions, time, memory".to_owned(),
    ));
    let days =
        if span.from() == span.to() { span.from().to_string() } else { format!("{} to {}", span.from(), span.to()) };
    let page = html::page(&html::Page {
        title: miner.about.split(':').next().unwrap_or(miner.name),
        subtitle: &format!("Days of the archive: {days}. Made by mine {}.", miner.name),
        facts: &findings.facts,
        files: &files,
        sections: &findings.sections,
    });
    std::fs::write(dir.path().join("report.html"), page).context("cannot write report.html")?;
    let manifest = manifest(options, inputs::entries(source)?, outputs, started)?;
    let run = dir.finish(manifest).context("cannot finish the report")?;
    Ok(Written { run, rows: rows_of })
}

/// Writes a table that is made in pieces; gives its number of rows and the first of them.
fn write_table(path: &Path, table: &mut Table, options: &Options, source: &Source) -> Result<(usize, DataFrame)> {
    let first = options.csv_rows;
    match &mut table.rows {
        Rows::Whole(frame) => Ok((frame.height(), frame.head(Some(first)))),
        Rows::Pieces(next) => {
            let file = parquet::Pieces::create(path, table.spec.empty().schema())?;
            let room = source.memory().map_or(AHEAD, |limit| (limit / 16).min(AHEAD)) as usize;
            let limits = pipeline::Limits { threads: source.side_by_side(), room, first };
            let next = || {
                source.go_on()?;
                next()
            };
            pipeline::write(file, table.spec, next, limits)
        }
    }
}

fn manifest(options: &Options, inputs: Vec<FileEntry>, outputs: Vec<FileEntry>, started: Started) -> Result<Manifest> {
    let utc = |time: SystemTime| DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true);
    let usage = Usage::now();
    let versions = [("kafkaspider", env!("CARGO_PKG_VERSION")), ("polars", polars::VERSION)];
    let versions = versions.map(|(name, version)| (name.to_owned(), version.to_owned()));
    Ok(Manifest {
        arguments: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
        versions: BTreeMap::from(versions),
        seed: options.seed,
        inputs,
        outputs,
        started: utc(started.at),
        finished: utc(SystemTime::now()),
        wall_seconds: started.clock.elapsed().as_secs_f64(),
        cpu_seconds: usage.cpu_seconds,
        peak_memory: usage.peak_memory_bytes,
        ..Manifest::default()
    })
}
