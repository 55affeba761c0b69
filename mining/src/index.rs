//! `mine report`: an index page over all reports, beside them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use archive::{Manifest, Run};
use program::Common;
use serde_json::json;

use crate::findings::{Body, Cell, Fact, Section, View};
use crate::html;

/// Flags of `mine report`.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Folder of the reports [default: <data>/reports]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes `index.html` in the folder of the reports, in place of an older one.
pub fn run(flags: &Flags, common: &Common) -> Result<()> {
    let reports = flags.out.clone().unwrap_or_else(|| common.data.join("reports"));
    let mut runs = Run::list_in(&reports, None)?;
    anyhow::ensure!(
        !runs.is_empty(),
        "there are no reports in {}; make one with `mine terms` or `mine links`",
        reports.display()
    );
    runs.reverse();
    let path = reports.join("index.html");
    archive::write_replace(&path, page(&reports, &runs).as_bytes())?;
    let mut out = std::io::stdout().lock();
    if common.json {
        serde_json::to_writer_pretty(&mut out, &json!({ "index": path, "runs": runs.len() }))?;
        writeln!(out)?;
    } else {
        writeln!(out, "{} reports\nindex: {}", runs.len(), path.display())?;
    }
    Ok(())
}

/// The page: for each miner its runs, newest first.
fn page(reports: &Path, runs: &[Run]) -> String {
    let mut miners: Vec<&str> = runs.iter().map(|run| run.miner.as_str()).collect();
    miners.sort_unstable();
    miners.dedup();
    let sections: Vec<Section> = miners
        .iter()
        .map(|miner| {
            let rows = runs.iter().filter(|run| run.miner == *miner).map(|run| row(reports, run)).collect();
            Section {
                title: (*miner).to_owned(),
                note: "Newest first.".to_owned(),
                body: Body::Table(View {
                    columns: vec!["days", "finished", "report", "rows", "seconds", "peak MB"],
                    rows,
                }),
            }
        })
        .collect();
    html::page(&html::Page {
        title: "Reports",
        subtitle: "All finished runs of all miners.",
        facts: &[Fact::count("runs", runs.len()), Fact::count("miners", miners.len())],
        files: &[],
        sections: &sections,
    })
}

fn row(reports: &Path, run: &Run) -> Vec<Cell> {
    let report = run.path.join("report.html");
    let link = match report.strip_prefix(reports) {
        Ok(relative) if report.is_file() => {
            Cell::File { path: relative.to_string_lossy().into_owned(), name: run.run.clone() }
        }
        _ => Cell::Text(run.run.clone()),
    };
    let days = run.span.trim_start_matches("day=").trim_start_matches("from=").replace(",to=", " to ");
    // A run whose manifest cannot be read is still a run: its figures stay empty.
    let manifest: Option<Manifest> = run.manifest().with_context(|| run.path.display().to_string()).ok();
    let figures = match &manifest {
        Some(m) => [
            Cell::Text(m.finished.clone()),
            link,
            Cell::Int(
                m.outputs.iter().filter(|o| o.path.ends_with(".parquet")).filter_map(|o| o.rows).sum::<u64>() as i64
            ),
            Cell::Float((m.wall_seconds * 100.0).round() / 100.0),
            Cell::Int((m.peak_memory / 1_000_000) as i64),
        ],
        None => [Cell::Null, link, Cell::Null, Cell::Null, Cell::Null],
    };
    std::iter::once(Cell::Text(days)).chain(figures).collect()
}
