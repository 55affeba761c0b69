//! One step: a command line, how it ended, and what it says of itself.

use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::line::Line;
use crate::{exit, interrupt, process};

/// How a step ended, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Partly,
    Busy,
    Interrupted,
}

/// A step that ran.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) ended: Ended,
    records: Option<u64>,
    bytes: Option<u64>,
    seconds: f64,
    peak: Option<u64>,
}

impl Step {
    /// Prints the command line and runs it. Its summary is the last line of JSON on its standard output.
    pub(crate) fn run(name: &'static str, line: &Line) -> anyhow::Result<Step> {
        interrupt::check()?;
        line.print();
        let began = Instant::now();
        let (status, text, peak) = process::capture_measured(line)?;
        let took = began.elapsed().as_secs_f64();
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        let ended = match code {
            Some(exit::DONE) => Ended::Well,
            Some(exit::PARTLY) => Ended::Partly,
            Some(exit::BUSY) => Ended::Busy,
            Some(exit::INTERRUPTED) => Ended::Interrupted,
            _ => anyhow::bail!("`{line}` failed: {}", process::told(status)),
        };
        let said = Said::read(&summary(&text));
        let (seconds, peak) = (said.seconds.unwrap_or(took), said.peak.or(peak));
        Ok(Step { name, ended, records: said.records, bytes: said.bytes, seconds, peak })
    }
}

/// What a program says of its own work.
#[derive(Debug, Default)]
struct Said {
    records: Option<u64>,
    bytes: Option<u64>,
    seconds: Option<f64>,
    peak: Option<u64>,
}

impl Said {
    /// From the summary; a miner's names its report, whose manifest says what it read.
    fn read(summary: &Value) -> Said {
        let manifest = summary["path"].as_str().map(|path| Path::new(path).join("manifest.json"));
        let manifest = manifest.and_then(|file| std::fs::read_to_string(file).ok());
        if let Some(manifest) = manifest.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            let inputs = manifest["inputs"].as_array();
            let sum = |key: &str| inputs.map(|files| files.iter().filter_map(|file| file[key].as_u64()).sum());
            return Said {
                records: sum("rows"),
                bytes: sum("bytes"),
                seconds: manifest["wall_seconds"].as_f64(),
                peak: manifest["peak_memory"].as_u64(),
            };
        }
        // each program counts what it made: the spider artefacts, extract pages
        let first = |keys: &[&str]| keys.iter().find_map(|key| summary[key].as_u64());
        Said {
            records: first(&["records", "artefacts", "pages"]),
            bytes: first(&["bytes"]),
            seconds: summary["seconds"].as_f64(),
            peak: first(&["peak_memory", "peak_memory_bytes"]),
        }
    }
}

/// The JSON object that was written: all of it, or else the last line that is one.
fn summary(text: &str) -> Value {
    let whole = serde_json::from_str::<Value>(text).ok();
    let last = || text.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object));
    whole.or_else(last).unwrap_or_default()
}

/// All steps for machines.
pub(crate) fn json(steps: &[Step]) -> Value {
    let one = |step: &Step| {
        serde_json::json!({ "step": step.name, "records": step.records, "bytes": step.bytes,
            "seconds": step.seconds, "peak_memory": step.peak })
    };
    steps.iter().map(one).collect()
}

/// The table of all steps.
pub(crate) fn table(steps: &[Step]) -> String {
    let mut text =
        format!("{:<10} {:>10} {:>12} {:>10} {:>12}\n", "step", "records", "bytes", "seconds", "peak memory");
    for step in steps {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        let records = or_dash(step.records.map(grouped));
        let (bytes, peak) = (or_dash(step.bytes.map(size)), or_dash(step.peak.map(size)));
        let partly = if step.ended == Ended::Partly { "  partly done: see above" } else { "" };
        let row = format!("{:<10} {records:>10} {bytes:>12} {:>10.1} {peak:>12}{partly}\n", step.name, step.seconds);
        text.push_str(&row);
    }
    text
}

/// A number for a person: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes for a person: `31.2 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn shell(script: &str) -> anyhow::Result<Step> {
        Step::run("try", &Line::new("sh").args(["-c", script]))
    }

    #[test]
    fn a_summary_is_read_whether_it_is_one_line_or_many() {
        let step = shell(r#"echo '{"url":"x"}'; echo '{"records": 12, "bytes": 3400000, "seconds": 1.5}'"#).unwrap();
        assert!(table(&[step]).contains("try                12       3.4 MB        1.5"));
        let step = shell(r#"printf '{\n "records": 7,\n "bytes": 1\n}\n'; exit 3"#).unwrap();
        assert_eq!((step.ended, step.records, step.bytes), (Ended::Partly, Some(7), Some(1)));
        let step = shell("echo no summary").unwrap();
        assert_eq!((step.ended, step.records), (Ended::Well, None));
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_miners_figures_come_from_its_manifest() {
        let run = tempfile::tempdir().unwrap();
        let manifest =
            r#"{"inputs":[{"rows":3,"bytes":10},{"rows":4,"bytes":20}],"wall_seconds":2.5,"peak_memory":99}"#;
        std::fs::write(run.path().join("manifest.json"), manifest).unwrap();
        let said = Said::read(&serde_json::json!({ "path": run.path(), "rows": { "terms": 1 } }));
        assert_eq!((said.records, said.bytes, said.seconds, said.peak), (Some(7), Some(30), Some(2.5), Some(99)));
    }

    #[test]
    fn exit_codes_are_told_apart() {
        assert_eq!(shell("exit 75").unwrap().ended, Ended::Busy);
        assert_eq!(shell("exit 130").unwrap().ended, Ended::Interrupted);
        assert!(shell("exit 1").unwrap_err().to_string().ends_with("failed: exit code 1"));
    }
}
