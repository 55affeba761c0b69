//! Compaction: of each key only the newest record stays, and a tombstone goes after a day.
//!
//! A pass over a partition first notes the newest offset of each key that was appended since the last pass, then
//! walks all records from the oldest on and removes those that have a newer one. What it removes would be removed at
//! any later time as well, so passes of several processes do not harm one another, and one that is cut off is begun
//! again. Small partitions are compacted as soon as there is anything new. In large ones, where a pass costs, half as
//! much again must have come, or a day gone by.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::fault::fault;
use super::upkeep::exists;
use crate::Result;

/// How long a tombstone stays, so that readers behind by less see it, milliseconds.
pub(super) const TOMBSTONE_MS: i64 = 24 * 3600 * 1000;
/// Longest time that something newer waits for a pass, milliseconds.
const PATIENCE_MS: i64 = 24 * 3600 * 1000;
/// Records up to which a partition is small.
const SMALL: i64 = 50_000;
/// Keys that one round of a pass notes, at most: about 16 MB of memory.
const KEYS: usize = 1 << 18;
/// Records that one step looks at, at most.
const LOOKED_AT: i64 = 10_000;
/// Records that one step removes, at most.
const REMOVED: usize = 1_000;

/// A pass that is under way.
pub(super) struct Pass {
    partition: i64,
    newest: Newest,
    /// Below it everything is noted.
    until: i64,
    /// Where noting ends.
    end: i64,
    /// Where the partition ended when the pass began. With more keys than can be noted it goes on in several rounds.
    goal: i64,
    /// Below it everything has been looked at, once noting is done.
    walked: i64,
    kept: i64,
    /// When the oldest tombstone that was kept goes.
    expiry: Option<i64>,
}

/// Newest offset of each key. Of a key two hashes under secret seeds are kept, 128 bits together: that two keys of a
/// partition agree in both will not happen, and nobody can bring it about.
#[derive(Default)]
struct Newest {
    seeds: (RandomState, RandomState),
    offsets: HashMap<(u64, u64), i64>,
}

impl Newest {
    fn hash(&self, key: &[u8]) -> (u64, u64) {
        (self.seeds.0.hash_one(key), self.seeds.1.hash_one(key))
    }

    fn note(&mut self, key: &[u8], offset: i64) {
        self.offsets.insert(self.hash(key), offset);
    }

    fn of(&self, key: &[u8]) -> Option<i64> {
        self.offsets.get(&self.hash(key)).copied()
    }
}

/// One short step of the pass under way, or the start of one that is due. False when none is.
pub(super) fn step(connection: &mut Connection, now: i64, pass: &mut Option<Pass>) -> Result<bool> {
    let fault = fault(connection);
    let Some(mut going) = pass.take() else {
        *pass = due(connection, now).map_err(&fault)?;
        return Ok(pass.is_some());
    };
    let done = if going.until < going.end { going.note(connection) } else { going.walk(connection, now) };
    if !done.map_err(&fault)? {
        *pass = Some(going);
    } else if going.end < going.goal {
        *pass = Some(Pass::new(going.partition, going.end, going.goal));
    }
    Ok(true)
}

/// The next pass that is worth its cost.
fn due(connection: &mut Connection, now: i64) -> rusqlite::Result<Option<Pass>> {
    let tx = connection.transaction()?;
    let sql = "SELECT p.id, p.next, p.cleaned, p.kept, p.expiry FROM partitions p JOIN topics t ON t.id = p.topic
               WHERE t.name IS NOT NULL AND t.cleanup = 'compact' AND (p.next > p.cleaned OR p.expiry <= ?1)";
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query([now])?;
    while let Some(row) = rows.next()? {
        let (partition, end, cleaned, kept): (i64, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let expired = row.get::<_, Option<i64>>(4)?.is_some_and(|at| at <= now);
        let new = end - cleaned;
        let worth = kept + new <= SMALL || new >= kept / 2;
        if expired || worth || first_time(&tx, partition, cleaned)?.is_some_and(|t| t < now - PATIENCE_MS) {
            return Ok(Some(Pass::new(partition, cleaned, end)));
        }
    }
    Ok(None)
}

/// Append time of the first record from an offset on.
fn first_time(connection: &Connection, partition: i64, from: i64) -> rusqlite::Result<Option<i64>> {
    let sql = format!("SELECT time FROM r{partition} WHERE offset >= ?1 ORDER BY offset LIMIT 1");
    connection.prepare_cached(&sql)?.query_row([from], |r| r.get(0)).optional()
}

impl Pass {
    fn new(partition: i64, from: i64, goal: i64) -> Pass {
        let newest = Newest::default();
        Pass { partition, newest, until: from, end: goal, goal, walked: 0, kept: 0, expiry: None }
    }

    /// Notes some keys. True when the pass has come to nothing, because the partition is gone.
    fn note(&mut self, connection: &mut Connection) -> rusqlite::Result<bool> {
        let tx = connection.transaction()?;
        if !exists(&tx, self.partition)? {
            return Ok(true);
        }
        let sql = format!(
            "SELECT offset, key FROM r{} WHERE offset >= ?1 AND offset < ?2 ORDER BY offset LIMIT {LOOKED_AT}",
            self.partition
        );
        let mut statement = tx.prepare_cached(&sql)?;
        let mut rows = statement.query([self.until, self.end])?;
        let mut looked_at = 0;
        while let Some(row) = rows.next()? {
            let offset = row.get(0)?;
            self.newest.note(row.get_ref(1)?.as_blob()?, offset);
            self.until = offset + 1;
            looked_at += 1;
        }
        if looked_at < LOOKED_AT {
            self.until = self.end;
        } else if self.newest.offsets.len() >= KEYS {
            // The rest is for the next round.
            self.end = self.until;
        }
        Ok(false)
    }

    /// Walks over some records and removes those that are superseded. True when the pass is done.
    fn walk(&mut self, connection: &mut Connection, now: i64) -> rusqlite::Result<bool> {
        let Some(found) = self.look(connection, now)? else { return Ok(true) };
        let finished = found.next >= self.end;
        if !found.superseded.is_empty() || finished {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if !exists(&tx, self.partition)? {
                return Ok(true);
            }
            let mut remove = tx.prepare_cached(&format!("DELETE FROM r{} WHERE offset = ?1", self.partition))?;
            for offset in &found.superseded {
                remove.execute([offset])?;
            }
            drop(remove);
            self.advance(&found);
            if finished {
                // Where somebody else's pass has come further meanwhile, what it noted stays.
                let sql = "UPDATE partitions SET cleaned = ?2, kept = ?3, expiry = ?4 WHERE id = ?1 AND cleaned <= ?2";
                tx.execute(sql, params![self.partition, self.end, self.kept, self.expiry])?;
            }
            tx.commit()?;
        } else {
            self.advance(&found);
        }
        Ok(finished)
    }

    /// The next records that are superseded; none when the partition is gone.
    fn look(&self, connection: &mut Connection, now: i64) -> rusqlite::Result<Option<Found>> {
        let tx = connection.transaction()?;
        if !exists(&tx, self.partition)? {
            return Ok(None);
        }
        let sql = format!(
            "SELECT offset, key, time, value IS NULL FROM r{} WHERE offset >= ?1 AND offset < ?2
             ORDER BY offset LIMIT {LOOKED_AT}",
            self.partition
        );
        let mut statement = tx.prepare_cached(&sql)?;
        let mut rows = statement.query([self.walked, self.end])?;
        let mut found = Found { superseded: Vec::new(), next: self.walked, kept: 0, expiry: None };
        let mut looked_at = 0;
        while found.superseded.len() < REMOVED {
            let Some(row) = rows.next()? else { break };
            let offset: i64 = row.get(0)?;
            looked_at += 1;
            found.next = offset + 1;
            let expiry = if row.get(3)? { Some(row.get::<_, i64>(2)? + TOMBSTONE_MS + 1) } else { None };
            let newer = self.newest.of(row.get_ref(1)?.as_blob()?).is_some_and(|newest| newest > offset);
            if newer || expiry.is_some_and(|at| at <= now) {
                found.superseded.push(offset);
            } else {
                found.kept += 1;
                found.expiry = [found.expiry, expiry].into_iter().flatten().min();
            }
        }
        if looked_at < LOOKED_AT && found.superseded.len() < REMOVED {
            found.next = self.end;
        }
        Ok(Some(found))
    }

    fn advance(&mut self, found: &Found) {
        self.walked = found.next;
        self.kept += found.kept;
        self.expiry = [self.expiry, found.expiry].into_iter().flatten().min();
    }
}

/// What one look at some records has found.
struct Found {
    superseded: Vec<i64>,
    /// Where the next look begins.
    next: i64,
    kept: i64,
    expiry: Option<i64>,
}
