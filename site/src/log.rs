//! The log of requests and connections: in memory for tests, as lines of JSON for programs that outlive a crash.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Error;

/// One request, noted when its answer ended (or the client went away).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Number of the connection that it came on; see [`Connection`].
    pub connection: u64,
    /// Address of the client.
    pub peer: String,
    /// Address and port that it was sent to: the host.
    pub host: String,
    /// GET, HEAD …
    pub method: String,
    /// Path with query, percent-encoded as sent.
    pub path: String,
    /// Status of the answer; 0 when none was sent.
    pub status: u16,
    /// Bytes of the body as sent (compressed, if so).
    pub bytes: u64,
    /// `User-Agent` of the client.
    pub user_agent: String,
    /// When the request was read, microseconds since the server started (monotonic).
    pub start_us: u64,
    /// When the answer ended, microseconds since the server started.
    pub end_us: u64,
    /// When the request was read, milliseconds since 1970.
    pub start_unix_ms: u64,
    /// When the answer ended, milliseconds since 1970.
    pub end_unix_ms: u64,
}

/// One connection, noted when it closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its number, from 1 in the order of arrival.
    pub connection: u64,
    /// Address of the client.
    pub peer: String,
    /// Address and port that it came to.
    pub host: String,
    /// When it was accepted, microseconds since the server started.
    pub opened_us: u64,
    /// When it was closed.
    pub closed_us: u64,
}

/// One line of the log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// An answer ended.
    Request(Request),
    /// A connection closed.
    Connection(Connection),
}

/// Reads a log file back; a last line that was cut off is left out.
pub fn read_log(path: &Path) -> Result<Vec<Event>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .enumerate()
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|e| Error::Malformed { path: path.to_path_buf(), why: format!("line {}: {e}", number + 1) })
        })
        .collect()
}

/// Where events go. Shared by all connections.
#[derive(Debug)]
pub(crate) struct Log {
    began: Instant,
    connections: AtomicU64,
    events: Mutex<Vec<Event>>,
    file: Option<(PathBuf, Mutex<File>)>,
}

impl Log {
    /// In memory, and appended to `file` when there is one, a line at a time.
    pub(crate) fn open(file: Option<&Path>) -> Result<Log, Error> {
        let file = match file {
            Some(path) => {
                let open = File::options().create(true).append(true).open(path);
                let open = open.map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
                Some((path.to_path_buf(), Mutex::new(open)))
            }
            None => None,
        };
        Ok(Log { began: Instant::now(), connections: AtomicU64::new(0), events: Mutex::default(), file })
    }

    /// Microseconds since the server started.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Number for the next connection.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Everything so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    /// How many requests were noted.
    pub(crate) fn requests(&self) -> usize {
        lock(&self.events).iter().filter(|event| matches!(event, Event::Request(_))).count()
    }

    /// Forgets what was noted in memory; the file stays.
    pub(crate) fn clear(&self) {
        lock(&self.events).clear();
    }

    /// Notes one event.
    pub(crate) fn note(&self, event: Event) {
        if let Some((path, file)) = &self.file {
            let mut line = serde_json::to_vec(&event).unwrap_or_default();
            line.push(b'\n');
            // one write call a line: lines of several processes do not mix, and none waits in a buffer for a crash
            if let Err(e) = lock(file).write_all(&line) {
                eprintln!("{}: {e}; the log has a hole from here on", path.display());
            }
        }
        lock(&self.events).push(event);
    }
}

/// A poisoned lock means that another connection panicked while it noted something; what is there is still good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_log_reads_back_and_leaves_out_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::open(Some(&path)).unwrap();
        let event = Event::Connection(Connection {
            connection: log.next_connection(),
            peer: "127.0.0.1:9".into(),
            host: "127.0.0.1:80".into(),
            opened_us: 1,
            closed_us: 2,
        });
        log.note(event.clone());
        log.note(event.clone());
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"{\"event\":\"req").unwrap();
        assert_eq!(read_log(&path).unwrap(), vec![event.clone(), event]);
    }
}
