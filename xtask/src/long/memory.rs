//! Peak memory of each program over the whole Rust documentation, against the limits that were promised.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::{Done, Outcome, shown};
use crate::line::Line;
use crate::process;
use crate::workspace::Workspace;

/// Step of the demo, and its limit in bytes.
const LIMITS: [(&str, u64); 5] = [
    ("crawl", 200_000_000),
    ("stage", 256_000_000),
    ("extract", 512_000_000),
    ("terms", 1_000_000_000),
    ("links", 1_000_000_000),
];

/// Runs the demo over all of it.
pub(crate) fn check(workspace: &Workspace, xtask: &Path, built: bool) -> anyhow::Result<Done> {
    let data = workspace.target.join("memory");
    let _ = std::fs::remove_dir_all(&data);
    let line = Line::new(xtask).args(["demo", "--pages", "1000000", "--port", "0", "--data"]).arg(&data);
    let line = if built { line.arg("--built") } else { line }.dir(&workspace.root);
    let (status, text) = process::capture(&line)?;
    anyhow::ensure!(status.success(), "`{}` failed: {}\n{text}", shown(&line), process::told(status));
    let file = data.join("demo-steps.json");
    let steps = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let breaches = breaches(&serde_json::from_str(&steps).context("the demo's steps are not JSON")?);
    let _ = std::fs::remove_dir_all(&data);
    let outcome = if breaches.is_empty() { Outcome::Passed } else { Outcome::Failed };
    Ok((shown(&line), outcome, format!("{text}\n{}", breaches.join("\n"))))
}

/// What is over its limit, or was not measured.
fn breaches(steps: &Value) -> Vec<String> {
    let peak = |name: &str| {
        let step = steps.as_array()?.iter().find(|step| step["step"] == name)?;
        step["peak_memory"].as_u64()
    };
    let judge = |(name, limit): (&str, u64)| match peak(name) {
        Some(peak) if peak <= limit => None,
        Some(peak) => Some(format!("{name} used {} MB, over its limit of {} MB", peak / 1_000_000, limit / 1_000_000)),
        None => Some(format!("the peak of {name} was not measured")),
    };
    LIMITS.into_iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_peak_over_the_limit_and_a_missing_one_are_breaches() {
        let step = |name: &str, peak: u64| json!({ "step": name, "peak_memory": peak });
        let all: Vec<Value> = LIMITS.iter().map(|(name, limit)| step(name, *limit)).collect();
        assert_eq!(breaches(&json!(all)), Vec::<String>::new());
        let found =
            breaches(&json!([step("crawl", 300_000_000), step("stage", 1), step("extract", 1), step("terms", 1)]));
        assert_eq!(found, ["crawl used 300 MB, over its limit of 200 MB", "the peak of links was not measured"]);
    }
}
