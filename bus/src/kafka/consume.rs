//! The thread of a member's consumer: the only one that polls it, so rebalances are decided here and nowhere else.
//!
//! A partition is taken when what is committed on it is stable: no transaction of its last owner is open any more. It is
//! given up when the program has released it. Between the two it has one epoch. What librdkafka has fetched waits in a queue of
//! each partition, so that a long backlog of one hides no other, and is moved to the stash in turns. When that is full, the
//! queues fill up and fetching stops; the group is served all the same.

mod answer;
mod trouble;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::{Context, Rebalance};
use super::fetched::Fetched;
use super::member::{Command, Failure, Member, next_epoch};
use super::stash::{self, Own};
use super::{admin, cause, context, identity, records};
use crate::{Delivered, Error, Event, Result};

/// Longest wait for something from the broker: how long a command may lie.
const POLL: Duration = Duration::from_millis(50);
/// Bytes and records that wait for the program at most, one record aside.
const FULL_BYTES: usize = 4 << 20;
const FULL_RECORDS: usize = 20_000;
/// How long one question about committed offsets may take.
const STABLE: Duration = Duration::from_millis(500);
/// How often it is looked whether topics are still the same.
const WATCH: Duration = Duration::from_secs(5);

/// Subscribes, and starts the thread.
pub(super) fn start(member: Arc<Member>, topics: Vec<String>) -> Result<JoinHandle<()>> {
    let run = move || Consuming::new(member, topics).run();
    let thread = std::thread::Builder::new().name("consumer".into()).spawn(run);
    thread.map_err(|e| Error::Other(format!("no thread for the consumer: {e}; raise the limit of processes")))
}

/// The thread's own state.
struct Consuming {
    member: Arc<Member>,
    topics: Vec<String>,
    /// Partitions to take, when what is committed is stable.
    taking: Vec<(String, u32)>,
    /// Partitions that the program has been asked to release.
    giving: Vec<Giving>,
    fetched: Fetched,
    watched: Instant,
    missing: Option<Instant>,
    /// An error was told that is none of those that are known.
    warned: bool,
    /// The consumer is of no use any more.
    fenced: bool,
    /// When it was replaced.
    rejoined: Vec<Instant>,
}

struct Giving {
    partitions: TopicPartitionList,
    /// Take them again afterwards.
    back: bool,
}

impl Consuming {
    fn new(member: Arc<Member>, topics: Vec<String>) -> Consuming {
        Consuming {
            member,
            topics,
            taking: Vec::new(),
            giving: Vec::new(),
            fetched: Fetched::new(),
            watched: Instant::now(),
            missing: None,
            warned: false,
            fenced: false,
            rejoined: Vec::new(),
        }
    }

    fn run(mut self) {
        while !self.member.state().closed {
            let Some(consumer) = self.member.consumer() else { return };
            self.consume(&consumer);
            self.answer(&consumer);
            self.all_lost();
            drop(self.member.take_consumer());
            context::close(std::iter::once(&*consumer));
            drop(consumer);
            if self.member.state().closed {
                return;
            }
            tracing::warn!(group = self.member.group, "the group has lost this member; it joins again");
            if let Err(error) = self.member.make_consumer() {
                self.member.fail(Failure::Other(error.to_string()));
                return;
            }
        }
    }

    /// Until the reader is gone, or the group has fenced this consumer for no twin's sake.
    fn consume(&mut self, consumer: &Arc<BaseConsumer<Context>>) {
        self.fenced = false;
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        if let Err(error) = consumer.subscribe(&topics) {
            self.member.fail(Failure::Other(format!("cannot subscribe: {error}")));
        }
        while !self.fenced && !self.member.state().closed {
            if let Err(error) = self.turn(consumer) {
                let failure = Failure::Other(error.to_string());
                self.member.fail(failure);
            }
        }
    }

    fn turn(&mut self, consumer: &Arc<BaseConsumer<Context>>) -> Result<()> {
        self.commands(consumer)?;
        self.fenced |= std::ptr::eq(self.member.state().expelled.as_ptr(), Arc::as_ptr(consumer));
        self.lose(consumer);
        self.give(consumer)?;
        self.take(consumer)?;
        self.watch()?;
        // callbacks and errors; records have queues of their own
        match consumer.poll(Duration::ZERO) {
            None => {}
            Some(Ok(message)) => {
                if let Some((topic, partition)) = self.place(message.topic(), message.partition()) {
                    self.deliver(&topic, partition, vec![records::delivered(&message, &topic, 0)])?;
                }
            }
            Some(Err(error)) => self.trouble(consumer, &error)?,
        }
        self.rebalance(consumer)?;
        self.move_fetched(consumer)
    }

    /// Moves fetched records to the stash; waits a little when there are none, or no room.
    fn move_fetched(&mut self, consumer: &BaseConsumer<Context>) -> Result<()> {
        let mut fetched = std::mem::replace(&mut self.fetched, Fetched::new());
        let member = self.member.clone();
        let moved = fetched.take(
            || !is_full(&member),
            |topic, partition, records, error| {
                self.deliver(topic, partition, records)?;
                error.map_or(Ok(()), |error| self.trouble_of(consumer, topic, partition, &error))
            },
        );
        self.fetched = fetched;
        let state = self.member.state();
        if !moved? && state.commands.is_empty() && !state.closed && !self.fetched.has_something() {
            drop(self.member.changed.wait_timeout(state, POLL));
        }
        Ok(())
    }

    /// Does what the reader has asked for.
    fn commands(&mut self, consumer: &BaseConsumer<Context>) -> Result<()> {
        let commands = std::mem::take(&mut self.member.state().commands);
        for command in commands {
            let (Command::Pause(topic, partition)
            | Command::Resume(topic, partition)
            | Command::Seek(topic, partition, _)
            | Command::Revoke(topic, partition)) = &command;
            let list = self.list(&[(topic.clone(), *partition)])?;
            let done = match &command {
                Command::Pause(..) => consumer.pause(&list),
                Command::Resume(..) => consumer.resume(&list),
                Command::Seek(_, _, offset) => {
                    let full = self.member.kafka.full(topic);
                    let done = consumer.seek(
                        &full,
                        admin::number(*partition)?,
                        Offset::Offset(*offset),
                        Duration::from_secs(10),
                    );
                    if let Some(own) = self.member.state().owned.iter_mut().find(|own| own.is(topic, *partition)) {
                        own.seeking = false;
                    }
                    done
                }
                Command::Revoke(..) => {
                    self.ask_back(list, true);
                    Ok(())
                }
            };
            if let Err(error) = done {
                tracing::debug!(%error, topic, partition, "a partition could not be paused, resumed or sought");
            }
        }
        Ok(())
    }

    /// Takes in what the group has decided in the last poll.
    fn rebalance(&mut self, consumer: &BaseConsumer<Context>) -> Result<()> {
        for rebalance in consumer.context().take_rebalances() {
            match rebalance {
                Rebalance::Assign(list) if list.count() == 0 => {
                    consumer.incremental_assign(&list).map_err(|e| self.fault("taking partitions", &e))?;
                }
                Rebalance::Assign(list) => self.taking.extend(self.places(&list)),
                Rebalance::Revoke(list) => {
                    let places = self.places(&list);
                    self.taking.retain(|place| !places.contains(place));
                    match consumer.assignment_lost() {
                        true => self.give_up(list),
                        false => self.ask_back(list, false),
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks the program to release partitions; it gets nothing more of them.
    fn ask_back(&mut self, partitions: TopicPartitionList, back: bool) {
        let places = self.places(&partitions);
        let mut state = self.member.state();
        let mut revoking = Vec::new();
        for own in state.owned.iter_mut().filter(|own| places.iter().any(|(t, p)| own.is(t, *p))) {
            own.revoking = true;
            own.clear();
            revoking.push(own.assignment());
        }
        if !revoking.is_empty() {
            state.events.push_back(Event::Revoking(revoking));
        }
        drop(state);
        self.member.changed.notify_all();
        self.giving.push(Giving { partitions, back });
    }

    /// Partitions that are gone already: the program hears of it, and nothing is waited for.
    fn give_up(&mut self, partitions: TopicPartitionList) {
        let places = self.places(&partitions);
        let mut state = self.member.state();
        let lost = state.owned.extract_if(.., |own| places.iter().any(|(t, p)| own.is(t, *p)));
        let lost: Vec<_> = lost.map(|own| own.assignment()).collect();
        if !lost.is_empty() {
            state.events.push_back(Event::Lost(lost));
        }
        drop(state);
        self.member.changed.notify_all();
        self.giving.push(Giving { partitions, back: false });
    }

    /// When the group has thrown this member out, everything is gone, also what the program was about to release.
    fn lose(&mut self, consumer: &BaseConsumer<Context>) {
        if !self.member.state().owned.is_empty() && consumer.assignment_lost() {
            self.all_lost();
        }
    }

    fn all_lost(&mut self) {
        self.taking.clear();
        self.fetched.clear();
        let mut state = self.member.state();
        let lost: Vec<_> = state.owned.drain(..).map(|own| own.assignment()).collect();
        if !lost.is_empty() {
            state.events.push_back(Event::Lost(lost));
        }
        drop(state);
        self.member.changed.notify_all();
    }

    /// Gives up what the program has released.
    fn give(&mut self, consumer: &BaseConsumer<Context>) -> Result<()> {
        let mut at = 0;
        while at < self.giving.len() {
            let places = self.places(&self.giving[at].partitions);
            if self.member.state().owned.iter().any(|own| places.iter().any(|(t, p)| own.is(t, *p))) {
                at += 1;
                continue;
            }
            let Giving { partitions, back } = self.giving.remove(at);
            places.iter().for_each(|(topic, partition)| self.fetched.remove(topic, *partition));
            if let Err(error) = consumer.incremental_unassign(&partitions) {
                // they may be gone already, with the membership
                tracing::debug!(%error, "partitions could not be given up");
            }
            if back {
                self.taking.extend(places);
            }
        }
        Ok(())
    }

    /// Takes partitions over, once their last owner's transaction is committed or aborted.
    fn take(&mut self, consumer: &Arc<BaseConsumer<Context>>) -> Result<()> {
        if self.taking.is_empty() || !self.giving.is_empty() {
            return Ok(());
        }
        let wanted = self.list(&self.taking)?;
        let found = match consumer.committed_offsets(wanted, STABLE) {
            Ok(found) => found,
            Err(error) => return self.not_yet(&error),
        };
        if let Some(error) = found.elements().iter().find_map(|element| element.error().err()) {
            return self.not_yet(&error);
        }
        let mut list = TopicPartitionList::new();
        let mut assigned = Vec::new();
        for element in found.elements() {
            let Some((topic, partition)) = self.place(element.topic(), element.partition()) else { continue };
            let committed = element.offset().to_raw().filter(|offset| *offset >= 0);
            // a beginning that has moved on is found by auto.offset.reset
            let offset = Offset::Offset(committed.unwrap_or(0));
            let added = list.add_partition_offset(element.topic(), element.partition(), offset);
            added.map_err(|e| self.fault("taking partitions", &e))?;
            assigned.push(Own::new(&topic, partition, next_epoch(), committed));
        }
        self.taking.clear();
        self.member.kafka.settle();
        let event = Event::Assigned(assigned.iter().map(Own::assignment).collect());
        {
            let mut state = self.member.state();
            state.owned.retain(|own| !assigned.iter().any(|new| new.is(&own.topic, own.partition)));
            state.owned.extend(assigned);
            state.events.push_back(event);
        }
        self.member.changed.notify_all();
        for (topic, partition) in self.places(&list) {
            self.fetched.add(&self.member, consumer, &topic, partition)?;
        }
        consumer.incremental_assign(&list).map_err(|e| self.fault("taking partitions", &e))?;
        Ok(())
    }

    /// What is committed cannot be told yet.
    fn not_yet(&self, error: &KafkaError) -> Result<()> {
        tracing::debug!(%error, "the group's offsets are not stable yet");
        if cause::is_passing(error) { Ok(()) } else { Err(self.fault("asking for the group's offsets", error)) }
    }

    /// Records of one partition, in order, into the stash, under the epoch that it has now.
    fn deliver(&mut self, topic: &str, partition: u32, records: Vec<Delivered>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut state = self.member.state();
        let Some(own) = state.owned.iter_mut().find(|own| own.is(topic, partition)) else { return Ok(()) };
        if own.revoking || own.seeking {
            return Ok(());
        }
        for record in records {
            if record.offset < own.position {
                drop(state);
                return self.stepped_back(topic, partition, record.offset);
            }
            own.push(Delivered { epoch: own.epoch, ..record });
        }
        if state.since.is_none() {
            state.since = Some(Instant::now());
            drop(state);
            self.member.changed.notify_all();
        }
        self.missing = None;
        Ok(())
    }

    /// Looks now and then whether the topics are still those that the program began with.
    fn watch(&mut self) -> Result<()> {
        if self.watched.elapsed() < WATCH {
            return Ok(());
        }
        self.watched = Instant::now();
        identity::check(&self.member.kafka)
    }

    fn fault(&self, what: &str, error: &KafkaError) -> Error {
        cause::fault(&self.member.kafka.0.address, what, error)
    }

    fn list(&self, places: &[(String, u32)]) -> Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in places {
            list.add_partition(&self.member.kafka.full(topic), admin::number(*partition)?);
        }
        Ok(list)
    }

    fn places(&self, list: &TopicPartitionList) -> Vec<(String, u32)> {
        list.elements().iter().filter_map(|element| self.place(element.topic(), element.partition())).collect()
    }

    fn place(&self, full: &str, partition: i32) -> Option<(String, u32)> {
        let topic = full.strip_prefix(self.member.kafka.0.address.prefix.as_str())?;
        Some((topic.to_owned(), u32::try_from(partition).ok()?))
    }
}

/// Whether as much waits for the program as may.
fn is_full(member: &Member) -> bool {
    let (records, bytes) = stash::size(&member.state().owned);
    bytes >= FULL_BYTES || records >= FULL_RECORDS
}
