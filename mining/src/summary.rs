//! What a run says on standard output: a table for people, or one JSON object for machines.

use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::findings::{Cell, Findings};
use crate::report::{Written, grouped, score};
use crate::source::ShareDone;

/// Prints the summary of a finished run.
pub fn print(written: &Written, findings: &Findings, as_json: bool) -> Result<()> {
    let run = &written.run;
    let mut out = std::io::stdout().lock();
    if as_json {
        serde_json::to_writer_pretty(&mut out, &machine(written, findings)?)?;
        writeln!(out)?;
        return Ok(());
    }
    for fact in &findings.facts {
        writeln!(out, "{}: {}", fact.name, human(&fact.value))?;
    }
    writeln!(out)?;
    let view = &findings.summary;
    let numeric = |column: usize| view.rows.iter().all(|row| matches!(row[column], Cell::Int(_) | Cell::Float(_)));
    let mut table = program::Table::with_columns(&view.columns);
    for column in (0..view.columns.len()).filter(|&c| numeric(c)) {
        table = table.right(column);
    }
    for row in &view.rows {
        table.push(row.iter().map(human).collect());
    }
    table.print()?;
    writeln!(out, "\nreport: {}", run.path.join("report.html").display())?;
    Ok(())
}

/// Prints that a share of the work is done.
pub fn share(done: ShareDone, as_json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", json!({ "made": done.made, "share": done.share, "all": done.all }))?;
    } else {
        writeln!(out, "{done}")?;
    }
    Ok(())
}

fn human(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Int(n) => grouped(*n),
        Cell::Float(x) => score(*x),
        Cell::Page { url, .. } => url.clone(),
        Cell::File { path, .. } => path.clone(),
    }
}

fn machine(written: &Written, findings: &Findings) -> Result<Value> {
    let run = &written.run;
    let value = |cell: &Cell| match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Int(n) => json!(n),
        Cell::Float(x) => json!(x),
        Cell::Page { url, .. } => json!(url),
        Cell::File { path, .. } => json!(path),
    };
    let columns = &findings.summary.columns;
    let top: Vec<Map<String, Value>> = findings
        .summary
        .rows
        .iter()
        .map(|row| columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), value(cell))).collect())
        .collect();
    let facts: Map<String, Value> = findings.facts.iter().map(|f| (f.name.to_owned(), value(&f.value))).collect();
    let rows: Map<String, Value> = written.rows.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows))).collect();
    Ok(json!({
        "miner": run.miner,
        "run": run.run,
        "path": run.path,
        "report": run.path.join("report.html"),
        "facts": facts,
        "rows": rows,
        "top": top,
    }))
}
