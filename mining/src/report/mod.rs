//! The report folder of a run: Parquet and CSV tables, the page, the manifest, `_SUCCESS`.
//!
//! It is written under a hidden name and gets its own when all of it is there and synced, so a reader sees a whole run or
//! none.

mod csv;
mod format;
mod inputs;
mod parquet;

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use archive::{FileEntry, Manifest, Run, RunDir};
use chrono::{DateTime, SecondsFormat, Utc};
use program::Usage;

pub use format::{grouped, score};

use crate::findings::Findings;
use crate::html;
use crate::miner::Miner;
use crate::options::Options;
use crate::source::Source;

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

/// Writes a run's folder.
pub fn write(options: &Options, miner: &Miner, source: &Source, findings: &Findings, started: Started) -> Result<Run> {
    let span = source.span();
    let dir = RunDir::create(&options.out, miner.name, span)?;
    let mut outputs = Vec::new();
    let mut files = Vec::new();
    for table in &findings.tables {
        let (rows, shown) = (table.frame.height(), table.frame.height().min(options.csv_rows));
        let name = format!("{}.parquet", table.spec.name);
        parquet::write(&dir.path().join(&name), &table.frame).with_context(|| format!("cannot write {name}"))?;
        files.push((name.clone(), format!("{}; {} rows", table.spec.doc, grouped(rows as i64))));
        outputs.push(FileEntry { path: name, rows: Some(rows as u64), ..FileEntry::default() });
        let name = format!("{}.csv", table.spec.name);
        csv::write(&dir.path().join(&name), &table.frame.head(Some(shown)))
            .with_context(|| format!("cannot write {name}"))?;
        let part =
            if shown < rows { format!("its first {} rows", grouped(shown as i64)) } else { "the same rows".to_owned() };
        files.push((name.clone(), part));
        outputs.push(FileEntry { path: name, rows: Some(shown as u64), ..FileEntry::default() });
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
    let manifest = manifest(options, source, outputs, started)?;
    dir.finish(manifest).context("cannot finish the report")
}

fn manifest(options: &Options, source: &Source, outputs: Vec<FileEntry>, started: Started) -> Result<Manifest> {
    let inputs = inputs::entries(source)?;
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
