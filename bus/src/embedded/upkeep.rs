//! Keeping the file small, in short transactions: retention, compaction, what deleted topics leave, free pages.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::compaction::{self, Pass};
use super::fault::fault;
use super::{append, catalog};
use crate::Result;
use crate::clock::Clock;
use crate::topic::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS, RETENTION_MS};

/// Free pages that are kept for what comes next: 16 MiB.
const SPARE_PAGES: i64 = 256;
/// Pages that one step gives back, at most: 4 MiB.
const SHRINK_PAGES: i64 = 64;

/// Where the last step ended. Losing it costs a start over, no more.
#[derive(Default)]
pub(super) struct State {
    pass: Option<Pass>,
}

/// One short step. True when it did something, so that there may be more.
pub(super) fn step(connection: &mut Connection, clock: &Clock, state: &mut State) -> Result<bool> {
    let now = append::now(connection, clock)?;
    Ok(catalog::sweep(connection)?
        || retain(connection, now)?
        || compaction::step(connection, now, &mut state.pass)?
        || shrink(connection).map_err(fault(connection))?)
}

/// Removes some records that are older than the bus keeps them.
fn retain(connection: &mut Connection, now: i64) -> Result<bool> {
    let fault = fault(connection);
    let horizon = now - RETENTION_MS;
    let Some(expired) = first_expired(connection, horizon).map_err(&fault)? else { return Ok(false) };
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    if exists(&tx, expired).map_err(&fault)? {
        let until = catalog::first_since(&tx, expired, horizon).map_err(&fault)?;
        remove_first(&tx, expired, until).map_err(&fault)?;
    }
    tx.commit().map_err(&fault)?;
    Ok(true)
}

/// A partition whose oldest record is too old.
fn first_expired(connection: &mut Connection, horizon: i64) -> rusqlite::Result<Option<i64>> {
    let tx = connection.transaction()?;
    let sql = "SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic
               WHERE t.name IS NOT NULL AND t.cleanup = 'delete'";
    let mut partitions = tx.prepare_cached(sql)?;
    let mut rows = partitions.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let mut oldest = tx.prepare_cached(&format!("SELECT time FROM r{id} ORDER BY offset LIMIT 1"))?;
        if oldest.query_row([], |r| r.get::<_, i64>(0)).optional()?.is_some_and(|time| time < horizon) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Removes the oldest records of a partition, below the offset `until`, as many as make a short transaction. Returns
/// how many.
pub(super) fn remove_first(tx: &Connection, id: i64, until: i64) -> rusqlite::Result<usize> {
    // The length of a value is known without reading it.
    let sql = format!("SELECT offset, length(value) FROM r{id} WHERE offset < ?1 ORDER BY offset LIMIT ?2");
    let mut statement = tx.prepare_cached(&sql)?;
    let mut rows = statement.query(params![until, MAX_BATCH_RECORDS as i64])?;
    let (mut last, mut bytes) = (None, 0);
    while let Some(row) = rows.next()?
        && bytes < MAX_BATCH_BYTES as i64
    {
        last = Some(row.get::<_, i64>(0)?);
        bytes += row.get::<_, Option<i64>>(1)?.unwrap_or(0);
    }
    drop(rows);
    let Some(last) = last else { return Ok(0) };
    tx.prepare_cached(&format!("DELETE FROM r{id} WHERE offset <= ?1"))?.execute([last])
}

/// Whether a partition is still there, and its topic not deleted.
pub(super) fn exists(connection: &Connection, partition: i64) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM partitions p JOIN topics t ON t.id = p.topic WHERE p.id = ?1 AND t.name IS NOT NULL";
    connection.prepare_cached(sql)?.exists([partition])
}

/// Gives free pages back to the file system, where they are more than a quarter of the file.
fn shrink(connection: &mut Connection) -> rusqlite::Result<bool> {
    let number = |sql| connection.query_row(sql, [], |r| r.get::<_, i64>(0));
    let (free, pages) = (number("PRAGMA freelist_count")?, number("PRAGMA page_count")?);
    if free <= SPARE_PAGES || free <= pages / 4 {
        return Ok(false);
    }
    connection.execute_batch(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
    Ok(true)
}
