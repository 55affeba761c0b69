//! The folder of unfinished files, and when it may be removed.

use std::mem::ManuallyDrop;
use std::path::Path;

use anyhow::{Context, Result};
use archive::{DataDir, TmpDir};

/// Name under which stage has its folders.
pub const PROGRAM: &str = "stage";

/// This run's folder. It is removed at the end, but not while a seal on the bus may name a file in it.
pub struct Tmp {
    dir: Option<ManuallyDrop<TmpDir>>,
    named_by_seal: bool,
}

impl Tmp {
    /// Makes the folder. Call it after recovery only: a folder of a predecessor with the same process id may hold what a
    /// seal names.
    pub fn create(data: &DataDir) -> Result<Tmp> {
        Ok(Tmp { dir: Some(ManuallyDrop::new(TmpDir::create(data, PROGRAM)?)), named_by_seal: false })
    }

    /// Where it is.
    pub fn path(&self) -> Result<&Path> {
        self.dir.as_ref().map(|dir| dir.path()).context("the folder of unfinished files is gone already")
    }

    /// From now until [`Tmp::release`] the folder outlives this process, whatever happens.
    pub fn hold(&mut self) {
        self.named_by_seal = true;
    }

    /// No seal names a file in it any more.
    pub fn release(&mut self) {
        self.named_by_seal = false;
    }
}

impl Drop for Tmp {
    fn drop(&mut self) {
        if let Some(dir) = self.dir.take().filter(|_| !self.named_by_seal) {
            drop(ManuallyDrop::into_inner(dir));
        }
    }
}
