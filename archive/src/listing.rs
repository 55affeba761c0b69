//! Looking into folders: what is there, without what writers left behind, and small JSON files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::durable::{is_leftover, read_small};
use crate::{Error, Result};

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
