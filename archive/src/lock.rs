//! One lock file per job and day: two runs of the same work never meet.

use std::path::Path;

use crate::held::{self, Held};
use crate::{DataDir, Error, Result, durable};

/// A held lock; free when dropped, and at once when the process dies.
///
/// The lock is the operating system's, on a file under `locks/` that stays there: its presence means nothing. Its text
/// names the holder, for those who find it busy.
#[derive(Debug)]
pub struct Lock {
    _held: Held,
}

impl Lock {
    /// Takes the lock of a job (`stage`, `extract`, `extract-2026-11-21` …), else [`Error::Busy`]
    /// naming the holder (program, pid, machine, since when).
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] when another process, or another part of this one, holds it. [`Error::Invalid`] for a job that is
    /// no file name. [`Error::Io`] when the file system cannot lock.
    pub fn take(data: &DataDir, job: &str) -> Result<Lock> {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | ',' | '.');
        if job.is_empty() || job.len() > 200 || job.starts_with('.') || !job.chars().all(named) {
            return Err(Error::invalid(Path::new(job), "is not the name of a job"));
        }
        let locks = data.locks();
        durable::create_dir(&locks)?;
        let path = locks.join(format!("{job}.lock"));
        match Held::take(&path)? {
            Some(held) => Ok(Lock { _held: held }),
            None => Err(Error::Busy { job: job.to_owned(), holder: held::holder(&path), path }),
        }
    }
}
