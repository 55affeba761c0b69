//! Reading records of one partition: short statements, bounded batches.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, Row, params};

use super::fault::fault;
use super::headers;
use crate::{Delivered, Epoch, Error, Record, Result};

/// Most records of one batch.
const RECORDS: u32 = 1_000;
/// Most bytes of one batch, unless it is a single record.
const BYTES: usize = 16 << 20;

/// What still fits into a batch.
pub(super) struct Room {
    pub records: u32,
    pub bytes: usize,
}

impl Room {
    pub(super) fn new() -> Room {
        Room { records: RECORDS, bytes: BYTES }
    }

    /// The share of one of `n` partitions.
    pub(super) fn share(&self, n: u32) -> Room {
        Room { records: self.records.div_ceil(n), bytes: self.bytes / n as usize }
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}

/// A partition that is read.
#[derive(Clone)]
pub(super) struct Place {
    pub id: i64,
    pub topic: Arc<str>,
    pub number: u32,
}

/// Adds records from `from` on to `into`, as many as `share` allows; a record that is larger than the share is taken
/// when `into` is empty. Returns the offset to go on at.
pub(super) fn read(
    connection: &Connection,
    place: &Place,
    from: i64,
    epoch: Epoch,
    share: Room,
    into: &mut Vec<Delivered>,
) -> Result<i64> {
    let fault = fault(connection);
    let id = place.id;
    let sql =
        format!("SELECT offset, time, key, headers, value FROM r{id} WHERE offset >= ?1 ORDER BY offset LIMIT ?2");
    let mut statement: CachedStatement = connection.prepare_cached(&sql).map_err(&fault)?;
    let mut rows = statement.query(params![from, share.records]).map_err(&fault)?;
    let (mut next, mut bytes) = (from, share.bytes);
    while let Some(row) = rows.next().map_err(&fault)? {
        let (offset, time, key, blob, value) = columns(row).map_err(&fault)?;
        let size = key.len() + blob.len() + value.map_or(0, <[u8]>::len);
        if size > bytes && !into.is_empty() {
            break;
        }
        bytes = bytes.saturating_sub(size);
        let headers = headers::decode(Bytes::copy_from_slice(blob)).ok_or_else(|| Error::Decode {
            topic: place.topic.to_string(),
            partition: place.number,
            offset,
            reason: "its headers are damaged".into(),
        })?;
        let record = Record { key: Bytes::copy_from_slice(key), value: value.map(Bytes::copy_from_slice), headers };
        into.push(Delivered { topic: place.topic.to_string(), partition: place.number, offset, time, epoch, record });
        next = offset + 1;
    }
    Ok(next)
}

type Columns<'r> = (i64, i64, &'r [u8], &'r [u8], Option<&'r [u8]>);

fn columns<'r>(row: &'r Row) -> rusqlite::Result<Columns<'r>> {
    let value = row.get_ref(4)?.as_blob_or_null()?;
    Ok((row.get(0)?, row.get(1)?, row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_blob()?, value))
}
