//! The reading half of a member: takes what its consumer's thread has put aside.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::member::{Command, Member, State};
use super::stash;
use crate::{Assignment, Error, Event, Result};

/// A small batch waits this long for more, so that no program is woken for every record.
const LINGER: Duration = Duration::from_millis(5);
/// From here on a batch is not small.
const ENOUGH_RECORDS: usize = 1_000;
const ENOUGH_BYTES: usize = 1 << 20;

/// Reading half of a member. Dropping it closes the consumer; the member keeps its place in the group for the session
/// timeout, for its restart.
pub struct Reader {
    member: Arc<Member>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(super) fn new(member: Arc<Member>, thread: JoinHandle<()>) -> Reader {
        Reader { member, thread: Some(thread) }
    }

    pub(crate) fn poll(&mut self, timeout: Duration) -> Result<Event> {
        let until = Instant::now() + timeout;
        let mut state = self.member.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Ok(event);
            }
            if let Some(failure) = &state.failed {
                return Err(self.member.error(failure));
            }
            let (records, bytes) = stash::size(&state.owned);
            let now = Instant::now();
            let mut wait = until.saturating_duration_since(now);
            if records > 0 {
                let ripe = state.since.map_or(now, |since| since + LINGER);
                let small = records < ENOUGH_RECORDS && bytes < ENOUGH_BYTES;
                if !small || ripe <= now || wait.is_zero() {
                    return Ok(self.take(state));
                }
                wait = wait.min(ripe - now);
            } else {
                state.since = None;
                if wait.is_zero() {
                    return Ok(Event::Idle);
                }
            }
            state = self.member.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn take(&self, mut guard: std::sync::MutexGuard<'_, State>) -> Event {
        let state = &mut *guard;
        let batch = stash::batch(&mut state.owned, state.turn);
        state.turn = (state.turn + 1) % state.owned.len().max(1);
        // what is left has waited already
        state.since = (stash::size(&state.owned).0 > 0).then(Instant::now);
        drop(guard);
        self.member.changed.notify_all();
        Event::Records(batch)
    }

    pub(crate) fn release(&mut self, partitions: &[Assignment]) -> Result<()> {
        // waits until no transaction is open
        let _gate = self.member.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.member.state();
        state.owned.retain(|own| !partitions.iter().any(|p| own.is(&p.topic, p.partition) && own.epoch == p.epoch));
        drop(state);
        self.member.changed.notify_all();
        Ok(())
    }

    pub(crate) fn pause(&mut self, topic: &str, partition: u32) -> Result<()> {
        self.change(topic, partition, Command::Pause(topic.to_owned(), partition), |own| own.paused = true)
    }

    pub(crate) fn resume(&mut self, topic: &str, partition: u32) -> Result<()> {
        self.change(topic, partition, Command::Resume(topic.to_owned(), partition), |own| own.paused = false)
    }

    pub(crate) fn seek(&mut self, topic: &str, partition: u32, offset: i64) -> Result<()> {
        self.change(topic, partition, Command::Seek(topic.to_owned(), partition, offset), |own| {
            own.clear();
            own.seeking = true;
            own.position = offset;
        })
    }

    fn change(
        &self,
        topic: &str,
        partition: u32,
        command: Command,
        change: impl FnOnce(&mut stash::Own),
    ) -> Result<()> {
        let mut state = self.member.state();
        let Some(own) = state.owned.iter_mut().find(|own| own.is(topic, partition)) else {
            return Err(Error::Other(format!("partition {topic}-{partition} is not assigned to this member")));
        };
        change(own);
        state.commands.push(command);
        drop(state);
        self.member.changed.notify_all();
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        {
            let mut state = self.member.state();
            state.closed = true;
            state.owned.clear();
        }
        self.member.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // if it panicked, its consumer was dropped with it
            let _ = thread.join();
        }
    }
}
