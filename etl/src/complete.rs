//! Whether a day is whole: staged to its end, nothing set aside and not yet back, nothing gone, everything extracted.

use std::collections::BTreeMap;

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Mark, Quarantined, SegmentName, Source, Upload};
use bus::topic::{ARTEFACTS, PARTITIONS};

use crate::extract;

/// Marked for every partition: all records of the day are staged.
pub fn is_staged(data: &DataDir, day: Day) -> Result<bool> {
    let marks = Mark::read(data, day)?;
    let artefacts = marks.iter().filter(|mark| mark.topic == ARTEFACTS);
    Ok(artefacts.count() >= PARTITIONS as usize)
}

/// Segments of artefacts that are not extracted by this version of the extractor.
pub fn unextracted(catalogue: &Catalogue, day: Day) -> Result<usize> {
    let mut missing = 0;
    for segment in catalogue.segments(DataSet::Artefacts, Some(day), Some(day)) {
        missing += usize::from(!extract::is_extracted(catalogue, segment)?);
    }
    Ok(missing)
}

/// Intervals of artefacts that were set aside as damaged, and are neither staged again nor recorded as lost.
pub fn set_aside(data: &DataDir, catalogue: &Catalogue) -> Result<Vec<Hole>> {
    let losses = Loss::list(data)?;
    let segments = catalogue.segments(DataSet::Artefacts, None, None);
    let mut open = Vec::new();
    for one in Quarantined::list(data)?.into_iter().filter(Quarantined::is_of_artefacts) {
        let held = segments.iter().filter(|s| s.name.source == one.source).map(|s| (s.name.from, s.name.next));
        let lost = losses.iter().filter(|l| l.source == one.source).map(|l| (l.from, l.next));
        for (from, next) in holes(held.chain(lost).collect(), one.from, one.next) {
            open.push(Hole { day: one.day, source: one.source.clone(), from, next, segment: one.segment.clone() });
        }
    }
    Ok(open)
}

/// Segments of artefacts that were there, as what was extracted from them or the ledger of uploads tells, and are gone: neither
/// held, nor set aside, nor recorded as lost. Of these days (both included; none is open).
///
/// A gap between two segments tells of itself; this finds also the last segment of a partition, and the first, with no bus.
pub fn vanished(data: &DataDir, catalogue: &Catalogue, from: Option<Day>, to: Option<Day>) -> Result<Vec<Hole>> {
    let mut named: BTreeMap<(Source, i64, i64), Day> = BTreeMap::new();
    for set in [DataSet::Pages, DataSet::Links, DataSet::Scripts] {
        for segment in catalogue.segments(set, from, to) {
            let name = &segment.name;
            named.insert((name.source.clone(), name.from, name.next), segment.day);
        }
    }
    for day in archive::days_in(&data.ledger().join("uploads"))? {
        if from.is_some_and(|from| day < from) || to.is_some_and(|to| to < day) {
            continue;
        }
        for upload in Upload::of_day(data, day)? {
            let names = upload.segments.iter().filter_map(|one| one.segment.parse::<SegmentName>().ok());
            named.extend(names.map(|name| ((name.source, name.from, name.next), day)));
        }
    }
    let known = Known::read(data, catalogue)?;
    let mut gone = Vec::new();
    for ((source, from, next), day) in named {
        let segment = SegmentName::new(DataSet::Artefacts, source.clone(), from, next)?;
        for (from, next) in known.holes(&source, from, next) {
            // one that has come since the catalogue was read is there
            if !data.segment(day, &segment).exists() {
                gone.push(Hole { day, source: source.clone(), from, next, segment: segment.to_string() });
            }
        }
    }
    Ok(gone)
}

/// Offsets of artefacts of which it is known where they are: in a segment, set aside, or lost.
pub struct Known(BTreeMap<Source, Vec<(i64, i64)>>);

impl Known {
    /// Those of an archive.
    pub fn read(data: &DataDir, catalogue: &Catalogue) -> Result<Known> {
        let mut known = Known(BTreeMap::new());
        for segment in catalogue.segments(DataSet::Artefacts, None, None) {
            known.put(&segment.name.source, segment.name.from, segment.name.next);
        }
        for one in Quarantined::list(data)?.iter().filter(|one| one.is_of_artefacts()) {
            known.put(&one.source, one.from, one.next);
        }
        for loss in Loss::list(data)? {
            known.put(&loss.source, loss.from, loss.next);
        }
        Ok(known)
    }

    /// Puts in an interval.
    pub fn put(&mut self, source: &Source, from: i64, next: i64) {
        self.0.entry(source.clone()).or_default().push((from, next));
    }

    /// What of an interval is not known.
    pub fn holes(&self, source: &Source, from: i64, next: i64) -> Vec<(i64, i64)> {
        let all = self.0.get(source).map(Vec::as_slice).unwrap_or_default();
        holes(all.iter().copied().filter(|(start, end)| *start < next && from < *end).collect(), from, next)
    }
}

/// Offsets that were in a segment that was set aside, or that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Day of the segment.
    pub day: Day,
    /// Partition or import.
    pub source: Source,
    /// First offset.
    pub from: i64,
    /// Offset after the last.
    pub next: i64,
    /// The segment.
    pub segment: String,
}

/// What of an interval no other covers.
pub fn holes(mut held: Vec<(i64, i64)>, from: i64, next: i64) -> Vec<(i64, i64)> {
    held.sort_unstable();
    let (mut at, mut found) = (from, Vec::new());
    for (start, end) in held {
        if start.min(next) > at {
            found.push((at, start.min(next)));
        }
        at = at.max(end);
    }
    if at < next {
        found.push((at, next));
    }
    found
}

/// Why a day is not to be uploaded yet, and what to do; none when it is whole.
pub fn why_not(data: &DataDir, day: Day, extracted: bool) -> Result<Option<String>> {
    if !is_staged(data, day)? {
        return Ok(Some(format!(
            "{day} is not complete: not all of its records are staged; run `etl stage --once` after midnight UTC"
        )));
    }
    let catalogue = Catalogue::read(data)?;
    if let Some(hole) = set_aside(data, &catalogue)?.iter().find(|hole| hole.day == day) {
        return Ok(Some(format!(
            "{day} is not complete: {} was set aside as damaged, and its offsets {} to {} are not staged again; run `etl verify \
             --archive`",
            hole.segment, hole.from, hole.next
        )));
    }
    if let Some(hole) = vanished(data, &catalogue, Some(day), Some(day))?.first() {
        return Ok(Some(format!(
            "{day} is not complete: {} was there and is gone; run `etl verify --archive`, which stages it again",
            hole.segment
        )));
    }
    match unextracted(&catalogue, day)? {
        n if n > 0 && extracted => {
            Ok(Some(format!("{day} is not complete: {n} segments are not extracted; run `etl extract --day {day}`")))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_what_nothing_holds() {
        assert_eq!(holes(vec![], 0, 5), [(0, 5)]);
        assert_eq!(holes(vec![(0, 5)], 0, 5), []);
        assert_eq!(holes(vec![(4, 9), (2, 3)], 0, 7), [(0, 2), (3, 4)]);
        assert_eq!(holes(vec![(0, 3), (1, 2), (20, 30)], 2, 12), [(3, 12)]);
    }
}
