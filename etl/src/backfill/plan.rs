//! What is missing in a day and step.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Run, Span, Upload};
use bus::Bus;
use bus::topic::{ARTEFACTS, STAGE_GROUP};
use serde::Serialize;

use crate::mongo::document::Collection;
use crate::{complete, extract, segment_reader, upload};

/// A step of the night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bus to archive.
    Stage,
    /// Artefacts to pages, links and scripts.
    Extract,
    /// Archive to MongoDB.
    Upload,
    /// Archive to a report.
    Mine(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Stage => f.write_str("stage"),
            Step::Extract => f.write_str("extract"),
            Step::Upload => f.write_str("upload"),
            Step::Mine(miner) => write!(f, "mine:{miner}"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Step, String> {
        let named = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        match text {
            "stage" => Ok(Step::Stage),
            "extract" => Ok(Step::Extract),
            "upload" => Ok(Step::Upload),
            _ => match text.strip_prefix("mine:").filter(|name| named(name)) {
                Some(miner) => Ok(Step::Mine(miner.to_owned())),
                None => Err(format!("{text:?} is no step; there are stage, extract, upload and mine:NAME")),
            },
        }
    }
}

impl Serialize for Step {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How far a day is in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is missing.
    Done,
    /// Something is.
    Missing,
}

impl State {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Missing => "missing",
        }
    }
}

/// A day's step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Step.
    pub step: Step,
    /// State.
    pub state: State,
    /// Rows that are to be worked on, as far as they are known before the steps before it.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// What is asked for.
pub struct Plan<'a> {
    /// The archive.
    pub data: &'a DataDir,
    /// Steps.
    pub steps: &'a [Step],
    /// Collections to upload.
    pub collections: Vec<Collection>,
    /// Name of the server in the ledger.
    pub key: Option<String>,
    /// Everything is missing.
    pub force: bool,
    /// The bus, where one is there.
    pub bus: Option<Bus>,
}

impl Plan<'_> {
    /// What is missing in these days.
    pub fn of(&self, days: &[Day]) -> Result<BTreeMap<Day, Vec<Planned>>> {
        let mut planned = BTreeMap::new();
        for day in days {
            let steps = self.steps.iter().map(|step| self.step(*day, step));
            planned.insert(*day, steps.collect::<Result<Vec<_>>>()?);
        }
        Ok(planned)
    }

    /// Records of a day on the bus that are not staged; none where there is no bus to ask.
    fn waiting(&self, day: Day) -> Result<u64> {
        let Some(bus) = &self.bus else { return Ok(0) };
        let mut rows = 0;
        for (p, committed) in (0..).zip(bus.committed(STAGE_GROUP, ARTEFACTS)?) {
            let from = bus.offset_at(ARTEFACTS, p, day.start_millis())?.max(committed.unwrap_or(0));
            rows += (bus.offset_at(ARTEFACTS, p, day.end_millis())? - from).max(0);
        }
        Ok(rows.unsigned_abs())
    }

    /// What is missing in a day's step.
    pub fn step(&self, day: Day, step: &Step) -> Result<Planned> {
        let catalogue = Catalogue::read(self.data)?;
        let (mut missing, mut rows, mut bytes) = (false, 0, 0);
        let artefacts = catalogue.segments(DataSet::Artefacts, Some(day), Some(day));
        let rows_of =
            |segment: &archive::Segment| segment_reader::footer(&segment.path).map_or(0, |footer| footer.rows);
        match step {
            Step::Stage => {
                missing = complete::why_not(self.data, day, false)?.is_some();
                if missing {
                    rows = self.waiting(day).unwrap_or_default();
                }
            }
            Step::Extract => {
                for segment in artefacts {
                    if self.force || !extract::is_extracted(&catalogue, segment)? {
                        missing = true;
                        rows += rows_of(segment);
                        bytes += segment.bytes;
                    }
                }
            }
            Step::Upload => {
                let key = self.key.as_deref().unwrap_or_default();
                let ledger = Upload::read(self.data, day, key)?;
                missing = ledger.is_none_or(|ledger| ledger.state != "verified" || ledger.partial);
                for collection in &self.collections {
                    let pending = upload::pending(self.data, &catalogue, day, key, *collection, self.force)?;
                    missing |= pending.segments > 0;
                    rows += pending.rows;
                    bytes += pending.bytes;
                }
                // what is not extracted yet will have to be uploaded
                missing |= upload::needs_extract(&self.collections) && complete::unextracted(&catalogue, day)? > 0;
            }
            Step::Mine(miner) => {
                let span = Span::day(day).to_string();
                // of a day that is over and had no record there is nothing to tell: its report would be empty
                if artefacts.is_empty() && complete::is_staged(self.data, day)? {
                    return Ok(Planned { step: step.clone(), state: State::Done, rows, bytes });
                }
                let has = Run::list(self.data, Some(miner))?.iter().any(|run| run.span == span);
                missing = !has;
                if missing {
                    rows = artefacts.iter().map(|segment| rows_of(segment)).sum();
                    bytes = artefacts.iter().map(|segment| segment.bytes).sum();
                }
            }
        }
        let state = if missing || self.force { State::Missing } else { State::Done };
        Ok(Planned { step: step.clone(), state, rows, bytes })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn steps_print_as_they_are_written() {
        for text in ["stage", "extract", "upload", "mine:terms"] {
            assert_eq!(text.parse::<Step>().unwrap().to_string(), text);
        }
        for text in ["", "mine", "mine:", "mine:../x", "uploads"] {
            assert!(text.parse::<Step>().is_err(), "{text}");
        }
    }
}
