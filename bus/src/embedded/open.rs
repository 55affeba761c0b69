//! Opening the file: is it ours, is it new, and the settings of every connection.
//!
//! Where the file or its folder cannot be written (a disk mounted to be read, another user's log), it is opened all the same for
//! those that only look; whoever writes gets the error that it cannot be written.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, TransactionBehavior};

use super::fault::{explain, fault};
use super::schema::{APPLICATION, TABLES, VERSION};
use super::signal::nap;
use super::{lock, wal};
use crate::{Error, Result};

/// How long a connection waits for another one's transaction. Ours take milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks whether it is over.
const NAP: Duration = Duration::from_millis(2);

pub(super) struct Opened {
    pub path: PathBuf,
    pub locks: PathBuf,
    pub cluster: String,
    pub connection: Connection,
    pub access: Access,
}

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and write, as far as the file's permissions go.
    Full,
    /// Read what is in the file itself, as if nobody ever wrote it: its folder has no place for the shared memory that readers of a
    /// write-ahead log need.
    Frozen,
}

/// Opens the log at `path`, making it and its folders where they are missing.
pub(super) fn open(path: &Path) -> Result<Opened> {
    let path = std::path::absolute(path).map_err(at(path))?;
    if path.is_dir() {
        return Err(refuse(&path, "is a folder", "name a file in it, for example bus.db"));
    }
    if let Some(folder) = path.parent() {
        make_folder(folder, &path)?;
    }
    let connection = raw(&path, Access::Full)?;
    // From here on the file exists. Two names of one file must agree on its lock folder.
    let path = fs::canonicalize(&path).map_err(at(&path))?;
    let mut locks = OsString::from(&path);
    locks.push(".d");
    let locks = PathBuf::from(locks);
    let mut access = Access::Full;
    match is_ours(&connection, &path) {
        Ok(true) if is_read_only(&connection) => {}
        Ok(true) => make_folder(&locks, &path)?,
        Ok(false) => {
            make_folder(&locks, &path)?;
            let _only_one = lock::exclusive(&locks.join("create.lock"))?;
            create(connection, &path)?;
        }
        Err(error) if has_no_place(&error) => {
            access = Access::Frozen;
            // what says that it is ours may be in the write-ahead log alone
            if !is_ours(&raw(&path, access)?, &path)? {
                return Err(error);
            }
            tell_what_is_not_seen(&path);
        }
        Err(error) => return Err(error),
    }
    let connection = connect(&path, access)?;
    let cluster = connection
        .query_row("SELECT value FROM about WHERE name = 'cluster'", [], |r| r.get(0))
        .map_err(fault(&connection))?;
    Ok(Opened { path, locks, cluster, connection, access })
}

/// A further connection to a file that [`open`] has seen.
pub(super) fn connect(path: &Path, access: Access) -> Result<Connection> {
    let connection = raw(path, access)?;
    wal::settings(&connection).map_err(fault(&connection))?;
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA cell_size_check = ON;
             PRAGMA trusted_schema = OFF;
             PRAGMA cache_size = -4096;",
        )
        .map_err(fault(&connection))?;
    Ok(connection)
}

fn raw(path: &Path, access: Access) -> Result<Connection> {
    use OpenFlags as Flags;
    let mut connection = match access {
        Access::Full => {
            let flags = Flags::SQLITE_OPEN_READ_WRITE | Flags::SQLITE_OPEN_CREATE | Flags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(path, flags)
        }
        Access::Frozen => {
            let flags = Flags::SQLITE_OPEN_READ_ONLY | Flags::SQLITE_OPEN_URI | Flags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(Path::new(&frozen(path.as_os_str())), flags)
        }
    }
    .map_err(|e| explain(path, e))?;
    be_patient(&mut connection, PATIENCE).map_err(fault(&connection))?;
    connection.set_prepared_statement_cache_capacity(256);
    // Statement journals need no file.
    connection.execute_batch("PRAGMA temp_store = MEMORY").map_err(fault(&connection))?;
    Ok(connection)
}

/// The URI of a file that nobody writes (<https://sqlite.org/uri.html>).
fn frozen(path: &OsStr) -> OsString {
    let mut uri = b"file:".to_vec();
    for byte in path.as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            other => uri.push(*other),
        }
    }
    uri.extend(b"?immutable=1");
    OsString::from_vec(uri)
}

fn is_read_only(connection: &Connection) -> bool {
    connection.is_readonly(MAIN_DB).unwrap_or(false)
}

/// True when the folder does not take the files that SQLite needs beside the log.
fn has_no_place(error: &Error) -> bool {
    let codes = [Some(ErrorCode::CannotOpen), Some(ErrorCode::ReadOnly)];
    matches!(error, Error::Log { source: Some(e), .. } if codes.contains(&e.sqlite_error_code()))
}

/// Records that were written since the last checkpoint are in the write-ahead log only, and that cannot be read here.
fn tell_what_is_not_seen(path: &Path) {
    let mut wal = OsString::from(path);
    wal.push("-wal");
    if fs::metadata(&wal).is_ok_and(|file| file.len() > 0) {
        tracing::warn!(
            "{} cannot be written here, so its newest records, those in its -wal file, are not seen; copy both to where they can be \
             written to see all",
            path.display()
        );
    }
}

/// Lets a connection wait for others. SQLite's own way sleeps up to 100 ms at a time and so starves beside a busy
/// writer.
pub(super) fn be_patient(connection: &mut Connection, time: Duration) -> rusqlite::Result<()> {
    let naps = i32::try_from(time.as_millis() / NAP.as_millis()).unwrap_or(i32::MAX);
    connection.busy_handler(Some(move |n| {
        nap(NAP);
        n < naps
    }))
}

/// False when the file is new and empty; an error when it is somebody else's.
fn is_ours(connection: &Connection, path: &Path) -> Result<bool> {
    // All is read at one moment: another process may be making the log just now.
    let _one_moment = connection.unchecked_transaction().map_err(fault(connection))?;
    let number = |sql| connection.query_row(sql, [], |r| r.get::<_, i32>(0)).map_err(fault(connection));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    match (application, version) {
        (APPLICATION, VERSION) => Ok(true),
        (APPLICATION, v) if v > VERSION => Err(refuse(
            path,
            format!("has tables of version {v}, this program knows {VERSION}"),
            "use the newer program that made it",
        )),
        (APPLICATION, v) => Err(refuse(
            path,
            format!("has tables of version {v}, this program needs {VERSION}"),
            "use the older program that made it, or begin a new one",
        )),
        (0, 0) if number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(false),
        _ => Err(refuse(path, "is a database of another program", "name another file")),
    }
}

fn create(mut connection: Connection, path: &Path) -> Result<()> {
    let fault = fault(&connection);
    if is_ours(&connection, path)? {
        return Ok(());
    }
    // The page size and the kind of vacuum hold for ever, from the first write on.
    connection
        .execute_batch("PRAGMA page_size = 65536; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL;")
        .map_err(&fault)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0)).map_err(&fault)?;
    if mode != "wal" {
        return Err(refuse(path, "is on a file system without shared memory", "put it on a local disk"));
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    tx.execute_batch(TABLES).map_err(&fault)?;
    tx.execute("INSERT INTO about VALUES ('cluster', ?1), ('time', 0)", [uuid::Uuid::now_v7().to_string()])
        .map_err(&fault)?;
    tx.pragma_update(None, "application_id", APPLICATION).map_err(&fault)?;
    tx.pragma_update(None, "user_version", VERSION).map_err(&fault)?;
    tx.commit().map_err(&fault)
}

/// Makes a folder and those above it, so that they are still there after a power failure.
fn make_folder(folder: &Path, log: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let new: Vec<_> = folder.ancestors().take_while(|f| !f.exists()).collect();
    fs::create_dir_all(folder).map_err(|e| {
        let problem = format!("needs the folder {}, which cannot be made: {e}", folder.display());
        refuse(log, problem, "check its permissions and that no file has its name, or name another path")
    })?;
    for made_in in new.iter().filter_map(|f| f.parent()) {
        match File::open(made_in).and_then(|d| d.sync_all()) {
            // Some file systems know no such thing.
            Err(e) if e.kind() != io::ErrorKind::InvalidInput => return Err(at(made_in)(e)),
            _ => {}
        }
    }
    Ok(())
}

fn refuse(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::Log { path: path.into(), problem: problem.into(), remedy: remedy.into(), source: None }
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io { path: path.clone(), source }
}
