//! Adding records inside a transaction: offsets, append times, rows.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension, TransactionBehavior, params};

use super::catalog::{Topic, no_partition};
use super::fault::fault;
use super::headers;
use crate::clock::Clock;
use crate::{Output, Receipt, Result};

/// Appends in a transaction of its own.
pub(super) fn append(connection: &mut Connection, outputs: &[Output], clock: &Clock) -> Result<Receipt> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    let receipt = insert(&tx, outputs, clock)?;
    tx.commit().map_err(&fault)?;
    Ok(receipt)
}

/// The append time that a record would get now: it never steps back, whatever the clock does.
pub(super) fn now(connection: &Connection, clock: &Clock) -> Result<i64> {
    let sql = "SELECT max((SELECT value FROM about WHERE name = 'time'), coalesce(max(time), 0)) FROM partitions";
    let read = |s: &mut CachedStatement| s.query_row([], |r| r.get::<_, i64>(0));
    let last = connection.prepare_cached(sql).and_then(|mut s| read(&mut s)).map_err(fault(connection))?;
    Ok(last.max(clock.now()))
}

/// Adds records within the open write transaction, in their order.
pub(super) fn insert(tx: &Connection, outputs: &[Output], clock: &Clock) -> Result<Receipt> {
    let fault = fault(tx);
    let time = now(tx, clock)?;
    let mut tails: Vec<Tail> = Vec::new();
    let mut known: HashMap<(&str, u32), usize> = HashMap::new();
    let mut offsets = Vec::with_capacity(outputs.len());
    let mut blob = Vec::new();
    for output in outputs {
        let place = (output.topic.as_str(), output.partition);
        let index = match known.get(&place) {
            Some(i) => *i,
            None => {
                tails.push(Tail::of(tx, place.0, place.1)?);
                known.insert(place, tails.len() - 1);
                tails.len() - 1
            }
        };
        let tail = &mut tails[index];
        let record = &output.record;
        headers::encode(&record.headers, &mut blob);
        tail.statement
            .execute(params![tail.next, time, &record.key[..], &blob[..], record.value.as_deref()])
            .map_err(&fault)?;
        offsets.push(tail.next);
        tail.next += 1;
    }
    let mut update = tx.prepare_cached("UPDATE partitions SET next = ?2, time = ?3 WHERE id = ?1").map_err(&fault)?;
    for tail in &tails {
        update.execute([tail.partition, tail.next, time]).map_err(&fault)?;
    }
    Ok(Receipt { offsets, time })
}

/// The end of one partition.
struct Tail<'c> {
    partition: i64,
    next: i64,
    statement: CachedStatement<'c>,
}

impl<'c> Tail<'c> {
    fn of(tx: &'c Connection, topic: &str, number: u32) -> Result<Tail<'c>> {
        let fault = fault(tx);
        let sql =
            "SELECT p.id, p.next FROM partitions p JOIN topics t ON t.id = p.topic WHERE t.name = ?1 AND p.number = ?2";
        let found = tx
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row(params![topic, number], |r| Ok((r.get(0)?, r.get(1)?))).optional())
            .map_err(&fault)?;
        let Some((partition, next)) = found else {
            let topic = Topic::find(tx, topic)?;
            return Err(no_partition(&topic.name, topic.partitions, number));
        };
        let sql = format!("INSERT INTO r{partition} VALUES (?1, ?2, ?3, ?4, ?5)");
        Ok(Tail { partition, next, statement: tx.prepare_cached(&sql).map_err(&fault)? })
    }
}
