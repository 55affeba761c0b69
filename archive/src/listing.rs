//! Looking into folders: what is there, without what writers left behind, and small JSON files.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::durable::{is_leftover, read_small};
use crate::{Day, Error, Result};

/// Largest JSON file of ours; a manifest names each input of a run.
const JSON_BYTES: u64 = 256 << 20;

/// Paths of all entries in order of their names, leftovers of writes left out; none when there is no folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(Error::io("cannot list", folder))?,
    };
    let mut paths = Vec::new();
    for entry in listed {
        let path = entry.map_err(Error::io("cannot list", folder))?.path();
        if !is_leftover(&name(&path)) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The files among the entries.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_file()).collect())
}

/// Days of which a folder has a folder, `day=2026-11-21`; none when it is not there.
///
/// # Errors
///
/// [`Error::Io`].
pub fn days_in(folder: &Path) -> Result<BTreeSet<Day>> {
    let day = |path: &PathBuf| name(path).strip_prefix("day=").and_then(|day| day.parse::<Day>().ok());
    Ok(entries(folder)?.iter().filter_map(day).collect())
}

/// Last part of a path, as text; a name that is no text fits nothing.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A small JSON file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = read_small(path, JSON_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::invalid(path, format!("is damaged: {error}")))
}

/// A topic's name, which is a file name too: Kafka allows letters, digits, `.`, `_` and `-`.
pub(crate) fn topic_name(topic: &str) -> Result<&str> {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty() || topic.len() > 200 || topic.starts_with('.') || !topic.chars().all(named) {
        return Err(Error::invalid(Path::new(topic), "is not the name of a topic"));
    }
    Ok(topic)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_by_the_names_of_folders() {
        let folder = tempfile::tempdir().unwrap();
        assert!(days_in(&folder.path().join("absent")).unwrap().is_empty());
        for name in ["day=2026-11-22", "day=2026-11-21", "day=2026-13-01", "2026-11-20", "day="] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let days: Vec<String> = days_in(folder.path()).unwrap().iter().map(Day::to_string).collect();
        assert_eq!(days, ["2026-11-21", "2026-11-22"]);
    }
}
