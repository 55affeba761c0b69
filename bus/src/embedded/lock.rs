//! Who holds a group: an operating-system lock on a file, which a dead process loses at once. The file's text names
//! the holder, for people.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::signal::nap;
use crate::{Error, Result};

/// Longest file name that every file system takes, bytes.
const LONGEST: usize = 255;

/// A lock that is held. Dropping it frees it.
pub(super) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // The text is for people only, and the lock goes with the file handle in any case; but a child process that is
        // just being started has that handle too, for a moment.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

/// Takes the lock of a group, or says who has it.
pub(super) fn hold(folder: &Path, group: &str, instance: &str) -> Result<Held> {
    let path = path_of(folder, group)?;
    let io = |source| Error::Io { path: path.clone(), source };
    let mut file = open(&path)?;
    // Somebody who merely looks ([`holder`]) has it for a moment.
    for last in (0..50).map(|n| n == 49) {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(io)?;
                file.write_all(describe(instance).as_bytes()).map_err(io)?;
                return Ok(Held(file));
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
            Err(TryLockError::WouldBlock) if last => break,
            Err(TryLockError::WouldBlock) => nap(Duration::from_millis(5)),
        }
    }
    Err(busy(group, &text(&mut file).map_err(io)?))
}

/// The error that a group is taken. Another instance name does not help here, so it says what does.
pub(super) fn busy(group: &str, holder: &str) -> Error {
    let holder =
        format!("{holder}; the embedded log takes one member of a group at a time, Kafka (--bus kafka://…) several");
    Error::Busy { group: group.into(), holder }
}

/// Who holds a group.
pub(super) fn holder(folder: &Path, group: &str) -> Result<Option<String>> {
    let path = path_of(folder, group)?;
    let io = |source| Error::Io { path: path.clone(), source };
    let mut file = match File::open(&path) {
        Ok(f) => f,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| None).map_err(io),
        Err(TryLockError::WouldBlock) => Ok(Some(text(&mut file).map_err(io)?)),
        Err(TryLockError::Error(e)) => Err(io(e)),
    }
}

/// Waits for the lock on a file and takes it; for what takes a moment.
pub(super) fn exclusive(path: &Path) -> Result<Held> {
    let file = open(path)?;
    file.lock().map_err(|source| Error::Io { path: path.into(), source })?;
    Ok(Held(file))
}

fn open(path: &Path) -> Result<File> {
    // The folder may have been tidied away while the log was open.
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let open = folder.and_then(|()| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path));
    open.map_err(|source| Error::Io { path: path.into(), source })
}

/// One file per group. Characters that mean something to a file system are written as `%` and two digits; a lock file
/// is never removed, since somebody may be waiting on it.
fn path_of(folder: &Path, group: &str) -> Result<PathBuf> {
    let mut name = String::from("group-");
    for byte in group.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(byte.into()),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    name.push_str(".lock");
    if name.len() > LONGEST {
        return Err(Error::Other(format!("group name `{group}` is too long; use a shorter one")));
    }
    Ok(folder.join(name))
}

fn text(file: &mut File) -> std::io::Result<String> {
    // A holder that has just got the lock writes its text in the next moment.
    for _ in 0..20 {
        let mut text = String::new();
        file.rewind()?;
        Read::by_ref(file).take(1024).read_to_string(&mut text)?;
        if !text.trim().is_empty() {
            return Ok(text.trim().to_owned());
        }
        nap(Duration::from_millis(5));
    }
    Ok("a process that has not given its name".into())
}

fn describe(instance: &str) -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).map_or("?".into(), |n| n.to_string_lossy());
    let since = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    format!("{program} (instance {instance}, pid {} on {}, since {since})\n", std::process::id(), machine())
}

/// This machine's name.
fn machine() -> String {
    let file = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    let name = file.ok().or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    name.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).unwrap_or_else(|| "this machine".into())
}
