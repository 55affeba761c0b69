//! Topics and their partitions: making, finding, deleting; offsets by place and by time.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::fault::fault;
use super::schema;
use crate::bus::Offsets;
use crate::{Cleanup, Error, Result, TopicSpec};

/// A topic as the file knows it.
pub(super) struct Topic {
    pub id: i64,
    pub uuid: String,
    pub name: String,
    pub partitions: u32,
    pub cleanup: Cleanup,
}

impl Topic {
    /// The topic of that name, or the error that it is missing.
    pub(super) fn find(connection: &Connection, name: &str) -> Result<Topic> {
        let bus = || connection.path().unwrap_or_default().to_owned();
        Topic::look(connection, name)?.ok_or_else(|| Error::NoTopic { topic: name.into(), bus: bus() })
    }

    fn look(connection: &Connection, name: &str) -> Result<Option<Topic>> {
        let sql = "SELECT id, uuid, name, partitions, cleanup FROM topics WHERE name = ?1";
        let mut statement = connection.prepare_cached(sql).map_err(fault(connection))?;
        statement.query_row([name], Topic::from_row).optional().map_err(fault(connection))
    }

    fn from_row(row: &rusqlite::Row) -> rusqlite::Result<Topic> {
        let cleanup = if row.get::<_, String>(4)? == "compact" { Cleanup::Compact } else { Cleanup::Delete };
        Ok(Topic { id: row.get(0)?, uuid: row.get(1)?, name: row.get(2)?, partitions: row.get(3)?, cleanup })
    }

    fn spec(self) -> TopicSpec {
        TopicSpec { name: self.name, partitions: self.partitions, cleanup: self.cleanup }
    }

    /// Id of one of its partitions.
    pub(super) fn partition(&self, connection: &Connection, number: u32) -> Result<i64> {
        let sql = "SELECT id FROM partitions WHERE topic = ?1 AND number = ?2";
        let mut statement = connection.prepare_cached(sql).map_err(fault(connection))?;
        let id = statement.query_row(params![self.id, number], |r| r.get(0)).optional().map_err(fault(connection))?;
        id.ok_or_else(|| no_partition(&self.name, self.partitions, number))
    }
}

impl Topic {
    /// Whether a partition still belongs to the topic of that name.
    pub(super) fn has(connection: &Connection, name: &str, partition: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM topics t JOIN partitions p ON p.topic = t.id WHERE t.name = ?1 AND p.id = ?2";
        let mut statement = connection.prepare_cached(sql).map_err(fault(connection))?;
        statement.exists(params![name, partition]).map_err(fault(connection))
    }
}

pub(super) fn no_partition(topic: &str, partitions: u32, number: u32) -> Error {
    Error::Other(format!("topic `{topic}` has {partitions} partitions, from 0; there is no partition {number}"))
}

/// Makes the topics that are missing, all or none. A setting that differs is changed, but for the partitions.
pub(super) fn ensure(connection: &mut Connection, specs: &[TopicSpec]) -> Result<()> {
    let mut missing = false;
    for spec in specs {
        check_name(spec)?;
        missing |= !exists(connection, spec)?;
    }
    if !missing {
        return Ok(());
    }
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    for spec in specs {
        make(&tx, spec)?;
    }
    tx.commit().map_err(&fault)
}

fn exists(connection: &Connection, spec: &TopicSpec) -> Result<bool> {
    let Some(found) = Topic::look(connection, &spec.name)? else { return Ok(false) };
    if found.partitions != spec.partitions {
        let topic = spec.name.clone();
        return Err(Error::Partitions { topic, found: found.partitions, wanted: spec.partitions });
    }
    Ok(found.cleanup == spec.cleanup)
}

fn make(tx: &Connection, spec: &TopicSpec) -> Result<()> {
    let fault = fault(tx);
    if exists(tx, spec)? {
        return Ok(());
    }
    let cleanup = if spec.cleanup == Cleanup::Compact { "compact" } else { "delete" };
    let changed = tx.execute("UPDATE topics SET cleanup = ?2 WHERE name = ?1", [&spec.name[..], cleanup]);
    if changed.map_err(&fault)? == 1 {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO topics (uuid, name, partitions, cleanup) VALUES (?1, ?2, ?3, ?4)",
        params![uuid::Uuid::now_v7().to_string(), spec.name, spec.partitions, cleanup],
    )
    .map_err(&fault)?;
    let topic = tx.last_insert_rowid();
    for number in 0..spec.partitions {
        tx.execute("INSERT INTO partitions (topic, number) VALUES (?1, ?2)", params![topic, number]).map_err(&fault)?;
        tx.execute_batch(&schema::records(tx.last_insert_rowid())).map_err(&fault)?;
    }
    Ok(())
}

/// Names that Kafka takes too.
fn check_name(spec: &TopicSpec) -> Result<()> {
    let name = &spec.name;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.bytes().all(good) {
        let rule = "use up to 249 letters, digits, dots, underscores and dashes";
        return Err(Error::Other(format!("topic name `{name}` is not possible; {rule}")));
    }
    if spec.partitions == 0 {
        return Err(Error::Other(format!("topic `{name}` needs at least one partition")));
    }
    Ok(())
}

pub(super) fn topics(connection: &Connection) -> Result<Vec<TopicSpec>> {
    let sql = "SELECT id, uuid, name, partitions, cleanup FROM topics WHERE name IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare_cached(sql).map_err(fault(connection))?;
    let rows = statement.query_map([], |r| Topic::from_row(r).map(Topic::spec)).map_err(fault(connection))?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault(connection))
}

pub(super) fn topic_id(connection: &Connection, topic: &str) -> Result<String> {
    Topic::find(connection, topic).map(|t| t.uuid)
}

pub(super) fn offsets(connection: &Connection, topic: &str, partition: u32) -> Result<Offsets> {
    let id = Topic::find(connection, topic)?.partition(connection, partition)?;
    // One statement sees one state of the file.
    let sql = format!("SELECT coalesce((SELECT min(offset) FROM r{id}), next), next FROM partitions WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(fault(connection))?;
    let (start, end) = statement.query_row([id], |r| Ok((r.get(0)?, r.get(1)?))).map_err(fault(connection))?;
    Ok(Offsets { start, stable: end, end })
}

pub(super) fn offset_at(connection: &mut Connection, topic: &str, partition: u32, time: i64) -> Result<i64> {
    let fault = fault(connection);
    let tx = connection.transaction().map_err(&fault)?;
    let id = Topic::find(&tx, topic)?.partition(&tx, partition)?;
    first_since(&tx, id, time).map_err(&fault)
}

/// Offset of the first record with an append time at or after `time`, else the end. Times never step back within a
/// partition, so halving finds it.
pub(super) fn first_since(connection: &Connection, id: i64, time: i64) -> rusqlite::Result<i64> {
    let next: i64 =
        connection.prepare_cached("SELECT next FROM partitions WHERE id = ?1")?.query_row([id], |r| r.get(0))?;
    let sql = format!("SELECT offset, time FROM r{id} WHERE offset >= ?1 ORDER BY offset LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut from = |offset: i64| -> rusqlite::Result<Option<(i64, i64)>> {
        statement.query_row([offset], |r| Ok((r.get(0)?, r.get(1)?))).optional()
    };
    // Every record below `low` is too old; no record from `high` on is.
    let (mut low, mut high) = (from(0)?.map_or(next, |(first, _)| first), next);
    while low < high {
        let middle = low + (high - low) / 2;
        match from(middle)? {
            Some((offset, t)) if t < time => low = offset + 1,
            _ => high = middle,
        }
    }
    Ok(from(low)?.map_or(next, |(offset, _)| offset))
}

/// Deletes a topic at once, for everybody; [`sweep`] removes its records.
pub(super) fn delete(connection: &mut Connection, topic: &str) -> Result<()> {
    let fault = fault(connection);
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    let found = Topic::find(&tx, topic)?;
    let ids = "(SELECT id FROM partitions WHERE topic = ?1)";
    for sql in [
        &format!("DELETE FROM owners WHERE part IN {ids}"),
        &format!("DELETE FROM commits WHERE part IN {ids}"),
        // What was said about append times holds although the records are gone.
        "UPDATE about SET value = max(value, (SELECT max(time) FROM partitions WHERE topic = ?1)) WHERE name = 'time'",
        "UPDATE topics SET name = NULL WHERE id = ?1",
    ] {
        tx.execute(sql, [found.id]).map_err(&fault)?;
    }
    tx.commit().map_err(&fault)
}

/// Removes some records of deleted topics, in one short transaction. True while there are more.
pub(super) fn sweep(connection: &mut Connection) -> Result<bool> {
    let fault = fault(connection);
    let sql = "SELECT t.id, p.id FROM topics t LEFT JOIN partitions p ON p.topic = t.id WHERE t.name IS NULL LIMIT 1";
    let look = |c: &Connection| -> rusqlite::Result<Option<(i64, Option<i64>)>> {
        c.prepare_cached(sql)?.query_row([], |r| Ok((r.get(0)?, r.get(1)?))).optional()
    };
    if look(connection).map_err(&fault)?.is_none() {
        return Ok(false);
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fault)?;
    match look(&tx).map_err(&fault)? {
        None => return Ok(false),
        Some((topic, None)) => {
            tx.execute("DELETE FROM topics WHERE id = ?1", [topic]).map_err(&fault)?;
        }
        Some((_, Some(id))) => {
            if super::upkeep::remove_first(&tx, id, i64::MAX).map_err(&fault)? == 0 {
                tx.execute_batch(&format!("DROP TABLE r{id}")).map_err(&fault)?;
                tx.execute("DELETE FROM partitions WHERE id = ?1", [id]).map_err(&fault)?;
            }
        }
    }
    tx.commit().map_err(&fault)?;
    Ok(true)
}
