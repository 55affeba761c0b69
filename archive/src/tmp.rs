//! Folders for unfinished files: `tmp/<program>-<pid>/`, each under a lock of its process.

use std::path::{Path, PathBuf};

use crate::{DataDir, Result};

/// This process's folder for unfinished files. Dropping it removes it.
#[derive(Debug)]
pub struct TmpDir {
    path: PathBuf,
}

impl TmpDir {
    /// Makes the folder and locks it.
    pub fn create(_data: &DataDir, _program: &str) -> Result<TmpDir> {
        todo!()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folders of this program that no living process holds (left by a crash), for the program to recover and remove.
    pub fn abandoned(_data: &DataDir, _program: &str) -> Result<Vec<PathBuf>> {
        todo!()
    }
}
