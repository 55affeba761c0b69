//! One lock file per job and day: two runs of the same work never meet.

use crate::{DataDir, Result};

/// A held lock; free when dropped, and at once when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: std::fs::File,
}

impl Lock {
    /// Takes the lock of a job (`stage`, `extract`, `extract-2026-11-21` …), else [`Error::Busy`](crate::Error::Busy)
    /// naming the holder (program, pid, machine, since when).
    pub fn take(_data: &DataDir, _job: &str) -> Result<Lock> {
        todo!()
    }
}
