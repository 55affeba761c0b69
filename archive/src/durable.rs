//! Writes that survive a power cut: fsync of files and folders, rename without replacing.

use std::path::Path;

use crate::Result;

/// fsync of a file.
pub fn sync_file(_path: &Path) -> Result<()> {
    todo!()
}

/// fsync of a folder: names in it are durable afterwards.
pub fn sync_dir(_path: &Path) -> Result<()> {
    todo!()
}

/// Renames without replacing ([`Error::Exists`](crate::Error::Exists)), then syncs the target's folder.
pub fn rename_new(_from: &Path, _to: &Path) -> Result<()> {
    todo!()
}

/// Writes a small file that must not exist yet: tmp beside it, fsync, rename, fsync of the folder.
pub fn write_new(_path: &Path, _bytes: &[u8]) -> Result<()> {
    todo!()
}

/// Writes a small file whole, in place of one that may exist: a reader sees the old or the new one.
pub fn write_replace(_path: &Path, _bytes: &[u8]) -> Result<()> {
    todo!()
}
