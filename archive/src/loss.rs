//! Recorded losses: offsets that this archive will never hold, and why. A loss is recorded, never silent.

use serde::{Deserialize, Serialize};

use crate::listing::{self, read_json, topic_name};
use crate::{DataDir, Error, Result, Source, durable, time};

/// One loss: `ledger/losses/artefacts-p003-<from>-<next>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Topic.
    pub topic: String,
    /// Partition or import.
    pub source: Source,
    /// First offset that is lost.
    pub from: i64,
    /// Offset after the last.
    pub next: i64,
    /// Why, for a person: `expired on the bus before it was staged`.
    pub reason: String,
    /// When it was recorded, RFC 3339 UTC.
    pub at: String,
}

impl Loss {
    /// A loss of a partition's records, found now.
    pub fn of_partition(topic: &str, partition: u32, from: i64, next: i64, reason: impl Into<String>) -> Loss {
        let (topic, source) = (topic.to_owned(), Source::Partition(partition));
        Loss { topic, source, from, next, reason: reason.into(), at: time::now() }
    }

    /// Records the loss, durably. One of the same offsets that is recorded already stays as it is, with its reason; the
    /// answer says whether this one is new.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] for a topic that is no file name or an interval that is empty.
    pub fn record(&self, data: &DataDir) -> Result<bool> {
        let folder = data.losses();
        let name = format!("{}-{}-{:020}-{:020}.json", topic_name(&self.topic)?, self.source, self.from, self.next);
        let path = folder.join(name);
        if self.from < 0 || self.next <= self.from {
            return Err(Error::invalid(&path, "a loss has at least one offset, and none below 0"));
        }
        durable::create_dir(&folder)?;
        let json = serde_json::to_vec_pretty(self).map_err(|error| Error::invalid(&path, error.to_string()))?;
        match durable::write_new(&path, &json) {
            Ok(()) => Ok(true),
            Err(Error::Exists(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All recorded losses, by topic, source and offset.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Invalid`] when a record is damaged.
    pub fn list(data: &DataDir) -> Result<Vec<Loss>> {
        let files = listing::files(&data.losses())?;
        let json = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut losses = json.map(|path| read_json(path)).collect::<Result<Vec<Loss>>>()?;
        losses.sort_by(|a, b| (&a.topic, &a.source, a.from, a.next).cmp(&(&b.topic, &b.source, b.from, b.next)));
        Ok(losses)
    }
}
