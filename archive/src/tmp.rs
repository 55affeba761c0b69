//! Folders for unfinished files: `tmp/<program>-<pid>/`, each under a lock of its process.
//!
//! The lock is a file beside the folder, `tmp/<program>-<pid>.lock`, taken before the folder is made and removed after it:
//! so a folder whose lock is free was left by a crash, also when its process id is in use again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::held::Held;
use crate::{DataDir, Error, Result, durable};

/// This process's folder for unfinished files. Dropping it removes it, with what is in it.
///
/// Who may not lose what is in it, whatever happens next, calls [`TmpDir::keep`] or does not drop it.
#[derive(Debug)]
pub struct TmpDir {
    path: PathBuf,
    /// There until the folder is given up.
    held: Option<Held>,
}

impl TmpDir {
    /// Makes the folder and locks it. Where a crashed process with the same id has left one (or a twin in another
    /// container holds one), the new one has a number more: `tmp/stage-7-2/`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] for a program that is no file name.
    pub fn create(data: &DataDir, program: &str) -> Result<TmpDir> {
        if program.is_empty() || !program.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Error::invalid(Path::new(program), "is not the name of a program"));
        }
        durable::create_dir(&data.tmp())?;
        let first = format!("{program}-{}", std::process::id());
        let mut number = 1_u32;
        loop {
            let name = if number == 1 { first.clone() } else { format!("{first}-{number}") };
            if let Some(made) = TmpDir::make(data.tmp().join(name))? {
                return Ok(made);
            }
            number += 1;
        }
    }

    /// Makes a folder, which must not be there, under a lock, which must be free.
    pub(crate) fn make(path: PathBuf) -> Result<Option<TmpDir>> {
        let Some(held) = Held::take(&lock_of(&path))? else { return Ok(None) };
        match std::fs::create_dir(&path) {
            Ok(()) => {
                let made = TmpDir { path, held: Some(held) };
                // a file in it is durable only when the folder's own name is
                durable::sync_dir(made.path.parent().unwrap_or(Path::new("")))?;
                Ok(Some(made))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => {
                held.remove();
                Err(Error::io("cannot create", &path)(error))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder up without removing it: it is abandoned, for the program's next run to recover.
    pub fn keep(mut self) -> PathBuf {
        self.held = None;
        self.path.clone()
    }

    /// Folders of this program that no living process holds (left by a crash), for the program to recover and remove.
    ///
    /// A folder may be gone, or held by another, a moment later: [`TmpDir::adopt`] makes sure.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn abandoned(data: &DataDir, program: &str) -> Result<Vec<PathBuf>> {
        abandoned_in(&data.tmp(), |name| is_of(name, program))
    }

    /// Takes over an abandoned folder, and its removal; `None` when it is gone or held by another.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn adopt(path: &Path) -> Result<Option<TmpDir>> {
        if !path.is_dir() {
            return Ok(None);
        }
        let Some(held) = Held::take(&lock_of(path))? else { return Ok(None) };
        if !path.is_dir() {
            held.remove();
            return Ok(None);
        }
        Ok(Some(TmpDir { path: path.to_path_buf(), held: Some(held) }))
    }

    /// Removes the abandoned folders of a program that has nothing to recover from them; says how many.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sweep(data: &DataDir, program: &str) -> Result<usize> {
        let mut removed = 0;
        for path in TmpDir::abandoned(data, program)? {
            removed += usize::from(TmpDir::adopt(&path)?.is_some());
        }
        Ok(removed)
    }
}

impl Drop for TmpDir {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            // what cannot be removed now is abandoned, and removed by the program's next run
            let _ = std::fs::remove_dir_all(&self.path);
            held.remove();
        }
    }
}

/// Folders whose names fit and whose locks are free, in order of their names. Locks without folders are removed.
pub(crate) fn abandoned_in(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("cannot list", folder))?,
    };
    let mut abandoned = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("cannot list", folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if let Some(stem) = name.strip_suffix(".lock").filter(|stem| fits(stem)) {
            let path = folder.join(stem);
            if !path.exists()
                && let Some(held) = Held::take(&lock_of(&path))?
                && !path.exists()
            {
                held.remove();
            }
        } else if fits(name) && path.is_dir() && is_free(&path)? {
            abandoned.push(path);
        }
    }
    abandoned.sort();
    Ok(abandoned)
}

/// Nobody holds the folder's lock. Looking takes it for a moment.
fn is_free(path: &Path) -> Result<bool> {
    let lock = lock_of(path);
    if !lock.exists() {
        return Ok(true);
    }
    Ok(Held::take(&lock)?.is_some())
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// `<program>-<pid>` or `<program>-<pid>-<number>`.
fn is_of(name: &str, program: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = name.strip_prefix(program).and_then(|rest| rest.strip_prefix('-')) else { return false };
    match rest.split_once('-') {
        Some((pid, count)) => number(pid) && number(count),
        None => number(rest),
    }
}
