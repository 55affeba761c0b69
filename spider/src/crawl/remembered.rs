//! Crawl-delays that robots.txt files asked for, kept on disk so that a host is not asked too early after a restart, before
//! its robots.txt was read again.
//!
//! One line of JSON each, appended when a delay is learnt. A kill leaves at worst a line cut short, which is skipped.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::frontier::Remembered;

/// Lines beyond which the file begins anew, with what was known at the start.
const MAX_LINES: usize = 100_000;

#[derive(Serialize, Deserialize)]
struct Line {
    host: String,
    delay_ms: u64,
}

/// The file.
#[derive(Debug)]
pub struct Delays {
    path: PathBuf,
    file: File,
}

impl Delays {
    /// Opens the file in the crawl's folder, and gives what it says.
    pub fn open(folder: &Path) -> Result<(Delays, Remembered)> {
        let path = folder.join("delays.jsonl");
        let text = match std::fs::read(&path) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let known: Remembered = lines.map(|l| (l.host, Duration::from_millis(l.delay_ms))).collect();
        let mut text = text;
        if text.lines().count() > MAX_LINES {
            text = known.iter().map(|(host, delay)| line(host, *delay)).collect();
            replace(folder, &path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let open = OpenOptions::new().create(true).append(true).open(&path);
        let file = open.with_context(|| format!("cannot open {}", path.display()))?;
        let mut delays = Delays { path, file };
        if !text.is_empty() && !text.ends_with('\n') {
            delays.file.write_all(b"\n").ok();
        }
        Ok((delays, known))
    }

    /// Notes a delay, before anything is asked of that host.
    pub fn note(&mut self, host: &str, delay: Duration) {
        let written = self.file.write_all(line(host, delay).as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(e) = written {
            tracing::warn!("{}: {e}; after a restart the Crawl-delay of {host} is learnt anew", self.path.display());
        }
    }
}

fn line(host: &str, delay: Duration) -> String {
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    serde_json::to_string(&Line { host: host.into(), delay_ms }).unwrap_or_default() + "\n"
}

/// Puts a new file in the place of an old one; a kill leaves either of them whole.
fn replace(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn delays_come_back_and_a_line_cut_short_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let (mut delays, known) = Delays::open(folder.path()).unwrap();
        assert!(known.is_empty());
        delays.note("a", Duration::from_secs(2));
        delays.note("b", Duration::from_millis(1500));
        delays.note("a", Duration::from_secs(3));
        delays.file.write_all(b"{\"host\":\"c\",\"de").unwrap();
        let (mut delays, known) = Delays::open(folder.path()).unwrap();
        assert_eq!(known.get("a"), Some(&Duration::from_secs(3)));
        assert_eq!(known.get("b"), Some(&Duration::from_millis(1500)));
        delays.note("d", Duration::from_secs(1));
        let (_, known) = Delays::open(folder.path()).unwrap();
        assert_eq!(known.len(), 3);
    }

    #[test]
    fn a_long_file_begins_anew_with_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("delays.jsonl");
        let text: String =
            (0..=MAX_LINES).map(|n| line(&format!("h{}", n % 7), Duration::from_millis(n as u64))).collect();
        std::fs::write(&path, text).unwrap();
        for _ in 0..2 {
            let (_, known) = Delays::open(folder.path()).unwrap();
            assert_eq!((known.len(), known["h3"]), (7, Duration::from_millis(99_998)));
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 7);
        }
    }
}
