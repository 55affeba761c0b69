//! Keeping the write-ahead log small: it is copied into the file after so many pages, and cut back.

use std::path::Path;

use rusqlite::Connection;

/// Pages of 64 KiB after which a commit copies the write-ahead log into the file: 32 MiB, two of the largest batches.
const CHECKPOINT_PAGES: i64 = 512;
/// Size to which it is cut back once it starts anew, bytes.
const KEPT: i64 = 64 << 20;
/// Size from which a commit waits for the readers that stand in the way of starting anew, bytes.
const TOO_LARGE: u64 = 96 << 20;

/// Settings of one connection.
pub(super) fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"), [], |_| Ok(()))?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {KEPT}"), [], |_| Ok(()))
}

/// After a commit: where overlapping readers have kept the write-ahead log from starting anew, waits for them once.
/// Failing is no fault: the next commit tries again.
pub(super) fn bound(connection: &Connection) {
    let Some(path) = connection.path() else { return };
    let large = std::fs::metadata(Path::new(&format!("{path}-wal"))).is_ok_and(|m| m.len() > TOO_LARGE);
    if large && let Err(e) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::debug!(error = %e, "the write-ahead log could not be cut back yet");
    }
}
