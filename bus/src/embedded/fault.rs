//! What SQLite says, in words that name the file and the remedy.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use crate::Error;

/// For `map_err`: an error of this connection's file.
pub(super) fn fault(connection: &Connection) -> impl Fn(rusqlite::Error) -> Error + use<> {
    let path = PathBuf::from(connection.path().unwrap_or_default());
    move |e| explain(&path, e)
}

/// True for what passes by itself: another process was in the way for too long.
pub(super) fn passing(error: &Error) -> bool {
    matches!(error, Error::Log { source: Some(e), .. } if is_busy(e))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

pub(super) fn explain(path: &Path, error: rusqlite::Error) -> Error {
    let (problem, remedy) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            ("is not an embedded log, or its first page is damaged", "name another file, or move this one away")
        }
        Some(ErrorCode::DatabaseCorrupt) => (
            "is damaged",
            "check the disk, then put a copy of the file back, or move it away together with its -wal and -shm files to \
             begin a new one; what was staged is safe in the archive",
        ),
        Some(ErrorCode::DiskFull) => {
            ("cannot grow, the disk is full", "free some space; nothing of this batch was written")
        }
        Some(ErrorCode::SystemIoFailure) => {
            ("could not be read or written", "check that its disk works and has free space; nothing is half written")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            ("cannot be written", "check the permissions of the file, of its -wal and -shm files and of its folder")
        }
        Some(ErrorCode::CannotOpen) => {
            ("cannot be opened", "check that its folder exists, may be written, and is not full")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ("has been locked by another process for a minute", "see who has the file open (fuser, lsof) and stop it")
        }
        Some(ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport) => {
            ("is on a file system without the locks that it needs", "put it on a local disk")
        }
        _ => return Error::Sqlite { path: path.into(), source: error },
    };
    Error::Log { path: path.into(), problem: problem.into(), remedy: remedy.into(), source: Some(Box::new(error)) }
}
