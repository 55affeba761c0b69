//! The embedded log: a bus in one SQLite file, for a person with no broker.

use std::path::Path;
use std::time::Duration;

use crate::bus::{Lag, Offsets, Options};
use crate::{Assignment, Batch, Delivered, Event, Output, PublishError, Receipt, Result, TopicSpec};

/// An open log.
#[derive(Clone)]
pub struct Log;
/// Reading half of a member.
pub struct Reader;
/// Writing half of a member.
pub struct Writer;
/// Group-less reader.
pub struct Scan;

#[allow(unused_variables, reason = "skeleton; filled in the next commit")]
impl Log {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Log> { todo!() }
    pub(crate) fn cluster(&self) -> &str { todo!() }
    pub(crate) fn ensure(&self, topics: &[TopicSpec]) -> Result<()> { todo!() }
    pub(crate) fn topics(&self) -> Result<Vec<TopicSpec>> { todo!() }
    pub(crate) fn topic_id(&self, topic: &str) -> Result<String> { todo!() }
    pub(crate) fn delete_topic(&self, topic: &str) -> Result<()> { todo!() }
    pub(crate) fn offsets(&self, topic: &str, partition: u32) -> Result<Offsets> { todo!() }
    pub(crate) fn offset_at(&self, topic: &str, partition: u32, time: i64) -> Result<i64> { todo!() }
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Result<Vec<Option<i64>>> { todo!() }
    pub(crate) fn lag(&self, group: &str, topic: &str) -> Result<Vec<Lag>> { todo!() }
    pub(crate) fn now(&self) -> Result<i64> { todo!() }
    pub(crate) fn scan(&self, topic: &str, partition: u32, from: i64) -> Result<Scan> { todo!() }
    pub(crate) fn join(&self, group: &str, instance: &str, topics: &[&str]) -> Result<(Reader, Writer)> { todo!() }
    pub(crate) fn holder(&self, group: &str) -> Result<Option<String>> { todo!() }
    pub(crate) fn append(&self, outputs: &[Output]) -> Result<Receipt> { todo!() }
    pub(crate) fn maintain(&self) -> Result<bool> { todo!() }
}

#[allow(unused_variables, reason = "skeleton; filled in the next commit")]
impl Reader {
    pub(crate) fn poll(&mut self, timeout: Duration) -> Result<Event> { todo!() }
    pub(crate) fn release(&mut self, partitions: &[Assignment]) -> Result<()> { todo!() }
    pub(crate) fn pause(&mut self, topic: &str, partition: u32) -> Result<()> { todo!() }
    pub(crate) fn resume(&mut self, topic: &str, partition: u32) -> Result<()> { todo!() }
    pub(crate) fn seek(&mut self, topic: &str, partition: u32, offset: i64) -> Result<()> { todo!() }
}

#[allow(unused_variables, reason = "skeleton; filled in the next commit")]
impl Writer {
    pub(crate) fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> { todo!() }
}

#[allow(unused_variables, reason = "skeleton; filled in the next commit")]
impl Scan {
    pub(crate) fn next_batch(&mut self) -> Result<Vec<Delivered>> { todo!() }
    pub(crate) fn position(&self) -> i64 { todo!() }
}
