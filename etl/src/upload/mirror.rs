//! The ledger's mirror in the database: collection `ledger`, one document per archive and day.
//!
//! It tells whoever reads the database what is whole, and tells an uploader whether the database is the one that its own
//! ledger is about: after a restore from an older copy, or a drop, it is not.

use anyhow::{Context, Result};
use archive::{DataDir, Day, SegmentName, Upload};
use mongodb::bson::{DateTime, doc};

use crate::mongo::{Link, Mongo};

/// Collection.
const LEDGER: &str = "ledger";
/// What a server answers when two upserts of one `_id` meet; the one that lost is to be sent again.
const DUPLICATE_KEY: i32 = 11000;
/// How often an upsert is sent at most.
const UPSERTS: u32 = 5;

/// Writes what the ledger says of a day.
pub fn write(mongo: &Mongo, day: Day, upload: &Upload) -> Result<()> {
    mongo.wait(put(mongo.link(), day, upload))
}

/// The same, in a task.
pub async fn put(link: &Link, day: Day, upload: &Upload) -> Result<()> {
    let id = id(upload);
    let mut document = mongodb::bson::serialize_to_document(upload).context("cannot write the ledger")?;
    document.insert("_id", &id);
    document.insert("day", DateTime::from_millis(day.start_millis()));
    let update = doc! { "q": { "_id": &id }, "u": document, "upsert": true };
    let command = doc! {
        "update": LEDGER, "ordered": false, "updates": [update], "writeConcern": { "w": "majority", "j": true },
    };
    for attempt in 1.. {
        let reply = link.command(command.clone()).await.context("cannot mirror the ledger")?;
        let Some(error) = reply.get_array("writeErrors").ok().and_then(|errors| errors.first()) else { break };
        // the last write of an uploader that was killed may still be under way in the server, and insert first
        if attempt < UPSERTS && error.as_document().and_then(|e| e.get_i32("code").ok()) == Some(DUPLICATE_KEY) {
            continue;
        }
        anyhow::bail!("cannot mirror the ledger in {}: {error}", link.target());
    }
    Ok(())
}

/// What the database says of a day of our archive; none when it says nothing, or nothing that we understand.
pub fn read(mongo: &Mongo, upload: &Upload) -> Result<Option<Upload>> {
    let command = doc! { "find": LEDGER, "filter": { "_id": id(upload) }, "singleBatch": true, "limit": 1 };
    let mut reply = mongo.wait(mongo.link().command(command)).context("cannot read the mirror of the ledger")?;
    let Some(found) =
        reply.get_document_mut("cursor").ok().and_then(|c| c.get_array_mut("firstBatch").ok()).and_then(Vec::pop)
    else {
        return Ok(None);
    };
    let mut document = found.as_document().cloned().unwrap_or_default();
    document.remove("_id");
    document.insert("day", &upload.day);
    Ok(mongodb::bson::deserialize_from_document(document).ok())
}

/// Segments that other archives have uploaded of a day to a collection.
pub fn others(mongo: &Mongo, data: &DataDir, day: Day, collection: &str) -> Result<Vec<SegmentName>> {
    let archive = data.archive_id()?;
    let filter = doc! { "day": DateTime::from_millis(day.start_millis()) };
    let fields = doc! { "archive": 1, "segments": 1 };
    let found = mongo.wait(mongo.link().pass(LEDGER, filter, fields, Vec::new, |list, document| {
        list.extend(mongodb::bson::Document::try_from(document).ok());
    }));
    let mut names = Vec::new();
    for mut document in found.context("cannot read the mirror of the ledger")? {
        document.remove("_id");
        let Ok(upload) = mongodb::bson::deserialize_from_document::<Upload>(document) else { continue };
        if upload.archive != archive {
            let ours = upload.segments.iter().filter(|one| one.collection == collection);
            names.extend(ours.filter_map(|one| one.segment.parse::<SegmentName>().ok()));
        }
    }
    Ok(names)
}

fn id(upload: &Upload) -> String {
    format!("{}/{}", upload.archive, upload.day)
}
