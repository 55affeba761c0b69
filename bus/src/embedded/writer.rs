//! The writing half of a member: one transaction that checks ownership, adds records and covers offsets.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, TransactionBehavior};

use super::fault::{fault, passing};
use super::group::{self, Member};
use super::{Log, append, lock, wal};
use crate::{Batch, Cover, Error, PublishError, Receipt, Result};

/// Writing half of a member.
pub struct Writer {
    log: Log,
    connection: Connection,
    member: Arc<Member>,
}

impl Writer {
    pub(super) fn new(log: Log, connection: Connection, member: Arc<Member>) -> Writer {
        Writer { log, connection, member }
    }

    pub(crate) fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        crate::limits::check(&batch.outputs)?;
        let receipt = self.transact(batch).map_err(|e| match e {
            PublishError::Bus(e) if passing(&e) => PublishError::Aborted(e.to_string()),
            e => e,
        })?;
        self.log.0.signal.raise();
        wal::bound(&mut self.connection, &self.log.0.wal_tried);
        Ok(receipt)
    }

    /// Whatever returns early here drops the transaction, which rolls it back.
    fn transact(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let fault = fault(&self.connection);
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
        let covered = fence(&tx, &self.log, &self.member, &batch.covers)?;
        let receipt = append::insert(&tx, &batch.outputs, &self.log.0.clock)?;
        for (part, next) in covered {
            cover(&tx, self.member.group, part, next).map_err(&fault)?;
        }
        tx.commit().map_err(&fault)?;
        Ok(receipt)
    }
}

/// Checks that the member owns all that it covers, under the epochs that it names; and that no cover steps back.
/// Returns what is to be noted, by partition id.
fn fence(tx: &Connection, log: &Log, member: &Member, covers: &[Cover]) -> Result<Vec<(i64, i64)>, PublishError> {
    let fault = fault(tx);
    let closed = member.closed.load(Ordering::SeqCst);
    let is_member = group::is_member(tx, member).map_err(&fault)?;
    if covers.is_empty() && !is_member {
        let holder = lock::holder(&log.0.locks, &member.name)?;
        return Err(PublishError::Fenced(holder.unwrap_or_else(|| "a later member of the same group".into())));
    }
    if covers.is_empty() && closed {
        return Err(PublishError::Lost(Vec::new()));
    }
    let mut covered = Vec::with_capacity(covers.len());
    let mut lost = Vec::new();
    for cover in covers {
        let place = if closed || !is_member { None } else { owned(tx, member, cover).map_err(&fault)? };
        match place {
            None => lost.push((cover.topic.clone(), cover.partition)),
            Some((part, end)) => {
                check(tx, member, cover, part, end)?;
                covered.push((part, cover.next));
            }
        }
    }
    if lost.is_empty() { Ok(covered) } else { Err(PublishError::Lost(lost)) }
}

/// Id and end of the covered partition, when it is owned under the cover's epoch.
fn owned(tx: &Connection, member: &Member, cover: &Cover) -> rusqlite::Result<Option<(i64, i64)>> {
    use rusqlite::{OptionalExtension, params};
    let sql = "SELECT p.id, p.next FROM topics t
               JOIN partitions p ON p.topic = t.id AND p.number = ?2
               JOIN owners o ON o.grp = ?3 AND o.part = p.id AND o.epoch = ?4
               WHERE t.name = ?1";
    let mut statement = tx.prepare_cached(sql)?;
    let wanted = params![cover.topic, cover.partition, member.group, cover.epoch.cast_signed()];
    statement.query_row(wanted, |r| Ok((r.get(0)?, r.get(1)?))).optional()
}

fn check(tx: &Connection, member: &Member, cover: &Cover, part: i64, end: i64) -> Result<()> {
    let committed = group::commit_of(tx, member.group, part).map_err(fault(tx))?.unwrap_or(0);
    if (committed..=end).contains(&cover.next) {
        return Ok(());
    }
    Err(Error::Other(format!(
        "offset {} cannot be committed for {}-{}: group `{}` stands at {committed}, the partition ends at {end}",
        cover.next, cover.topic, cover.partition, member.name
    )))
}

fn cover(tx: &Connection, group: i64, part: i64, next: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO commits (grp, part, next) VALUES (?1, ?2, ?3)
               ON CONFLICT (grp, part) DO UPDATE SET next = max(next, ?3)";
    tx.prepare_cached(sql)?.execute([group, part, next]).map(drop)
}
