//! Reading one partition with no group.

use super::Log;
use super::catalog::Topic;
use super::rows::{Place, Room, read};
use crate::{Delivered, Error, Result};

/// Group-less reader of one partition. Between batches it holds nothing open.
pub struct Scan {
    log: Log,
    place: Place,
    position: i64,
}

impl Scan {
    pub(super) fn new(log: Log, topic: &str, number: u32, from: i64) -> Result<Scan> {
        let id = log.with(|c| Topic::find(c, topic)?.partition(c, number))?;
        Ok(Scan { log, place: Place { id, topic: topic.into(), number }, position: from })
    }

    pub(crate) fn next_batch(&mut self) -> Result<Vec<Delivered>> {
        let (place, position) = (&self.place, self.position);
        let mut batch = Vec::new();
        self.position = self.log.with(|c| {
            // A topic that was deleted, and perhaps made anew, is another one.
            if !Topic::has(c, &place.topic, place.id)? {
                let bus = c.path().unwrap_or_default().into();
                return Err(Error::NoTopic { topic: place.topic.to_string(), bus });
            }
            read(c, place, position, 0, Room::new(), &mut batch)
        })?;
        Ok(batch)
    }

    pub(crate) fn position(&self) -> i64 {
        self.position
    }
}
