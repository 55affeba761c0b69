//! Keeping the write-ahead log small: it is copied into the file after so many pages, and cut back.
//!
//! It can start anew only at a moment when nobody reads from it. Our own reads are short, so there are such moments;
//! where they overlap too much, a commit waits for one.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::open;

/// Pages of 64 KiB after which a commit copies the write-ahead log into the file: 32 MiB, two of the largest batches.
const CHECKPOINT_PAGES: i64 = 512;
/// Size to which it is cut back once it starts anew, bytes.
const KEPT: i64 = 64 << 20;
/// Size from which a commit waits for readers, bytes; and again after growth by half, should somebody read for ever.
const TOO_LARGE: u64 = 96 << 20;
/// How long it waits for them.
const PATIENCE: Duration = Duration::from_millis(500);

/// Settings of one connection.
pub(super) fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"), [], |_| Ok(()))?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {KEPT}"), [], |_| Ok(()))
}

/// To be called after a commit. `tried` is the size at which a commit waited last. Failing is no fault: a later commit
/// tries again.
pub(super) fn bound(connection: &mut Connection, tried: &AtomicU64) {
    let Some(path) = connection.path() else { return };
    let size = std::fs::metadata(Path::new(&format!("{path}-wal"))).map_or(0, |m| m.len());
    if size < TOO_LARGE {
        tried.store(0, Ordering::Relaxed);
        return;
    }
    let last = tried.load(Ordering::Relaxed);
    if size < last + last / 2 {
        return;
    }
    tried.store(size, Ordering::Relaxed);
    let truncate = |c: &Connection| c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get::<_, bool>(0));
    let cut = open::be_patient(connection, PATIENCE).and_then(|()| truncate(connection));
    let as_before = open::be_patient(connection, open::PATIENCE);
    match cut.and_then(|busy| as_before.map(|()| busy)) {
        Ok(false) => {}
        Ok(true) => tracing::warn!(
            "the write-ahead log {path}-wal has {} MB, since another program has been reading the bus for long",
            size / 1_000_000,
            path = connection.path().unwrap_or_default()
        ),
        Err(error) => tracing::debug!(%error, "the write-ahead log could not be cut back"),
    }
}
