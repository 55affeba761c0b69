//! Does the server hold what the archive holds? One pass over the day's documents, counted and summed per segment.
//!
//! A document falls into the bucket of the segment that covers its partition and offset (links, which have no offset, into
//! that which covers the start of the segment that they name, so that compaction changes nothing). A bucket agrees when
//! count and sum of H(_id, rev) are the archive's.

use std::collections::{BTreeMap, HashSet};

use archive::{Day, Segment, SegmentName, Source};
use mongodb::bson::raw::RawDocument;
use mongodb::bson::{DateTime, Document, doc};

use crate::mongo::document::{self, Collection};
use crate::mongo::{Failure, Link};
use crate::row_hash;

/// Most documents that are named; of the others there is the number.
pub const NAMED: usize = 1_000;

/// What the archive has in one segment, less what was rejected.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The segment.
    pub segment: Segment,
    /// Version of its extractor.
    pub extractor: Option<String>,
    /// Documents.
    pub count: u64,
    /// Sum of H(_id, rev) modulo 2^128.
    pub sum: u128,
}

/// What of a day one collection should hold.
pub struct Expected {
    /// Collection; not bodies, which have no day.
    pub collection: Collection,
    /// Day.
    pub day: Day,
    buckets: Vec<Bucket>,
    places: BTreeMap<(Source, i64), usize>,
    /// `_id`s that the server did not take.
    rejected: HashSet<String>,
    /// Intervals that other archives have uploaded.
    others: Vec<SegmentName>,
}

/// What a pass over a day found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Documents of ours.
    pub documents: u64,
    /// Number of each bucket that does not agree, with how many documents the server has there.
    pub differing: Vec<(usize, u64)>,
    /// `_id`s of an older extractor that our segments do not have any more.
    pub stale: Vec<String>,
    /// `_id`s that belong to no segment.
    pub strangers: Vec<String>,
    /// So many of those, also when they are not named.
    pub strange: u64,
}

#[derive(Clone, Default)]
struct Sums {
    found: Found,
    buckets: Vec<(u64, u128)>,
}

impl Expected {
    /// From the buckets of the day's segments.
    pub fn new(
        collection: Collection,
        day: Day,
        buckets: Vec<Bucket>,
        rejected: HashSet<String>,
        others: Vec<SegmentName>,
    ) -> Expected {
        let key = |bucket: &Bucket| (bucket.segment.name.source.clone(), bucket.segment.name.from);
        let places = buckets.iter().enumerate().map(|(i, bucket)| (key(bucket), i)).collect();
        Expected { collection, day, buckets, places, rejected, others }
    }

    /// One bucket.
    pub fn bucket(&self, i: usize) -> &Bucket {
        &self.buckets[i]
    }

    /// Documents that should be there.
    pub fn documents(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// True when an `_id` was rejected.
    pub fn is_rejected(&self, id: &str) -> bool {
        self.rejected.contains(id)
    }

    /// Passes over the day once.
    pub async fn compare(&self, link: &Link) -> Result<Found, Failure> {
        let fields = doc! { "_id": 1, "rev": 1, "segment": 1, "offset": 1, "extractor": 1 };
        let new = || Sums { found: Found::default(), buckets: vec![(0, 0); self.buckets.len()] };
        let sums = link.pass(self.collection.name(), self.of_day(), fields, new, |sums, d| self.count(sums, d)).await?;
        let mut found = sums.found;
        for (i, (count, sum)) in sums.buckets.into_iter().enumerate() {
            found.documents += count;
            if (count, sum) != (self.buckets[i].count, self.buckets[i].sum) {
                found.differing.push((i, count));
            }
        }
        Ok(found)
    }

    /// The filter for the day.
    pub fn of_day(&self) -> Document {
        doc! { "day": DateTime::from_millis(self.day.start_millis()) }
    }

    fn count(&self, sums: &mut Sums, document: &RawDocument) {
        let id = document.get_str("_id").unwrap_or_default();
        if self.rejected.contains(id) {
            return;
        }
        let Some(i) = self.place(document) else {
            if !self.is_of_another(document) {
                sums.found.strange += 1;
                if sums.found.strangers.len() < NAMED {
                    sums.found.strangers.push(shown(document));
                }
            }
            return;
        };
        let version = |text: &str| text.parse::<u64>().unwrap_or(0);
        let ours = self.buckets[i].extractor.as_deref().map(version);
        let theirs = document.get_str("extractor").ok().map(version);
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && theirs < ours
        {
            sums.found.stale.push(id.to_owned());
        }
        // what is no rev of ours makes the sum differ
        let rev = document.get_str("rev").ok().and_then(row_hash::parse).unwrap_or(u128::MAX);
        let (count, sum) = &mut sums.buckets[i];
        *count += 1;
        *sum = sum.wrapping_add(document::proof(id, rev));
    }

    /// The bucket of a document.
    pub fn place(&self, document: &RawDocument) -> Option<usize> {
        let (source, at) = where_from(document)?;
        let (_, i) = self.places.range(..=(source.clone(), at)).next_back()?;
        let name = &self.buckets[*i].segment.name;
        (name.source == source && at < name.next).then_some(*i)
    }

    fn is_of_another(&self, document: &RawDocument) -> bool {
        let Some((source, at)) = where_from(document) else { return false };
        self.others.iter().any(|name| name.source == source && (name.from..name.next).contains(&at))
    }
}

/// Source and offset of a document; links have the first offset of the segment that they name.
fn where_from(document: &RawDocument) -> Option<(Source, i64)> {
    let name: SegmentName = document.get_str("segment").ok()?.parse().ok()?;
    let offset = match document.get("offset").ok()? {
        Some(offset) => offset.as_i64().or(offset.as_i32().map(i64::from))?,
        None => name.from,
    };
    Some((name.source, offset))
}

/// The `_id` of any document, for people.
pub fn shown(document: &RawDocument) -> String {
    match document.get("_id") {
        Ok(Some(id)) => match id.as_str() {
            Some(text) => text.to_owned(),
            None => format!("{id:?}"),
        },
        _ => "a document without _id".to_owned(),
    }
}
