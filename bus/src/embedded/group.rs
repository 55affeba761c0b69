//! Groups: joining, owning, committing, releasing. What a group owns stands in the file, so that every transaction
//! can check it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::Log;
use super::catalog::Topic;
use super::fault::fault;
use super::lock;
use super::reader::{Own, Reader};
use super::rows::Place;
use super::writer::Writer;
use crate::bus::Lag;
use crate::{Epoch, Result};

/// One member, as its two halves know it.
pub(super) struct Member {
    pub group: i64,
    pub name: String,
    pub generation: i64,
    /// The reader is gone: nothing is owned any more, whatever the file says.
    pub closed: AtomicBool,
}

/// Takes the group's lock, then everything that its topics have.
pub(super) fn join(log: &Log, group: &str, instance: &str, topics: &[&str]) -> Result<(Reader, Writer)> {
    let held = lock::hold(&log.0.locks, group, instance)?;
    let mut connection = log.connect()?;
    let (member, owned) = enter(&mut connection, group, instance, topics)?;
    let member = Arc::new(member);
    let writer = Writer::new(log.clone(), log.connect()?, member.clone());
    Ok((Reader::new(log.clone(), connection, held, member, owned), writer))
}

fn enter(connection: &mut Connection, group: &str, instance: &str, topics: &[&str]) -> Result<(Member, Vec<Own>)> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    let sql = "INSERT INTO groups (name, generation, epoch, member) VALUES (?1, 1, 1, ?2)
               ON CONFLICT (name) DO UPDATE SET generation = generation + 1, epoch = epoch + 1, member = ?2
               RETURNING id, generation, epoch";
    let (id, generation, epoch): (i64, i64, i64) =
        tx.query_row(sql, [group, instance], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).map_err(&fault)?;
    tx.execute("DELETE FROM owners WHERE grp = ?1", [id]).map_err(&fault)?;
    let mut owned = Vec::new();
    for (n, name) in topics.iter().enumerate() {
        if topics[..n].contains(name) {
            continue;
        }
        let topic = Topic::find(&tx, name)?;
        for number in 0..topic.partitions {
            let place = Place { id: topic.partition(&tx, number)?, topic: (*name).into(), number };
            owned.push(own(&tx, id, place, epoch).map_err(&fault)?);
        }
    }
    tx.commit().map_err(&fault)?;
    let member = Member { group: id, name: group.into(), generation, closed: AtomicBool::new(false) };
    Ok((member, owned))
}

fn own(tx: &Connection, group: i64, place: Place, epoch: i64) -> rusqlite::Result<Own> {
    tx.execute("INSERT OR REPLACE INTO owners (grp, part, epoch) VALUES (?1, ?2, ?3)", [group, place.id, epoch])?;
    let committed = commit_of(tx, group, place.id)?;
    Ok(Own::new(place, epoch.unsigned_abs(), committed))
}

/// Takes released partitions again, under a new epoch. Those of topics that are gone are left out.
pub(super) fn claim(connection: &mut Connection, member: &Member, places: &[Place]) -> Result<Vec<Own>> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    if !is_member(&tx, member).map_err(&fault)? {
        return Ok(Vec::new());
    }
    let epoch: i64 = tx
        .query_row("UPDATE groups SET epoch = epoch + 1 WHERE id = ?1 RETURNING epoch", [member.group], |r| r.get(0))
        .map_err(&fault)?;
    let mut owned = Vec::new();
    for place in places {
        if Topic::has(&tx, &place.topic, place.id)? {
            owned.push(own(&tx, member.group, place.clone(), epoch).map_err(&fault)?);
        }
    }
    tx.commit().map_err(&fault)?;
    Ok(owned)
}

/// Ends the epochs of partitions that are still owned under them.
pub(super) fn release(connection: &mut Connection, member: &Member, places: &[(i64, Epoch)]) -> Result<()> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    if !is_member(&tx, member).map_err(&fault)? {
        return Ok(());
    }
    for (id, epoch) in places {
        tx.execute(
            "DELETE FROM owners WHERE grp = ?1 AND part = ?2 AND epoch = ?3",
            params![member.group, id, epoch.cast_signed()],
        )
        .map_err(&fault)?;
    }
    tx.commit().map_err(&fault)
}

/// Ends all epochs of a member that leaves.
pub(super) fn leave(connection: &mut Connection, member: &Member) -> Result<()> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    if is_member(&tx, member).map_err(&fault)? {
        tx.execute("DELETE FROM owners WHERE grp = ?1", [member.group]).map_err(&fault)?;
    }
    tx.commit().map_err(&fault)
}

/// True while nobody has joined the group after this member.
pub(super) fn is_member(connection: &Connection, member: &Member) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT generation FROM groups WHERE id = ?1")?;
    let generation: Option<i64> = statement.query_row([member.group], |r| r.get(0)).optional()?;
    Ok(generation == Some(member.generation))
}

/// Epoch under which a group owns a partition, and whether it is asked to give it up.
pub(super) fn owner(connection: &Connection, group: i64, part: i64) -> rusqlite::Result<Option<(Epoch, bool)>> {
    let mut statement = connection.prepare_cached("SELECT epoch, revoking FROM owners WHERE grp = ?1 AND part = ?2")?;
    statement.query_row([group, part], |r| Ok((r.get::<_, i64>(0)?.cast_unsigned(), r.get(1)?))).optional()
}

/// Asks for partitions back.
pub(super) fn revoke(connection: &mut Connection, group: &str, topic: &str, partitions: &[u32]) -> Result<()> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    let topic = Topic::find(&tx, topic)?;
    for number in partitions {
        let part = topic.partition(&tx, *number)?;
        tx.execute(
            "UPDATE owners SET revoking = 1 WHERE part = ?1 AND grp = (SELECT id FROM groups WHERE name = ?2)",
            params![part, group],
        )
        .map_err(&fault)?;
    }
    tx.commit().map_err(&fault)
}

/// Committed offset of one partition, by ids.
pub(super) fn commit_of(connection: &Connection, group: i64, part: i64) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT next FROM commits WHERE grp = ?1 AND part = ?2")?;
    statement.query_row([group, part], |r| r.get(0)).optional()
}

pub(super) fn committed(connection: &mut Connection, group: &str, topic: &str) -> Result<Vec<Option<i64>>> {
    Ok(lag(connection, group, topic)?.into_iter().map(|l| l.committed).collect())
}

pub(super) fn lag(connection: &mut Connection, group: &str, topic: &str) -> Result<Vec<Lag>> {
    let fault = fault(connection);
    let tx = connection.transaction().map_err(&fault)?;
    let topic = Topic::find(&tx, topic)?;
    let sql = "SELECT id FROM groups WHERE name = ?1";
    let group: Option<i64> = tx.query_row(sql, [group], |r| r.get(0)).optional().map_err(&fault)?;
    let mut lags = Vec::new();
    for partition in 0..topic.partitions {
        let id = topic.partition(&tx, partition)?;
        let committed = group.map_or(Ok(None), |g| commit_of(&tx, g, id)).map_err(&fault)?;
        let offsets = super::catalog::offsets(&tx, &topic.name, partition)?;
        let from = committed.unwrap_or(offsets.start).max(offsets.start);
        let records = (offsets.stable - from).max(0);
        lags.push(Lag { topic: topic.name.clone(), partition, committed, records });
    }
    Ok(lags)
}
