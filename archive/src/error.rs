//! What can go wrong in a data directory, with the path it is about.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    /// Another run holds the lock; exit code 75.
    #[error("`{job}` is already running: {holder} holds {path}; wait for it or stop it")]
    Busy { job: String, holder: String, path: PathBuf },
    /// A file's name or content does not fit.
    #[error("{path}: {reason}")]
    Invalid { path: PathBuf, reason: String },
    /// A day is not `YYYY-MM-DD`.
    #[error("`{0}` is not a day; write it as 2026-11-21")]
    Day(String),
    /// A file that must not be there is there.
    #[error("{0} exists already and is not replaced")]
    Exists(PathBuf),
}
