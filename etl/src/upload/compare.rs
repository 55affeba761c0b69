//! Compares a day on the server with what the ledger says was sent, and finds what has to be sent again.

use anyhow::{Context, Result};
use archive::Segment;

use super::day::{Piece, Run};
use super::mirror;
use crate::mongo::document::Collection;
use crate::mongo::{Failure, Mongo};
use crate::row_hash;
use crate::verify::agree::{Bucket, Expected};
use crate::verify::bodies;

impl Run<'_> {
    /// Compares all collections of the day; gives what is to be sent again, or none when a signal came. What will not be
    /// mended by sending goes into the report; with `last`, everything.
    pub(super) fn compare(&mut self, last: bool) -> Result<Option<Vec<Piece>>> {
        let link = self.work.mongo.link().clone();
        let mut again = Vec::new();
        self.report.documents = 0;
        for collection in self.work.options.collections.clone() {
            if self.work.shutdown.requested() {
                return Ok(None);
            }
            let segments = self.segments(collection);
            if collection == Collection::Bodies {
                let rejected = self.rejects.ids(collection);
                for segment in self.readable(collection, segments) {
                    let missing = bodies::missing(self.work.mongo, &segment, &rejected)?;
                    if let Some((id, reason)) = missing.first() {
                        if last {
                            let n = missing.len();
                            self.report.trouble.push(format!("bodies: {n} of {} {reason}, such as {id}", segment.name));
                        }
                        again.push((collection, segment, last));
                    }
                }
                continue;
            }
            let expected = self.expected(collection, self.readable(collection, segments))?;
            let mut found = self.work.mongo.wait(expected.compare(&link))?;
            if !found.stale.is_empty() {
                self.report.removed += remove(self.work.mongo, collection, &found.stale)?;
                found = self.work.mongo.wait(expected.compare(&link))?;
            }
            self.report.documents += found.documents;
            for (i, there) in &found.differing {
                let bucket = expected.bucket(*i);
                if last {
                    self.report.trouble.push(format!(
                        "{}: the server has {there} documents of {}, the archive {}, or their contents differ; `etl verify --day {}` \
                         names them",
                        collection.name(),
                        bucket.segment.name,
                        bucket.count,
                        self.day
                    ));
                }
                again.push((collection, bucket.segment.clone(), false));
            }
            if found.strange > 0 {
                self.report.trouble.push(format!(
                    "{}: {} documents of {} are in no segment of the archive, such as {}",
                    collection.name(),
                    found.strange,
                    self.day,
                    program::human::clean(found.strangers.first().map_or("", String::as_str))
                ));
            }
        }
        Ok(Some(again))
    }

    /// Segments whose files were read to the end; a damaged one is in the report already.
    fn readable(&self, collection: Collection, segments: Vec<Segment>) -> Vec<Segment> {
        let known = |segment: &Segment| self.ledger.segment(collection.name(), &segment.name.to_string());
        let good = |segment: &Segment| known(segment).is_some_and(|entry| entry.state != "damaged");
        segments.into_iter().filter(good).collect()
    }

    /// What the ledger says that the server has.
    fn expected(&self, collection: Collection, segments: Vec<Segment>) -> Result<Expected> {
        let mut buckets = Vec::new();
        for segment in segments {
            let Some(entry) = self.ledger.segment(collection.name(), &segment.name.to_string()) else { continue };
            let sum = row_hash::parse(&entry.sum).with_context(|| format!("the ledger of {} has no sum", self.day))?;
            buckets.push(Bucket {
                extractor: entry.extractor.clone(),
                count: entry.documents - entry.rejected.min(entry.documents),
                sum,
                segment,
            });
        }
        let others = mirror::others(self.work.mongo, self.work.data, self.day, collection.name())?;
        Ok(Expected::new(collection, self.day, buckets, self.rejects.ids(collection), others))
    }
}

/// Removes documents of an older extractor that have no successor.
fn remove(mongo: &Mongo, collection: Collection, ids: &[String]) -> Result<u64, Failure> {
    use mongodb::bson::doc;
    let mut removed = 0;
    for some in ids.chunks(64) {
        let deletes: Vec<_> = some.iter().map(|id| doc! { "q": { "_id": id }, "limit": 1 }).collect();
        let command = doc! {
            "delete": collection.name(), "ordered": false, "deletes": deletes, "writeConcern": { "w": "majority", "j": true },
        };
        mongo.wait(mongo.link().command(command))?;
        removed += some.len() as u64;
    }
    Ok(removed)
}
