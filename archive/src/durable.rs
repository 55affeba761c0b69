//! Writes that survive a power cut: fsync of files and folders, rename without replacing.
//!
//! A file is durable when its content and its name are: fsync of the file, then of its folder. A new folder is durable
//! when its parent is synced too. Every function here leaves, wherever the power fails in it, the old state or the new
//! one, and at most a file `.<name>.<…>.tmp` beside it that nobody reads.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::{Error, Result};

/// fsync of a file.
///
/// # Errors
///
/// [`Error::Io`]. After one, the file's content is not to be trusted: the kernel may have dropped what it could not write.
pub fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("cannot sync", path))
}

/// fsync of a folder: names in it are durable afterwards.
///
/// # Errors
///
/// [`Error::Io`].
pub fn sync_dir(path: &Path) -> Result<()> {
    // the folder of a bare file name is the current one
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    sync_file(path)
}

/// Makes a folder with those above it, durably; one that exists is fine.
///
/// # Errors
///
/// [`Error::Io`].
pub fn create_dir(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    create_dir(parent)?;
    match std::fs::create_dir(path) {
        Ok(()) => sync_dir(parent),
        // another process was faster; it syncs, but perhaps later than we need it
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => sync_dir(parent),
        Err(error) => Err(Error::io("cannot create", path)(error)),
    }
}

/// Renames without replacing ([`Error::Exists`]), then syncs the target's folder.
///
/// Free of races: the kernel refuses to replace (`renameat2`), or, on file systems that cannot, the name is made as a
/// second link and the old one removed. Source and target lie on one file system.
///
/// # Errors
///
/// [`Error::Exists`] when the target is there, else [`Error::Io`] on the target.
pub fn rename_new(from: &Path, to: &Path) -> Result<()> {
    rename_unsynced(from, to)?;
    sync_dir(to.parent().unwrap_or(Path::new("")))
}

/// The same without the sync, for several renames into one folder: [`sync_dir`] comes after the last.
///
/// # Errors
///
/// As [`rename_new`].
pub fn rename_unsynced(from: &Path, to: &Path) -> Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // a file system, or a kernel before 3.15, that knows no flags
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_and_unlink(from, to),
        renamed => renamed.map_err(std::io::Error::from).map_err(|error| refused(error, to)),
    }
}

/// A rename in two steps, of which the first does not replace. Between them the file has both names.
fn link_and_unlink(from: &Path, to: &Path) -> Result<()> {
    std::fs::hard_link(from, to).map_err(|error| refused(error, to))?;
    std::fs::remove_file(from).map_err(Error::io("cannot remove", from))
}

fn refused(error: std::io::Error, to: &Path) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => Error::Exists(to.to_path_buf()),
        _ => Error::io("cannot rename to", to)(error),
    }
}

/// Writes a small file that must not exist yet: tmp beside it, fsync, rename, fsync of the folder.
///
/// # Errors
///
/// [`Error::Exists`] when it is there, else [`Error::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = Tmp::write(path, bytes)?;
    rename_new(&tmp.path, path)
}

/// Writes a small file whole, in place of one that may exist: a reader sees the old or the new one.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = Tmp::write(path, bytes)?;
    std::fs::rename(&tmp.path, path).map_err(Error::io("cannot replace", path))?;
    sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// The content of a small file, at most `limit` bytes: a larger one is not ours.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(Error::io("cannot read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::invalid(path, format!("has more than {limit} bytes, which no such file has")));
    }
    Ok(bytes)
}

/// A leftover of a write that did not end: hidden, ends with `.tmp`.
pub(crate) fn is_leftover(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// A synced file beside its target; removed when it was not renamed away.
struct Tmp {
    path: PathBuf,
}

impl Tmp {
    fn write(target: &Path, bytes: &[u8]) -> Result<Tmp> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().ok_or_else(|| Error::invalid(target, "is not a file name"))?.to_string_lossy();
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()));
            // a leftover of a predecessor, or a twin in another container, may have our process id
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened.map_err(Error::io("cannot create", &path))?,
            };
            let tmp = Tmp { path };
            let mut writer = &file;
            writer.write_all(bytes).map_err(Error::io("cannot write", &tmp.path))?;
            file.sync_all().map_err(Error::io("cannot sync", &tmp.path))?;
            return Ok(tmp);
        }
    }
}

impl Drop for Tmp {
    fn drop(&mut self) {
        // not there any more when it was renamed
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_rename_refuse_to_replace() {
        for rename in [rename_new, link_and_unlink] {
            let dir = tempfile::tempdir().unwrap();
            let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
            std::fs::write(&from, "new").unwrap();
            rename(&from, &to).unwrap();
            assert!(!from.exists());
            std::fs::write(&from, "newer").unwrap();
            assert!(matches!(rename(&from, &to), Err(Error::Exists(path)) if path == to));
            assert_eq!(std::fs::read_to_string(&to).unwrap(), "new");
            assert_eq!(std::fs::read_to_string(&from).unwrap(), "newer");
        }
    }

    #[test]
    fn of_many_writers_of_a_new_file_one_wins_and_its_content_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let wins: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0_u8..8)
                .map(|n| {
                    let path = &path;
                    scope.spawn(move || match write_new(path, &[n; 4096]) {
                        Ok(()) => 1,
                        Err(Error::Exists(_)) => 0,
                        Err(error) => panic!("{error}"),
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(wins, 1);
        let content = std::fs::read(&path).unwrap();
        assert!(content.len() == 4096 && content.iter().all(|byte| *byte == content[0]));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no leftovers");
    }

    #[test]
    fn a_replaced_file_has_the_new_content_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_replace(&path, b"old").unwrap();
        write_replace(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_what_was_tried_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing/file");
        let error = write_new(&missing, b"").unwrap_err().to_string();
        assert!(error.starts_with("cannot create ") && error.contains("/missing/.file."), "{error}");
        let error = rename_new(&missing, &dir.path().join("to")).unwrap_err().to_string();
        assert!(error.starts_with("cannot rename to ") && error.contains("/to: "), "{error}");
        let error = sync_dir(&missing).unwrap_err().to_string();
        assert!(error.starts_with("cannot sync ") && error.contains("/missing/file: "), "{error}");
    }

    #[test]
    fn folders_are_made_with_those_above_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        create_dir(&path).unwrap();
        create_dir(&path).unwrap();
        assert!(path.is_dir());
        std::fs::write(path.join("file"), "").unwrap();
        assert!(create_dir(&path.join("file/d")).is_err());
        assert!(create_dir(&path.join("file")).is_err());
    }

    #[test]
    fn a_small_file_that_is_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, [0; 11]).unwrap();
        assert_eq!(read_small(&path, 11).unwrap().len(), 11);
        assert!(read_small(&path, 10).unwrap_err().to_string().contains("more than 10 bytes"));
    }
}
