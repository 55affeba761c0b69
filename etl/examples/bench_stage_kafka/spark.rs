//! Spark Structured Streaming as a peer: bench/spark_stage.py.

use std::path::Path;
use std::process::Command;

/// What Spark has said.
pub struct Ran {
    /// Of the query, once the JVM was warm.
    pub seconds: f64,
    /// Until the session stood.
    pub session: f64,
}

/// Runs it; none, with a line that says why, where it cannot be run.
pub fn run(python: &Path, jars: &Path, hosts: &str, topic: &str, folder: &Path, records: usize) -> Option<Ran> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/spark_stage.py");
    let output = Command::new(python).arg(script).args([hosts, topic]).arg(jars).arg(folder).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let said: Option<serde_json::Value> = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    let Some(said) = said.filter(|_| output.status.success()) else {
        let errors = String::from_utf8_lossy(&output.stderr);
        eprintln!("Spark failed: {}", errors.lines().last().unwrap_or_default());
        return None;
    };
    let number = |name: &str| said[name].as_f64().unwrap_or(f64::NAN);
    assert_eq!(said["rows"].as_u64(), Some(records as u64), "Spark has read all of it");
    Some(Ran { seconds: number("seconds"), session: number("session") })
}
