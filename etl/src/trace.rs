//! `etl trace URL`: everything that is known of one URL along the line, in the order in which it flows.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use archive::{Catalogue, DataDir, DataSet, Run, Segment};
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use bus::Bus;
use bus::payload::{Artefact, State, UrlState};
use bus::topic::{self, ARTEFACTS, PARTITIONS, partition_of};
use mongodb::bson::doc;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use program::{Common, Exit, Misuse, Shutdown, human};
use serde_json::{Value, json};

use crate::columns::array;
use crate::mongo::document::Collection;
use crate::mongo::{Server, Target};
use crate::segment_reader::{SegmentReader, batches};
use crate::upload::is_interrupted;
use crate::upload::send::fetch;
use crate::world;

/// Tell everything that is known of one URL: frontier, bus, archive, database, reports
///
/// The bus keeps records 30 days, the archive for ever. The database is asked when --mongodb names one; when it does not
/// answer, the rest is told all the same, and the exit code is 3.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// URL; it need not be canonical
    #[arg(value_name = "URL")]
    url: String,
    /// Crawl whose frontier is asked
    #[arg(long, value_name = "NAME", default_value = "main")]
    crawl: String,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let canonical = web::canonicalise(&args.url).map_err(|error| Misuse::new(format!("{}: {error}", args.url)))?;
    let host = canonical.host().to_owned();
    let url = canonical.into_string();
    let data = DataDir::new(&common.data);
    let bus = world::look_at_bus(common)?;
    let (frontier, on_bus) = match &bus {
        Some(bus) => (frontier(bus, &args.crawl, &host, &url)?, on_bus(bus, &host, &url)?),
        None => (Value::Null, Vec::new()),
    };
    let catalogue = Catalogue::read(&data)?;
    let archived = rows(&catalogue, DataSet::Artefacts, &FETCH, &url);
    let pages = rows(&catalogue, DataSet::Pages, &PAGE, &url);
    let reports = reports(&data, &url)?;
    let (documents, asked) = match args.server.target()? {
        Some(target) => match documents(&args.server, &target, &url, &archived, shutdown) {
            Ok(found) => (json!({ "server": target.shown(), "documents": found }), true),
            Err(error) if is_interrupted(&error) => return Ok(Exit::Interrupted),
            // the rest is known all the same
            Err(error) => {
                let why = format!("{error:#}");
                tracing::error!("{why}; `etl doctor` looks for the cause");
                (json!({ "server": target.shown(), "documents": [], "error": why }), false)
            }
        },
        None => (Value::Null, true),
    };
    let known = !frontier.is_null() || !on_bus.is_empty() || !archived.is_empty();
    let all = json!({
        "url": url, "host": host, "partition": partition_of(host.as_bytes(), PARTITIONS), "frontier": frontier, "bus": on_bus,
        "archive": archived, "pages": pages, "database": documents, "reports": reports,
    });
    if common.json {
        println!("{all}");
    } else {
        print(&all);
        if !known {
            println!("nothing is known of it; `spider explain {url}` says whether it would be fetched");
        }
    }
    Ok(if asked { Exit::Done } else { Exit::Partly })
}

/// The documents of the URL: its fetches and pages, their bodies, and how many links lead from it and to it.
fn documents(
    server: &Server,
    target: &Target,
    url: &str,
    archived: &[Value],
    shutdown: &Shutdown,
) -> Result<Vec<Value>> {
    let mongo = server.quick().connect(target, shutdown)?;
    let mut found = Vec::new();
    for collection in [Collection::Artefacts, Collection::Pages] {
        let fields = doc! { "_id": 1, "day": 1, "segment": 1, "rev": 1 };
        let pass = mongo.link().pass(collection.name(), doc! { "url": url }, fields, Vec::new, |list, d| {
            let text = |key| d.get_str(key).unwrap_or_default().to_owned();
            let (id, segment, rev) = (text("_id"), text("segment"), text("rev"));
            list.push(json!({ "collection": collection.name(), "id": id, "segment": segment, "rev": rev }));
        });
        found.extend(mongo.wait(pass)?);
    }
    let bodies: BTreeSet<&str> = archived.iter().filter_map(|one| one["body_sha256"].as_str()).collect();
    let bodies: Vec<&str> = bodies.into_iter().collect();
    for body in mongo.wait(fetch(mongo.link(), Collection::Bodies, &bodies, &doc! { "rev": 1, "bytes": 1 }))? {
        let (id, rev) = (body.get_str("_id").unwrap_or_default(), body.get_str("rev").unwrap_or_default());
        found.push(json!({ "collection": "bodies", "id": id, "rev": rev, "bytes": body.get_i64("bytes").ok() }));
    }
    for (key, direction) in [("src", "from it"), ("dst", "to it")] {
        let (filter, fields) = (doc! { key: url }, doc! { "_id": 1 });
        let pass = mongo.link().pass(Collection::Links.name(), filter, fields, || 0_u64, |count, _| *count += 1);
        match mongo.wait(pass)? {
            0 => {}
            count => found.push(json!({ "collection": "links", "direction": direction, "count": count })),
        }
    }
    Ok(found)
}

/// The newest state of the URL in a crawl's frontier.
fn frontier(bus: &Bus, crawl: &str, host: &str, url: &str) -> Result<Value> {
    let topic = topic::frontier(crawl).name;
    let mut state = Value::Null;
    scan(bus, &topic, host, |delivered| {
        if delivered.record.key != url.as_bytes() {
            return;
        }
        if delivered.record.value.is_none() {
            // taken out of the frontier
            state = Value::Null;
        } else if let Ok((_, found)) = UrlState::from_record(&delivered.record) {
            let name = match found.state {
                State::Pending => "pending",
                State::Fetched => "fetched",
                State::Gone => "gone",
            };
            state = json!({
                "crawl": crawl, "offset": delivered.offset, "state": name, "status": found.status, "depth": found.depth,
                "via": found.via, "hops": found.hops, "attempts": found.attempts,
                "next_fetch": (found.next_fetch > 0).then(|| time(found.next_fetch.saturating_mul(1_000_000))),
                "etag": found.etag, "last_modified": found.last_modified, "hash": found.hash, "interval": found.interval,
            });
        }
    })?;
    Ok(state)
}

/// The fetches that the bus still has.
fn on_bus(bus: &Bus, host: &str, url: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    scan(bus, ARTEFACTS, host, |delivered| {
        if delivered.record.key == url.as_bytes() {
            let artefact = Artefact::from_record(&delivered.record).ok();
            found.push(json!({
                "partition": delivered.partition, "offset": delivered.offset,
                "appended": time(delivered.time.saturating_mul(1000)),
                "id": artefact.as_ref().map(|a| a.id.to_string()), "status": artefact.as_ref().and_then(|a| a.status),
                "error": artefact.and_then(|a| a.error),
            }));
        }
    })?;
    Ok(found)
}

/// Calls with each record of the host's partition of a topic, where there is one.
fn scan(bus: &Bus, topic: &str, host: &str, mut each: impl FnMut(&bus::Delivered)) -> Result<()> {
    if !bus.topics()?.iter().any(|known| known.name == topic) {
        return Ok(());
    }
    let partition = partition_of(host.as_bytes(), PARTITIONS);
    let offsets = bus.offsets(topic, partition)?;
    let mut scan = bus.scan(topic, partition, offsets.start)?;
    loop {
        let batch = scan.next_batch()?;
        if batch.is_empty() {
            return Ok(());
        }
        batch.iter().for_each(&mut each);
    }
}

/// What is shown of a fetch and of a page, beside its day and segment.
const FETCH: [&str; 8] = ["id", "offset", "fetched_at", "appended_at", "status", "error", "body_sha256", "body_bytes"];
const PAGE: [&str; 6] = ["id", "title", "lang", "words", "links_out", "extractor"];

/// The rows of the URL in a data set; a damaged segment says nothing, which is told.
fn rows(catalogue: &Catalogue, set: DataSet, names: &[&str], url: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for segment in catalogue.segments(set, None, None) {
        match rows_in(segment, names, url) {
            Ok(rows) => found.extend(rows),
            Err(error) => tracing::warn!("{error:#}"),
        }
    }
    found
}

fn rows_in(segment: &Segment, names: &[&str], url: &str) -> Result<Vec<Value>> {
    let reader = SegmentReader::open(&segment.path)?;
    let column = reader.column("url")?;
    let mut found = Vec::new();
    for group in 0..reader.metadata().num_row_groups() {
        let filter = reader.columns(&[])?.get_row_group_column_bloom_filter(group, column)?;
        if reader.text_is_outside(group, column, url) || filter.is_some_and(|filter| !filter.check(&url)) {
            continue;
        }
        let wanted: Vec<&str> = names.iter().copied().chain(["url"]).collect();
        for batch in batches(reader.path(), reader.columns(&wanted)?.with_row_groups(vec![group]).build()?) {
            let batch = batch?;
            let urls: StringArray = array(&batch, "url")?;
            for i in (0..batch.num_rows()).filter(|i| urls.value(*i) == url) {
                let mut row = serde_json::Map::new();
                row.insert("day".into(), segment.day.to_string().into());
                row.insert("segment".into(), segment.name.to_string().into());
                row.extend(names.iter().map(|name| ((*name).to_owned(), cell(&batch, name, i))));
                found.push(Value::Object(row));
            }
        }
    }
    Ok(found)
}

/// A cell as JSON.
fn cell(batch: &RecordBatch, name: &str, row: usize) -> Value {
    let Some(column) = batch.column_by_name(name).filter(|column| column.is_valid(row)) else { return Value::Null };
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.value(row).into();
    }
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return time(times.value(row)).into();
    }
    column.as_primitive_opt::<Int64Type>().map_or(Value::Null, |numbers| numbers.value(row).into())
}

/// Tables of finished reports that name the URL, with how many cells do.
fn reports(data: &DataDir, url: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for run in Run::list(data, None)? {
        let Ok(entries) = std::fs::read_dir(&run.path) else { continue };
        let mut tables: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        tables.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        tables.sort();
        for table in tables {
            match cells(&table, url) {
                Ok(0) => {}
                Ok(cells) => found.push(json!({
                    "miner": run.miner, "span": run.span, "run": run.run, "cells": cells,
                    "table": table.file_name().map(|name| name.to_string_lossy().into_owned()),
                })),
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
    }
    Ok(found)
}

/// How many text cells of a table are the URL.
fn cells(path: &Path, url: &str) -> Result<u64> {
    let failed = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let mut count = 0;
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).with_context(failed)?.build().with_context(failed)? {
        let batch = batch.with_context(failed)?;
        for column in batch.columns() {
            count += match (column.as_string_opt::<i32>(), column.as_string_opt::<i64>(), column.as_string_view_opt()) {
                (Some(texts), ..) => texts.iter().filter(|text| *text == Some(url)).count(),
                (_, Some(texts), _) => texts.iter().filter(|text| *text == Some(url)).count(),
                (.., Some(texts)) => texts.iter().filter(|text| *text == Some(url)).count(),
                _ => 0,
            } as u64;
        }
    }
    Ok(count)
}

fn time(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn print(all: &Value) {
    println!("{} (partition {})", human::clean(all["url"].as_str().unwrap_or_default()), all["partition"]);
    for (title, key) in [
        ("frontier", "frontier"),
        ("bus", "bus"),
        ("archive", "archive"),
        ("pages", "pages"),
        ("database", "database"),
        ("reports", "reports"),
    ] {
        match &all[key] {
            Value::Null => {
                println!("{title}: {}", if key == "database" { "not asked; --mongodb names one" } else { "nothing" })
            }
            Value::Array(list) if list.is_empty() => println!("{title}: nothing"),
            Value::Array(list) => {
                println!("{title}:");
                list.iter().for_each(|one| println!("  {}", line(one)));
            }
            Value::Object(object) if object.contains_key("documents") => {
                println!("{title}: {}", line(&object["server"]));
                let list = object["documents"].as_array().cloned().unwrap_or_default();
                list.iter().for_each(|one| println!("  {}", line(one)));
                match object.get("error").and_then(Value::as_str) {
                    Some(why) => println!("  not answered: {}", human::clean(why)),
                    None if list.is_empty() => println!("  nothing"),
                    None => {}
                }
            }
            one => println!("{title}:\n  {}", line(one)),
        }
    }
}

/// `key value, key value`, without what is null.
fn line(value: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => human::clean(text).into_owned(),
        other => other.to_string(),
    };
    match value {
        Value::Object(object) => {
            let parts = object
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key} {}", text(value)));
            parts.collect::<Vec<_>>().join(", ")
        }
        other => text(other),
    }
}
