//! What the demo shows of the reports: top terms, top pages by PageRank, where the pages are.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::line::relative;

/// Rows that are shown of each.
const TOP: usize = 10;

/// Prints them for the newest finished run of each miner.
pub(crate) fn print(data: &Path) -> anyhow::Result<()> {
    let (terms, links) = (newest(data, "terms")?, newest(data, "links")?);
    println!("\nTop terms:");
    for row in top(&terms.join("terms.csv"), &["term", "lang", "tf", "df"], "tf")? {
        println!("  {:>8} times in {:>6} pages  {} ({})", row[2], row[3], row[0], row[1]);
    }
    println!("\nTop pages by PageRank:");
    for row in top(&links.join("pages.csv"), &["pagerank", "in_degree", "url"], "pagerank")? {
        let rank = row[0].parse::<f64>().map_or_else(|_| row[0].clone(), |rank| format!("{rank:.6}"));
        println!("  {rank}  {:>6} links  {}", row[1], row[2]);
    }
    println!("\nReports:");
    for folder in [terms, links] {
        println!("  {}", relative(&folder.join("report.html")).display());
    }
    Ok(())
}

/// The newest finished run of a miner: reports/<miner>/<span>/run=<UUIDv7>, whose ids sort by time.
fn newest(data: &Path, miner: &str) -> anyhow::Result<PathBuf> {
    let root = data.join("reports").join(miner);
    let folders = |of: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(of).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let runs = folders(&root).into_iter().flat_map(|span| folders(&span));
    let finished = runs.filter(|run| run.join("_SUCCESS").is_file());
    let newest = finished.max_by_key(|run| run.file_name().map(std::ffi::OsStr::to_os_string));
    newest.with_context(|| format!("{} has no finished report", relative(&root).display()))
}

/// The first rows by one column, largest first, reduced to the named columns.
fn top(file: &Path, columns: &[&str], by: &str) -> anyhow::Result<Vec<Vec<String>>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| format!("cannot read {}", file.display()))?;
    let names = reader.headers().with_context(|| format!("cannot read {}", file.display()))?.clone();
    let place = |name: &str| {
        names.iter().position(|it| it == name).with_context(|| format!("{} has no column {name}", file.display()))
    };
    let (by, places) = (place(by)?, columns.iter().map(|name| place(name)).collect::<anyhow::Result<Vec<_>>>()?);
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.with_context(|| format!("cannot read {}", file.display()))?;
        let weight: f64 = row.get(by).and_then(|cell| cell.parse().ok()).unwrap_or(0.0);
        rows.push((weight, places.iter().map(|at| row.get(*at).unwrap_or_default().to_string()).collect::<Vec<_>>()));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(rows.into_iter().take(TOP).map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_newest_finished_run_counts_whatever_its_span() {
        let data = tempfile::tempdir().unwrap();
        for (run, finished) in
            [("day=2026-11-20/run=2", true), ("from=a,to=b/run=3", true), ("day=2026-11-21/run=4", false)]
        {
            let run = data.path().join("reports/terms").join(run);
            std::fs::create_dir_all(&run).unwrap();
            if finished {
                std::fs::write(run.join("_SUCCESS"), "").unwrap();
            }
        }
        assert!(newest(data.path(), "terms").unwrap().ends_with("from=a,to=b/run=3"));
        assert!(newest(data.path(), "links").unwrap_err().to_string().contains("no finished report"));
    }

    #[test]
    fn top_rows_come_by_number_with_their_quotes_removed() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("terms.csv");
        std::fs::write(&file, "tf,term\n9,a\n100,\"b, \"\"c\"\"\"\n20,d\n").unwrap();
        assert_eq!(top(&file, &["term"], "tf").unwrap(), [["b, \"c\""], ["d"], ["a"]]);
        assert!(top(&file, &["df"], "tf").unwrap_err().to_string().contains("no column df"));
    }
}
