//! Files that a process holds by a lock of the operating system, which is free at once when the process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::durable::read_small;
use crate::{Error, Result, time};

/// Longest text of a holder that is believed.
const HOLDER_BYTES: u64 = 4096;

/// A held file. The lock is free when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    path: PathBuf,
}

impl Held {
    /// Takes the lock on a file, which is made when it is missing, and writes down who holds it; `None` when another
    /// holds it.
    pub(crate) fn take(path: &Path) -> Result<Option<Held>> {
        loop {
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            let file = opened.map_err(Error::io("cannot open the lock", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(Error::io("cannot lock", path)(error)),
            }
            // its last holder may have removed the name between our two steps: then this is a lock on nothing
            if is_at(&file, path)? {
                let held = Held { file, path: path.to_path_buf() };
                held.sign().map_err(Error::io("cannot write", path))?;
                return Ok(Some(held));
            }
        }
    }

    /// Removes the file while it is held: who waits for the name makes a new one.
    pub(crate) fn remove(self) {
        // a lock file that stays is free, and does no harm
        let _ = std::fs::remove_file(&self.path);
    }

    fn sign(&self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        let mut file = &self.file;
        writeln!(file, "{}", signature())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // nobody is to be told of a holder that has left
        let _ = self.file.set_len(0);
        // closing alone would leave the lock to a child that another thread is about to start, until it executes its program
        let _ = self.file.unlock();
    }
}

/// Who holds a file, as it wrote itself down.
pub(crate) fn holder(path: &Path) -> String {
    let bytes = read_small(path, HOLDER_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    match text.lines().next().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => text.to_owned(),
        None => "a process that has not written its name yet".to_owned(),
    }
}

/// `etl, process 4711 on pi2, since 2026-11-21T10:00:00Z,`.
fn signature() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let uname = rustix::system::uname();
    format!(
        "{}, process {} on {}, since {},",
        program.as_deref().unwrap_or("a program"),
        std::process::id(),
        uname.nodename().to_string_lossy(),
        time::now()
    )
}

/// The open file is the one that has the name.
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let ours = file.metadata().map_err(Error::io("cannot look at", path))?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("cannot look at", path)(error)),
    }
}
