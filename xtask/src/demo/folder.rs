//! The demo's data directory: continued, or started afresh, and never anybody else's removed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::line::relative;

/// Stands in the directory and says whose it is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    /// The folder that was served, or the seeds.
    source: String,
}

const MARKER: &str = "demo.json";

/// The directory, and what was found there.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    found: Found,
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Earlier,
    Removed,
}

impl Folder {
    /// Makes the directory ready for a demo of `source`. Fails when it holds something else.
    pub(crate) fn open(path: &Path, source: &str, fresh: bool) -> anyhow::Result<Folder> {
        let marker = read(path)?;
        let empty =
            std::fs::read_dir(path).map_or(Ok(true), |mut entries| entries.next().is_none().then_some(true).ok_or(()));
        let shown = relative(path).display().to_string();
        let found = match (&marker, empty.is_ok()) {
            (None, true) => Found::Nothing,
            (None, false) => anyhow::bail!(
                "{shown} has data that is not the demo's, which touches only its own; give another folder with --data"
            ),
            (Some(_), _) if fresh => {
                std::fs::remove_dir_all(path).with_context(|| format!("cannot remove {shown}"))?;
                Found::Removed
            }
            (Some(earlier), _) if earlier.source != source => anyhow::bail!(
                "{shown} holds a demo of {}; --fresh removes it, --data DIR keeps it and goes elsewhere",
                earlier.source
            ),
            (Some(_), _) => Found::Earlier,
        };
        std::fs::create_dir_all(path).with_context(|| format!("cannot make {shown}"))?;
        let text = serde_json::to_string(&Marker { source: source.into() }).context("the marker is no JSON")?;
        // the marker goes first, so whatever a crash leaves is known as the demo's
        std::fs::write(path.join(MARKER), text + "\n").with_context(|| format!("cannot write to {shown}"))?;
        Ok(Folder { path: path.into(), found })
    }

    /// Says what is about to happen.
    pub(crate) fn tell(&self) {
        let path = relative(&self.path);
        match self.found {
            Found::Nothing => println!("Starts in {}.", path.display()),
            Found::Removed => {
                println!("Starts afresh in {}: what an earlier demo left there is removed.", path.display())
            }
            Found::Earlier => println!("Continues in {} (--fresh starts afresh).", path.display()),
        }
    }

    /// Notes what the steps took, and says how to go on.
    pub(crate) fn finished(&self, steps: &serde_json::Value) -> anyhow::Result<()> {
        let file = self.path.join("demo-steps.json");
        std::fs::write(&file, format!("{steps}\n")).with_context(|| format!("cannot write {}", file.display()))?;
        let path = relative(&self.path);
        println!("\nGo on by hand with the commands above, or look around: etl ls --data {}", path.display());
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Marker>> {
    let file = path.join(MARKER);
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_demo_is_continued_until_it_is_started_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("demo");
        assert_eq!(Folder::open(&data, "/docs", false).unwrap().found, Found::Nothing);
        std::fs::write(data.join("bus.db"), "records").unwrap();
        assert_eq!(Folder::open(&data, "/docs", false).unwrap().found, Found::Earlier);
        let other = Folder::open(&data, "/other", false).unwrap_err().to_string();
        assert!(other.contains("holds a demo of /docs"), "{other}");
        assert!(data.join("bus.db").exists());
        assert_eq!(Folder::open(&data, "/other", true).unwrap().found, Found::Removed);
        assert!(!data.join("bus.db").exists());
    }

    #[test]
    fn a_folder_that_is_not_the_demos_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.txt"), "mine").unwrap();
        for fresh in [false, true] {
            let error = Folder::open(folder.path(), "/docs", fresh).unwrap_err().to_string();
            assert!(error.contains("not the demo's"), "{error}");
        }
        assert!(folder.path().join("thesis.txt").exists());
    }
}
