//! Sends one batch and accounts for every document in it: inserted, there already, replaced, or rejected with a reason.

use std::collections::HashMap;

use anyhow::Context;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use mongodb::bson::{Bson, Document, doc};

use super::batch::{Batch, DOCUMENT_BYTES};
use crate::mongo::document::Collection;
use crate::mongo::{Failure, Link};
use crate::row_hash;

/// Duplicate key.
const DUPLICATE: i32 = 11000;
/// What a server calls a document that is too large.
const TOO_LARGE: i32 = 10334;
/// So many documents refused one after the other, and none taken: the fault is not theirs.
const HOPELESS: usize = 64;
/// Look-ups at once, where documents are looked up one by one.
const LOOKUPS: usize = 8;

/// A document that the server did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Collection.
    pub collection: Collection,
    /// `_id`.
    pub id: String,
    /// `rev`.
    pub rev: u128,
    /// The server's code; 0 where it gave none.
    pub code: i32,
    /// Its words, or ours.
    pub message: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// New on the server.
    pub inserted: u64,
    /// There already, the same.
    pub present: u64,
    /// Put in place of another.
    pub replaced: u64,
    /// Not taken.
    pub rejected: Vec<Reject>,
}

/// What the server has under an `_id`.
#[derive(Debug, Clone)]
pub struct There {
    rev: Option<String>,
    extractor: Option<String>,
    day: Option<i64>,
}

/// What a document is compared with when its `_id` is taken.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Replace whatever is there.
    pub force: bool,
    /// Version of our extractor, of what was extracted.
    pub extractor: Option<String>,
    /// First moment of the day, milliseconds; bodies have none.
    pub day: Option<i64>,
}

/// Sends a batch.
pub async fn send(link: &Link, batch: &Batch, terms: &Terms) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut fitting = Vec::with_capacity(batch.docs.len());
    for i in 0..batch.docs.len() {
        let size = batch.document(i).len();
        if size > DOCUMENT_BYTES {
            let message = format!("the document has {size} bytes; a server takes {DOCUMENT_BYTES}");
            outcome.rejected.push(reject(batch, i, TOO_LARGE, message));
        } else {
            fitting.push(i);
        }
    }
    let mut taken = Vec::new();
    // whole commands that are refused are split, until the documents at fault stand alone
    let mut work = vec![fitting];
    let mut refused_alone = 0;
    while let Some(places) = work.pop() {
        if places.is_empty() {
            continue;
        }
        match link.raw(|| batch.insert(&places)).await {
            Ok(reply) => {
                let errors = write_errors(link, &reply)?;
                outcome.inserted += (places.len() - errors.len().min(places.len())) as u64;
                refused_alone = 0;
                for (index, code, message) in errors {
                    let Some(place) = places.get(index).copied() else { continue };
                    match code {
                        DUPLICATE => taken.push(place),
                        _ => outcome.rejected.push(reject(batch, place, code, message)),
                    }
                }
            }
            Err(failure @ Failure::Refused { .. }) if failure.is_unwelcome() || refused_alone >= HOPELESS => {
                return Err(failure);
            }
            Err(Failure::Refused { code, message, .. }) if places.len() == 1 => {
                refused_alone += 1;
                outcome.rejected.push(reject(batch, places[0], code, message));
            }
            Err(Failure::Refused { .. }) => {
                let (left, right) = places.split_at(places.len() / 2);
                work.push(right.to_vec());
                work.push(left.to_vec());
            }
            Err(failure) => return Err(failure),
        }
    }
    compare(link, batch, terms, &taken, &mut outcome).await?;
    Ok(outcome)
}

/// Decides about documents whose `_id` the server has already.
async fn compare(
    link: &Link,
    batch: &Batch,
    terms: &Terms,
    taken: &[usize],
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    if taken.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = taken.iter().map(|i| batch.docs[*i].id.as_str()).collect();
    let there = look_up(link, batch.collection, &ids).await?;
    let mut replace = Vec::new();
    for i in taken {
        let doc = &batch.docs[*i];
        let rev = row_hash::hex(doc.rev);
        match there.get(&doc.id) {
            None => {
                let message = "its key is taken in another unique index than that of _id".to_owned();
                outcome.rejected.push(reject(batch, *i, DUPLICATE, message));
            }
            Some(_) if terms.force => replace.push(*i),
            Some(there) if is_older(there, terms) => replace.push(*i),
            Some(there) if there.rev.as_deref() == Some(&rev) => match terms.day.is_some() && there.day != terms.day {
                true => replace.push(*i),
                false => outcome.present += 1,
            },
            Some(there) => {
                let message = format!(
                    "the server has another document of this _id (rev {}, ours is {rev}); --force replaces it",
                    there.rev.as_deref().unwrap_or("missing")
                );
                outcome.rejected.push(reject(batch, *i, DUPLICATE, message));
            }
        }
    }
    for part in batch.replaceable(&replace) {
        match link.raw(|| batch.replace(part)).await {
            Ok(reply) => {
                let errors = write_errors(link, &reply)?;
                outcome.replaced += (part.len() - errors.len().min(part.len())) as u64;
                for (index, code, message) in errors {
                    if let Some(place) = part.get(index) {
                        outcome.rejected.push(reject(batch, *place, code, message));
                    }
                }
            }
            Err(failure @ Failure::Refused { .. }) if failure.is_unwelcome() => return Err(failure),
            Err(Failure::Refused { code, message, .. }) => {
                outcome.rejected.extend(part.iter().map(|place| reject(batch, *place, code, message.clone())));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// True when the server's document is of an older extractor than ours.
fn is_older(there: &There, terms: &Terms) -> bool {
    let version = |text: &str| text.parse::<u64>().unwrap_or(0);
    match (&there.extractor, &terms.extractor) {
        (Some(theirs), Some(ours)) => version(theirs) < version(ours),
        _ => false,
    }
}

/// What the server has under these ids.
async fn look_up(link: &Link, collection: Collection, ids: &[&str]) -> Result<HashMap<String, There>, Failure> {
    let fields = doc! { "rev": 1, "extractor": 1, "day": 1 };
    let found = fetch(link, collection, ids, &fields).await?;
    let text = |d: &Document, key: &str| d.get_str(key).ok().map(str::to_owned);
    let there = found.into_iter().filter_map(|d| {
        let day = d.get_datetime("day").ok().map(|day| day.timestamp_millis());
        Some((text(&d, "_id")?, There { rev: text(&d, "rev"), extractor: text(&d, "extractor"), day }))
    });
    Ok(there.collect())
}

/// The documents of these ids, with these fields (all, when none is named).
pub async fn fetch(
    link: &Link,
    collection: Collection,
    ids: &[&str],
    fields: &Document,
) -> Result<Vec<Document>, Failure> {
    let find = |filter: Document, most: i32| {
        let mut command = doc! { "find": collection.name(), "filter": filter, "batchSize": most, "singleBatch": true };
        if !fields.is_empty() {
            command.insert("projection", fields.clone());
        }
        command
    };
    if link.one_by_one() {
        let commands: Vec<Document> = ids.iter().map(|id| find(doc! { "_id": *id }, 1)).collect();
        let replies = stream::iter(commands).map(|command| link.command(command)).buffer_unordered(LOOKUPS);
        let replies: Vec<Document> = replies.try_collect().await?;
        return Ok(replies.into_iter().flat_map(first_batch).collect());
    }
    let mut found = Vec::new();
    let mut missing: Vec<&str> = ids.to_vec();
    // one answer holds at most 16 MiB: what did not fit is asked for again
    while !missing.is_empty() {
        let most = i32::try_from(missing.len()).unwrap_or(i32::MAX);
        let some = first_batch(link.command(find(doc! { "_id": { "$in": &missing } }, most)).await?);
        if some.is_empty() {
            break;
        }
        let got: std::collections::HashSet<String> =
            some.iter().filter_map(|d| d.get_str("_id").ok().map(str::to_owned)).collect();
        missing.retain(|id| !got.contains(*id));
        found.extend(some);
    }
    Ok(found)
}

fn first_batch(mut reply: Document) -> Vec<Document> {
    let Some(Bson::Document(mut cursor)) = reply.remove("cursor") else { return Vec::new() };
    let Some(Bson::Array(list)) = cursor.remove("firstBatch") else { return Vec::new() };
    list.into_iter().filter_map(|one| if let Bson::Document(d) = one { Some(d) } else { None }).collect()
}

/// Index, code and message of each write error.
fn write_errors(link: &Link, reply: &Document) -> Result<Vec<(usize, i32, String)>, Failure> {
    if let Ok(error) = reply.get_document("writeConcernError") {
        let message = error.get_str("errmsg").unwrap_or("the write was not acknowledged by most members").to_owned();
        return Err(Failure::Refused { target: link.target().to_owned(), code: int(error, "code"), message });
    }
    let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    let errors = errors.iter().filter_map(Bson::as_document).map(|error| {
        let message = error.get_str("errmsg").unwrap_or("no reason given").to_owned();
        (usize::try_from(int(error, "index")).unwrap_or(usize::MAX), int(error, "code"), message)
    });
    Ok(errors.collect())
}

fn int(document: &Document, key: &str) -> i32 {
    match document.get(key) {
        Some(Bson::Int32(n)) => *n,
        Some(Bson::Int64(n)) => i32::try_from(*n).unwrap_or(0),
        Some(Bson::Double(n)) => *n as i32,
        _ => 0,
    }
}

fn reject(batch: &Batch, place: usize, code: i32, message: String) -> Reject {
    let doc = &batch.docs[place];
    Reject { collection: batch.collection, id: doc.id.clone(), rev: doc.rev, code, message }
}

/// Makes a collection's indexes; those that are there stay. One at a time: asked for several of which some are there,
/// FerretDB 1.24 breaks.
pub async fn make_indexes(link: &Link, collection: Collection) -> anyhow::Result<()> {
    for (name, keys) in collection.indexes() {
        let key: Document = keys.iter().map(|key| ((*key).to_owned(), Bson::Int32(1))).collect();
        let command = doc! { "createIndexes": collection.name(), "indexes": [{ "key": key, "name": *name }] };
        match link.command(command).await {
            Ok(_) => {}
            // the same keys under another name, or made otherwise: a person wanted it so
            Err(Failure::Refused { code: 85 | 86, message, .. }) => {
                tracing::warn!("index {name} of {} stays as it is: {message}", collection.name());
            }
            Err(failure) => {
                return Err(failure).with_context(|| format!("cannot make the index {name} of {}", collection.name()));
            }
        }
    }
    Ok(())
}
