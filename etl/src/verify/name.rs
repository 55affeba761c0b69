//! Names the documents in which a segment's bucket differs: removed, added, or of another `rev`.

use std::collections::HashMap;

use anyhow::Result;

use super::Difference;
use super::agree::{Expected, NAMED, shown};
use crate::mongo::Mongo;
use crate::mongo::document::proof;
use crate::row_hash;
use crate::segment_reader::SegmentReader;
use crate::upload::source;

/// What differs in one bucket; at most [`NAMED`] of each kind.
pub fn differences(mongo: &Mongo, expected: &Expected, i: usize) -> Result<Vec<Difference>> {
    let bucket = expected.bucket(i);
    let reader = SegmentReader::open(&bucket.segment.path)?;
    // 32 bytes a row: a segment has at most a million
    let mut archived: HashMap<u128, u128> = HashMap::new();
    each(&reader, expected, |id, rev| {
        archived.insert(proof(id, 0), rev);
    })?;
    let fields = mongodb::bson::doc! { "_id": 1, "rev": 1, "segment": 1, "offset": 1 };
    let state = || (archived.clone(), Vec::new());
    let collection = expected.collection;
    let pass = mongo.link().pass(collection.name(), expected.of_day(), fields, state, |(left, found), document| {
        if expected.place(document) != Some(i) {
            return;
        }
        let id = shown(document);
        if expected.is_rejected(&id) {
            return;
        }
        let rev = document.get_str("rev").ok().and_then(row_hash::parse);
        let what = match left.remove(&proof(&id, 0)) {
            Some(ours) if rev == Some(ours) => return,
            Some(_) => "changed",
            None => "added",
        };
        if found.len() < NAMED {
            found.push(Difference::new(collection, id, what));
        }
    });
    let (left, mut found) = mongo.wait(pass)?;
    if !left.is_empty() {
        let mut removed = Vec::new();
        each(&reader, expected, |id, _| {
            if removed.len() < NAMED && left.contains_key(&proof(id, 0)) {
                removed.push(Difference::new(collection, id, "removed"));
            }
        })?;
        found.extend(removed);
    }
    Ok(found)
}

fn each(reader: &SegmentReader, expected: &Expected, mut take: impl FnMut(&str, u128)) -> Result<()> {
    let mut id = String::new();
    source::rows(reader, expected.collection.data_set(), |rows| {
        for row in 0..rows.len() {
            rows.id(row, &mut id);
            if !expected.is_rejected(&id) {
                take(&id, rows.rev(row));
            }
        }
        Ok(true)
    })?;
    Ok(())
}
