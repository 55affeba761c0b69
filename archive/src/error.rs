//! What can go wrong in a data directory, with the path it is about.

use std::path::{Path, PathBuf};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What mends a damaged segment, for whoever meets one: the end of an error's line.
pub const MENDS: &str = "`etl verify --archive` sets aside what is damaged and brings it back";

/// An error of the archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried: `cannot create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another run holds the lock; exit code 75.
    #[error("`{job}` is already running: {holder} holds {path}; wait for it or stop it")]
    Busy {
        /// The work that is being done.
        job: String,
        /// Program, process id, machine and time, as the holder wrote them.
        holder: String,
        /// The lock file.
        path: PathBuf,
    },
    /// A file's name or content does not fit.
    #[error("{path}: {reason}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A day is not `YYYY-MM-DD`.
    #[error("`{0}` is not a day; write it as 2026-11-21")]
    Day(String),
    /// A file that must not be there is there.
    #[error("{0} exists already and is not replaced")]
    Exists(PathBuf),
}

impl Error {
    /// Gives an error of the file system its path: `.map_err(Error::io("cannot create", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_path_buf(), source }
    }

    /// A name or content that does not fit.
    pub(crate) fn invalid(path: &Path, reason: impl Into<String>) -> Error {
        Error::Invalid { path: path.to_path_buf(), reason: reason.into() }
    }
}
