//! Intervals of offsets: which segment counts, what is missing between them, what is there twice.
//!
//! All are one sweep over segments in order of source, first offset, and the larger one first.

use crate::SegmentName;
use crate::catalogue::{Gap, Holdings, Overlap, Segment};

/// Sorts the segments of one day and data set into those that count and those inside a larger one.
pub(crate) fn holdings(mut found: Vec<Segment>) -> Holdings {
    found.sort_by(|a, b| order(&a.name, &b.name));
    let mut holdings = Holdings::default();
    // among those that count, the one that reaches farthest: what is inside any of them that begins before is inside it
    let mut farthest = 0;
    for segment in found {
        let reach = holdings.segments.get(farthest).filter(|one: &&Segment| one.name.source == segment.name.source);
        if reach.is_some_and(|one| one.name.contains(&segment.name)) {
            holdings.superseded.push(segment);
            continue;
        }
        if reach.is_none_or(|one| segment.name.next > one.name.next) {
            farthest = holdings.segments.len();
        }
        holdings.segments.push(segment);
    }
    holdings.overlaps = overlaps(&holdings.segments.iter().collect::<Vec<_>>());
    holdings
}

/// Pairs that share offsets: each segment with the one that reached farthest before it.
pub(crate) fn overlaps(segments: &[&Segment]) -> Vec<Overlap> {
    let mut found = Vec::new();
    sweep(segments, |farthest, segment| {
        if farthest.name.overlaps(&segment.name) {
            found.push(Overlap { a: farthest.path.clone(), b: segment.path.clone() });
        }
    });
    found
}

/// What no segment covers between the first and the last offset of each source.
pub(crate) fn gaps(segments: &[&Segment]) -> Vec<Gap> {
    let mut found = Vec::new();
    sweep(segments, |farthest, segment| {
        if farthest.name.next < segment.name.from {
            let source = segment.name.source.clone();
            found.push(Gap { source, from: farthest.name.next, next: segment.name.from });
        }
    });
    found
}

/// The segments' offsets, taken together, hold all of an interval.
pub(crate) fn covers(segments: &[&Segment], name: &SegmentName) -> bool {
    let mut names: Vec<_> =
        segments.iter().map(|segment| &segment.name).filter(|one| one.source == name.source).collect();
    names.sort_by(|a, b| order(a, b));
    let mut reached = name.from;
    for one in names {
        if one.from > reached {
            break;
        }
        reached = reached.max(one.next);
    }
    reached >= name.next
}

/// Calls with each segment but a source's first, and with the one that reached farthest before it.
fn sweep<'a>(segments: &[&'a Segment], mut with: impl FnMut(&'a Segment, &'a Segment)) {
    let mut sorted = segments.to_vec();
    sorted.sort_by(|a, b| order(&a.name, &b.name));
    let mut farthest: Option<&Segment> = None;
    for segment in sorted {
        match farthest.filter(|one| one.name.source == segment.name.source) {
            Some(one) => {
                with(one, segment);
                if segment.name.next > one.name.next {
                    farthest = Some(segment);
                }
            }
            None => farthest = Some(segment),
        }
    }
}

fn order(a: &SegmentName, b: &SegmentName) -> std::cmp::Ordering {
    (&a.source, a.from, b.next).cmp(&(&b.source, b.from, a.next))
}
