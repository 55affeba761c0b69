//! Does the server have the bodies that a segment refers to? They have no day, so they are looked up by their hashes.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use archive::{DataSet, Segment};
use arrow::array::{Int64Array, StringArray};
use mongodb::bson::doc;

use crate::columns::array;
use crate::mongo::Mongo;
use crate::mongo::document::{self, Collection};
use crate::row_hash;
use crate::segment_reader::{SegmentReader, batches};
use crate::upload::recent::Recent;
use crate::upload::send::fetch;

/// Bodies that are looked up at once.
const AT_ONCE: usize = 1_000;

/// The bodies of a segment that the server lacks or has otherwise, with the reason; `rejected` ones aside.
pub fn missing(mongo: &Mongo, segment: &Segment, rejected: &HashSet<String>) -> Result<Vec<(String, &'static str)>> {
    let reader = SegmentReader::open(&segment.path)?;
    let mut recent = Recent::default();
    let mut found = Vec::new();
    let mut waiting: HashMap<String, String> = HashMap::new();
    debug_assert_eq!(segment.name.data_set, DataSet::Artefacts, "bodies are in artefacts");
    for batch in
        batches(reader.path(), reader.columns(&["body_sha256", "body_bytes"])?.with_batch_size(AT_ONCE).build()?)
    {
        let batch = batch?;
        let digests = document::digests(&batch)?;
        let (ids, sizes): (StringArray, Int64Array) = (array(&batch, "body_sha256")?, array(&batch, "body_bytes")?);
        for (i, digest) in digests.iter().enumerate() {
            let id = ids.value(i);
            if recent.is_new(id) && !rejected.contains(id) {
                let rev = document::body_rev(digest, u64::try_from(sizes.value(i)).unwrap_or(0));
                waiting.insert(id.to_owned(), row_hash::hex(rev));
            }
        }
        if waiting.len() >= AT_ONCE {
            check(mongo, &mut waiting, &mut found)?;
        }
    }
    check(mongo, &mut waiting, &mut found)?;
    Ok(found)
}

fn check(mongo: &Mongo, waiting: &mut HashMap<String, String>, found: &mut Vec<(String, &'static str)>) -> Result<()> {
    let ids: Vec<&str> = waiting.keys().map(String::as_str).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let there = mongo.wait(fetch(mongo.link(), Collection::Bodies, &ids, &doc! { "rev": 1 }))?;
    let there: HashMap<&str, &str> =
        there.iter().filter_map(|d| Some((d.get_str("_id").ok()?, d.get_str("rev").unwrap_or_default()))).collect();
    for (id, rev) in waiting.iter() {
        match there.get(id.as_str()) {
            Some(theirs) if theirs == rev => {}
            Some(_) => found.push((id.clone(), "are others on the server")),
            None => found.push((id.clone(), "are missing on the server")),
        }
    }
    waiting.clear();
    Ok(())
}
