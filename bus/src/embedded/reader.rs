//! The reading half of a member: waits cheaply, reads fairly, keeps no more than one batch in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Log;
use super::fault::fault;
use super::group::{self, Member};
use super::lock::{self, Held};
use super::rows::{Place, Room, read};
use crate::{Assignment, Delivered, Epoch, Error, Event, Result};

/// Longest pause between two looks at the file's version, for what other processes write.
const NAP: Duration = Duration::from_millis(20);

/// Reading half of a member. Dropping it leaves the group.
pub struct Reader {
    log: Log,
    connection: Connection,
    member: Arc<Member>,
    owned: Vec<Own>,
    /// Partitions that were released, to be claimed again.
    free: Vec<Place>,
    /// Index of the partition that is read first next time.
    turn: usize,
    /// The file's version when everything had been read; none when something may be there to read.
    version: Option<i64>,
    /// Somebody has taken the group away, and that was told as [`Event::Lost`].
    lost: bool,
    _held: Held,
}

/// A partition that this member owns.
pub(super) struct Own {
    pub place: Place,
    pub epoch: Epoch,
    pub committed: Option<i64>,
    position: i64,
    state: State,
    paused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Owned, but not told yet.
    New,
    Reading,
    Revoking,
}

impl Own {
    pub(super) fn new(place: Place, epoch: Epoch, committed: Option<i64>) -> Own {
        Own { place, epoch, committed, position: committed.unwrap_or(0), state: State::New, paused: false }
    }

    fn assignment(&self) -> Assignment {
        let (topic, partition) = (self.place.topic.to_string(), self.place.number);
        Assignment { topic, partition, epoch: self.epoch, committed: self.committed }
    }
}

impl Reader {
    pub(super) fn new(log: Log, connection: Connection, held: Held, member: Arc<Member>, owned: Vec<Own>) -> Reader {
        Reader { log, connection, member, owned, free: Vec::new(), turn: 0, version: None, lost: false, _held: held }
    }

    pub(crate) fn poll(&mut self, timeout: Duration) -> Result<Event> {
        let start = Instant::now();
        loop {
            let seen = self.log.0.signal.count();
            let version = self.version()?;
            if self.version != Some(version) {
                if let Some(event) = self.change()? {
                    self.version = None;
                    return Ok(event);
                }
                let batch = self.batch()?;
                if !batch.is_empty() {
                    self.version = None;
                    return Ok(Event::Records(batch));
                }
                self.version = Some(version);
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(Event::Idle);
            }
            self.log.0.signal.wait(seen, left.min(NAP));
        }
    }

    pub(crate) fn release(&mut self, partitions: &[Assignment]) -> Result<()> {
        let ours: Vec<usize> = (0..self.owned.len()).filter(|i| partitions.iter().any(|p| self.is(*i, p))).collect();
        let ids: Vec<_> = ours.iter().map(|i| (self.owned[*i].place.id, self.owned[*i].epoch)).collect();
        group::release(&mut self.connection, &self.member, &ids)?;
        for i in ours.into_iter().rev() {
            self.free.push(self.owned.remove(i).place);
        }
        self.version = None;
        Ok(())
    }

    pub(crate) fn pause(&mut self, topic: &str, partition: u32) -> Result<()> {
        self.own(topic, partition)?.paused = true;
        Ok(())
    }

    pub(crate) fn resume(&mut self, topic: &str, partition: u32) -> Result<()> {
        self.own(topic, partition)?.paused = false;
        self.version = None;
        Ok(())
    }

    pub(crate) fn seek(&mut self, topic: &str, partition: u32, offset: i64) -> Result<()> {
        self.own(topic, partition)?.position = offset;
        self.version = None;
        Ok(())
    }

    fn own(&mut self, topic: &str, partition: u32) -> Result<&mut Own> {
        let found = self.owned.iter_mut().find(|o| &*o.place.topic == topic && o.place.number == partition);
        found.ok_or_else(|| Error::Other(format!("partition {topic}-{partition} is not assigned to this member")))
    }

    fn is(&self, index: usize, a: &Assignment) -> bool {
        let own = &self.owned[index];
        *own.place.topic == a.topic && own.place.number == a.partition && own.epoch == a.epoch
    }

    /// Changes when another connection has committed something.
    fn version(&self) -> Result<i64> {
        let look = |c: &Connection| c.prepare_cached("PRAGMA data_version")?.query_row([], |r| r.get(0));
        look(&self.connection).map_err(fault(&self.connection))
    }

    /// What has become of the partitions, where there is news.
    fn change(&mut self) -> Result<Option<Event>> {
        if self.lost {
            let holder = lock::holder(&self.log.0.locks, &self.member.name)?;
            let holder = holder.unwrap_or_else(|| "a later member of the same group".into());
            return Err(lock::busy(&self.member.name, &holder));
        }
        let fault = fault(&self.connection);
        if !group::is_member(&self.connection, &self.member).map_err(&fault)? {
            self.lost = true;
            return Ok(Some(Event::Lost(self.owned.drain(..).map(|o| o.assignment()).collect())));
        }
        // What the file says of each: whether it is asked back, none when it is ours no more.
        let mut asked = Vec::with_capacity(self.owned.len());
        for own in &self.owned {
            let owner = group::owner(&self.connection, self.member.group, own.place.id).map_err(&fault)?;
            asked.push(owner.filter(|(epoch, _)| *epoch == own.epoch).map(|(_, asked)| asked));
        }
        if asked.iter().any(Option::is_none) {
            let mut asked = asked.into_iter();
            let lost = self.owned.extract_if(.., |_| asked.next().flatten().is_none());
            return Ok(Some(Event::Lost(lost.map(|o| o.assignment()).collect())));
        }
        let both = self.owned.iter_mut().zip(asked);
        let revoking =
            tell(both.filter(|(_, asked)| *asked == Some(true)).map(|(o, _)| o), State::Reading, State::Revoking);
        if !revoking.is_empty() {
            return Ok(Some(Event::Revoking(revoking)));
        }
        if !self.free.is_empty() {
            let claimed = group::claim(&mut self.connection, &self.member, &self.free)?;
            self.free.clear();
            self.owned.extend(claimed);
        }
        let assigned = tell(self.owned.iter_mut(), State::New, State::Reading);
        Ok((!assigned.is_empty()).then_some(Event::Assigned(assigned)))
    }

    /// The next records, of all partitions in turn.
    fn batch(&mut self) -> Result<Vec<Delivered>> {
        let mut batch = Vec::new();
        let mut room = Room::new();
        let n = self.owned.len();
        // At first each partition gets its share, then whoever has more gets what is left.
        for share in [n.max(1) as u32, 1] {
            for i in (0..n).map(|i| (self.turn + i) % n) {
                let own = &mut self.owned[i];
                if own.paused || own.state != State::Reading || room.is_used_up() {
                    continue;
                }
                let before = batch.len();
                own.position =
                    read(&self.connection, &own.place, own.position, own.epoch, room.share(share), &mut batch)?;
                room.records -= (batch.len() - before) as u32;
                let bytes: usize = batch[before..].iter().map(|d| d.record.size()).sum();
                room.bytes = room.bytes.saturating_sub(bytes);
            }
        }
        self.turn = if n == 0 { 0 } else { (self.turn + 1) % n };
        Ok(batch)
    }
}

/// Moves partitions from one state to the next and says which.
fn tell<'o>(partitions: impl Iterator<Item = &'o mut Own>, from: State, to: State) -> Vec<Assignment> {
    let moved = partitions.filter(|o| o.state == from);
    moved
        .map(|own| {
            own.state = to;
            own.assignment()
        })
        .collect()
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The writer may live on; it must not publish for a group that somebody else may join from now on.
        self.member.closed.store(true, Ordering::SeqCst);
        if let Err(e) = group::leave(&mut self.connection, &self.member) {
            tracing::debug!(error = %e, "leaving the group could not be noted; the next member's join ends it");
        }
    }
}
