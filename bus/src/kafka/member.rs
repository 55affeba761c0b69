//! One member of a group, as its reader, its writer and its consumer's thread know it: what it owns, under which epochs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, RwLock, Weak};
use std::time::Instant;

use rdkafka::consumer::BaseConsumer;

use super::context::{self, Context};
use super::stash::Own;
use super::transact::Transactions;
use super::{Kafka, Reader, Writer, admin, consume, lock};
use crate::{Cover, Epoch, Error, Event, PublishError, Result};

/// What the halves of a member share.
pub(super) struct Member {
    pub kafka: Kafka,
    /// Group, without the prefix.
    pub group: String,
    pub instance: String,
    /// None when it was closed.
    consumer: Mutex<Option<Arc<BaseConsumer<Context>>>>,
    state: Mutex<State>,
    /// Something in the state has changed.
    pub changed: Condvar,
    /// Shared by a publish, so that no partition is given up while its transaction is open.
    pub gate: RwLock<()>,
}

/// What changes.
pub(super) struct State {
    pub owned: Vec<Own>,
    /// What the program is to be told before it gets any more records.
    pub events: VecDeque<Event>,
    /// What the thread is to do.
    pub commands: Vec<Command>,
    /// Index of the partition that is read first next time.
    pub turn: usize,
    /// When the first of the records that wait has come.
    pub since: Option<Instant>,
    /// The reader is gone: nothing is owned any more.
    pub closed: bool,
    /// The consumer that the group has thrown out.
    pub expelled: Weak<BaseConsumer<Context>>,
    pub failed: Option<Failure>,
}

/// What the thread is asked to do with one partition.
pub(super) enum Command {
    Pause(String, u32),
    Resume(String, u32),
    Seek(String, u32, i64),
    /// For tests: give it up and take it again.
    Revoke(String, u32),
}

/// Why a member cannot go on.
#[derive(Clone)]
pub(super) enum Failure {
    /// Another process has its name.
    Twin,
    Other(String),
}

impl Member {
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub fn consumer(&self) -> Option<Arc<BaseConsumer<Context>>> {
        lock(&self.consumer).clone()
    }

    /// Makes the consumer.
    pub fn make_consumer(&self) -> Result<()> {
        let inner = &self.kafka.0;
        let full = self.kafka.full(&self.group);
        let config = inner.properties.member(&inner.address, &full, &self.instance);
        let consumer = context::consumer(&config, Context::new(inner.causes.clone()))?;
        *lock(&self.consumer) = Some(Arc::new(consumer));
        Ok(())
    }

    /// Takes the consumer away, to close it.
    pub fn take_consumer(&self) -> Option<Arc<BaseConsumer<Context>>> {
        lock(&self.consumer).take()
    }

    /// Has the thread do something, and wakes it.
    pub fn command(&self, command: Command) {
        self.state().commands.push(command);
        self.changed.notify_all();
    }

    /// Notes that the group does not know this consumer any more. A consumer that waits until the program has released a partition
    /// does not find out by itself.
    pub fn expel(&self, consumer: &Arc<BaseConsumer<Context>>) {
        self.state().expelled = Arc::downgrade(consumer);
        self.changed.notify_all();
    }

    /// Notes why it cannot go on.
    pub fn fail(&self, failure: Failure) {
        self.state().failed.get_or_insert(failure);
        self.changed.notify_all();
    }

    pub fn error(&self, failure: &Failure) -> Error {
        match failure {
            Failure::Twin => Error::Busy { group: self.group.clone(), holder: self.twin() },
            Failure::Other(text) => Error::Other(text.clone()),
        }
    }

    /// Who has fenced this member.
    pub fn twin(&self) -> String {
        format!(
            "another process with the same instance name `{}`, which has joined after this one (give each its own --instance)",
            self.instance
        )
    }

    pub fn revoke(&self, group: &str, topic: &str, partition: u32) {
        if self.group == group {
            self.command(Command::Revoke(topic.to_owned(), partition));
        }
    }

    /// Checks that all that is covered is owned, under the epochs that the covers name, and that no cover steps back or
    /// runs ahead of what is there.
    pub fn check(&self, covers: &[Cover]) -> Result<(), PublishError> {
        let mut ahead = Vec::new();
        {
            let state = self.state();
            if let Some(Failure::Twin) = state.failed {
                return Err(PublishError::Fenced(self.twin()));
            }
            let owner = |cover: &Cover| {
                let own = state.owned.iter().find(|own| own.is(&cover.topic, cover.partition));
                own.filter(|own| own.epoch == cover.epoch && !state.closed)
            };
            let lost = covers.iter().filter(|cover| owner(cover).is_none());
            let lost: Vec<_> = lost.map(|cover| (cover.topic.clone(), cover.partition)).collect();
            if !lost.is_empty() || (state.closed && covers.is_empty()) {
                return Err(PublishError::Lost(lost));
            }
            for cover in covers {
                let Some(own) = owner(cover) else { continue };
                if cover.next < own.committed {
                    return Err(self.misplaced(cover, &format!("stands at {}", own.committed)).into());
                }
                if cover.next > own.seen {
                    ahead.push(cover);
                }
            }
        }
        for cover in ahead {
            let end = self.kafka.offsets(&cover.topic, cover.partition)?.end;
            if cover.next > end {
                return Err(self.misplaced(cover, &format!("reads a partition that ends at {end}")).into());
            }
        }
        Ok(())
    }

    fn misplaced(&self, cover: &Cover, why: &str) -> Error {
        let Cover { topic, partition, next, .. } = cover;
        Error::Other(format!("offset {next} cannot be committed for {topic}-{partition}: group `{}` {why}", self.group))
    }

    /// Notes what a transaction has committed.
    pub fn committed(&self, covers: &[Cover]) {
        let mut state = self.state();
        for cover in covers {
            if let Some(own) =
                state.owned.iter_mut().find(|o| o.is(&cover.topic, cover.partition) && o.epoch == cover.epoch)
            {
                own.committed = own.committed.max(cover.next);
            }
        }
    }
}

/// Numbers assignments. It begins with the time, so that a later process has greater ones.
pub(super) fn next_epoch() -> Epoch {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(chrono::Utc::now().timestamp_micros().unsigned_abs()));
    NEXT.fetch_add(1, Ordering::Relaxed) + 1
}

/// Joins a group. The producer comes first: making it ends the transaction that a predecessor of the same name has left open,
/// which the group's offsets would else wait for.
pub(super) fn join(kafka: &Kafka, group: &str, instance: &str, topics: &[&str]) -> Result<(Reader, Writer)> {
    for topic in topics {
        admin::partitions(kafka, topic)?;
        // so that it is noticed when one is made anew
        kafka.topic_id(topic)?;
    }
    let transactions = Transactions::begin(kafka, &kafka.full(&format!("{group}-{instance}")))?;
    let member = Arc::new(Member {
        kafka: kafka.clone(),
        group: group.into(),
        instance: instance.into(),
        consumer: Mutex::default(),
        state: Mutex::new(State {
            owned: Vec::new(),
            events: VecDeque::new(),
            commands: Vec::new(),
            turn: 0,
            since: None,
            closed: false,
            expelled: Weak::new(),
            failed: None,
        }),
        changed: Condvar::new(),
        gate: RwLock::new(()),
    });
    member.make_consumer()?;
    let topics: Vec<String> = topics.iter().map(|topic| kafka.full(topic)).collect();
    let thread = consume::start(member.clone(), topics)?;
    lock(&kafka.0.members).push(Arc::downgrade(&member));
    Ok((Reader::new(member.clone(), thread), Writer::new(member, transactions)))
}
