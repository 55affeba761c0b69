//! Whether a day is whole: staged to its end, nothing set aside and not yet back, everything extracted.

use anyhow::Result;
use archive::{Catalogue, DataDir, DataSet, Day, Loss, Mark, Quarantined, Source};
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

/// Offsets that were in a segment that was set aside.
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
