//! Compares every field: documents are made from the archive again, as an upload makes them, and looked up on the server.

use anyhow::{Context, Result};
use mongodb::bson::{Bson, Document, doc};
use sha2::{Digest, Sha256};

use super::{Check, Difference};
use crate::mongo::Failure;
use crate::mongo::document::{Collection, Origin};
use crate::segment_reader::SegmentReader;
use crate::upload::batch::Batch;
use crate::upload::recent::Recent;
use crate::upload::rejects;
use crate::upload::send::fetch;
use crate::upload::source;

/// Bodies that are looked up at once; each may have 15 MiB.
const BODIES: usize = 8;

/// What differs, among all rows or a sample of them.
pub fn compare(check: &Check<'_>, collection: Collection, sample: Option<u64>) -> Result<Vec<Difference>> {
    let rejected = rejects::ids(&check.rejected, collection)?;
    let segments = check.segments(collection)?;
    let mut rows = 0;
    for segment in &segments {
        rows += SegmentReader::open_footer(&segment.path)?.footer()?.rows;
    }
    let mut chosen = Chosen::new(rows, sample);
    let mut found = Vec::new();
    for segment in segments {
        let reader = SegmentReader::open(&segment.path)?;
        if collection == Collection::Bodies {
            bodies(check, &reader, &mut chosen, &rejected, &mut found)?;
            continue;
        }
        let extractor = reader.footer()?.extractor;
        let origin = Origin { day: segment.day, segment: segment.name.to_string(), extractor };
        let mut batch = Batch::new(collection);
        let mut id = String::new();
        source::rows(&reader, collection.data_set(), |rows| {
            for row in 0..rows.len() {
                rows.id(row, &mut id);
                if !chosen.takes() || rejected.contains(&id) {
                    continue;
                }
                batch.push(&id, rows.rev(row), |out| rows.write(row, &id, &origin, out));
                if batch.is_full() {
                    fields(check, &std::mem::replace(&mut batch, Batch::new(collection)), &mut found)?;
                }
            }
            asked(check)
        })?;
        fields(check, &batch, &mut found)?;
    }
    Ok(found)
}

fn asked(check: &Check<'_>) -> Result<bool> {
    if check.shutdown.requested() { Err(Failure::Interrupted.into()) } else { Ok(true) }
}

fn fields(check: &Check<'_>, batch: &Batch, found: &mut Vec<Difference>) -> Result<()> {
    let ids: Vec<&str> = batch.docs.iter().map(|doc| doc.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let there = check.mongo.wait(fetch(check.mongo.link(), batch.collection, &ids, &doc! {}))?;
    let there: std::collections::HashMap<&str, &Document> =
        there.iter().filter_map(|d| Some((d.get_str("_id").ok()?, d))).collect();
    for (i, doc) in batch.docs.iter().enumerate() {
        let ours = Document::from_reader(batch.document(i)).context("a document of ours is no BSON")?;
        match there.get(doc.id.as_str()) {
            None => found.push(Difference::new(batch.collection, &doc.id, "removed")),
            Some(theirs) => {
                let fields = differing(&ours, theirs);
                if !fields.is_empty() {
                    found.push(Difference { fields, ..Difference::new(batch.collection, &doc.id, "changed") });
                }
            }
        }
    }
    Ok(())
}

/// Fields that differ, are missing or are more. Compaction may have changed the segment's name.
fn differing(ours: &Document, theirs: &Document) -> Vec<String> {
    let differs = |key: &&String| key.as_str() != "segment" && ours.get(*key) != theirs.get(*key);
    let mut fields: Vec<String> = ours.keys().filter(differs).cloned().collect();
    fields.extend(theirs.keys().filter(|key| !ours.contains_key(key)).cloned());
    fields
}

fn bodies(
    check: &Check<'_>,
    reader: &SegmentReader,
    chosen: &mut Chosen,
    rejected: &std::collections::HashSet<String>,
    found: &mut Vec<Difference>,
) -> Result<()> {
    let mut recent = Recent::default();
    let mut waiting: Vec<String> = Vec::new();
    let mut ids = Vec::new();
    for batch in crate::segment_reader::batches(reader.path(), reader.columns(&["body_sha256"])?.build()?) {
        let texts: arrow::array::StringArray = crate::columns::array(&batch?, "body_sha256")?;
        for text in texts.iter().flatten() {
            if chosen.takes() && recent.is_new(text) && !rejected.contains(text) {
                ids.push(text.to_owned());
            }
        }
        for id in ids.drain(..) {
            waiting.push(id);
            if waiting.len() >= BODIES {
                contents(check, &std::mem::take(&mut waiting), found)?;
                asked(check)?;
            }
        }
    }
    contents(check, &waiting, found)
}

/// A body is right when it is what its `_id` says.
fn contents(check: &Check<'_>, ids: &[String], found: &mut Vec<Difference>) -> Result<()> {
    let some: Vec<&str> = ids.iter().map(String::as_str).collect();
    if some.is_empty() {
        return Ok(());
    }
    let there = check.mongo.wait(fetch(check.mongo.link(), Collection::Bodies, &some, &doc! {}))?;
    let difference = |id: &str, what: &str| Difference::new(Collection::Bodies, id, what);
    for id in ids {
        match there.iter().find(|d| d.get_str("_id").is_ok_and(|theirs| theirs == id)) {
            None => found.push(difference(id, "removed")),
            Some(document) if !is_whole(id, document) => found.push(difference(id, "body")),
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_whole(id: &str, document: &Document) -> bool {
    let (Some(Bson::Binary(body)), Ok("zstd")) = (document.get("body"), document.get_str("encoding")) else {
        return false;
    };
    // bodies are at most 15 MiB; what claims more is not ours
    let size = document.get_i64("bytes").ok().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= 32 << 20);
    let Some(size) = size else { return false };
    match zstd::bulk::decompress(&body.bytes, size) {
        Ok(bytes) => bytes.len() == size && hex::encode(Sha256::digest(&bytes)) == id,
        Err(_) => false,
    }
}

/// Which rows are compared: all, or as many as asked, each set of them as likely as any other (selection sampling, Knuth
/// 3.4.2 S).
struct Chosen {
    left: u64,
    wanted: u64,
    random: u64,
}

impl Chosen {
    fn new(rows: u64, sample: Option<u64>) -> Chosen {
        let bytes = uuid::Uuid::now_v7().into_bytes();
        let random = bytes[8..].iter().fold(0, |n, byte| n << 8 | u64::from(*byte)) | 1;
        Chosen { left: rows, wanted: sample.unwrap_or(rows).min(rows), random }
    }

    /// Whether the next row is one of them.
    fn takes(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        // xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators, 2016
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let number = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let takes = (u128::from(number) * u128::from(self.left)) >> 64 < u128::from(self.wanted);
        self.left -= 1;
        self.wanted -= u64::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_as_many_rows_as_asked() {
        for (rows, sample, want) in [(1000, Some(17), 17), (5, Some(9), 5), (5, None, 5), (0, Some(3), 0)] {
            let mut chosen = Chosen::new(rows, sample);
            assert_eq!((0..rows + 10).filter(|_| chosen.takes()).count() as u64, want);
        }
    }

    #[test]
    fn fields_that_differ_are_named() {
        let ours = doc! { "_id": "1", "a": 1_i64, "b": [1], "c": Bson::Null, "segment": "x" };
        assert!(
            differing(&ours, &doc! { "b": [1], "_id": "1", "a": 1_i64, "c": Bson::Null, "segment": "y" }).is_empty()
        );
        assert_eq!(differing(&ours, &doc! { "_id": "1", "a": 1_i32, "b": [1, 2], "d": 1 }), ["a", "b", "c", "d"]);
    }
}
