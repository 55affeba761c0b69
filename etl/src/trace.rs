//! `etl trace URL`: everything that is known of one URL along the line, in the order in which it flows.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use archive::{Catalogue, DataDir, DataSet, Run};
use arrow::array::{Array, AsArray, Int64Array, StringArray, TimestampMicrosecondArray};
use bus::Bus;
use bus::payload::{Artefact, State, UrlState};
use bus::topic::{self, ARTEFACTS, PARTITIONS, partition_of};
use mongodb::bson::doc;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use program::{Common, Exit, Misuse, Shutdown, human};
use serde_json::{Value, json};

use crate::columns::array;
use crate::mongo::Server;
use crate::mongo::document::Collection;
use crate::segment_reader::{SegmentReader, batches};
use crate::world;

/// Tell everything that is known of one URL: frontier, bus, archive, database, reports
///
/// The bus keeps records 30 days, the archive for ever. The database is asked when --mongodb names one.
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
    let archived = archived(&catalogue, &url)?;
    let pages = pages(&catalogue, &url)?;
    let reports = reports(&data, &url)?;
    let documents = match args.server.target()? {
        Some(target) => {
            let mongo = args.server.connect(&target, shutdown)?;
            let mut found = Vec::new();
            for collection in [Collection::Artefacts, Collection::Pages] {
                let fields = doc! { "_id": 1, "day": 1, "segment": 1, "rev": 1 };
                let pass = mongo.link().pass(collection.name(), doc! { "url": &url }, fields, Vec::new, |list, d| {
                    let text = |key| d.get_str(key).unwrap_or_default().to_owned();
                    list.push(json!({ "collection": collection.name(), "id": text("_id"), "segment": text("segment"), "rev": text("rev") }));
                });
                found.extend(mongo.wait(pass)?);
            }
            json!({ "server": target.shown(), "documents": found })
        }
        None => Value::Null,
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
    Ok(Exit::Done)
}

/// The newest state of the URL in a crawl's frontier.
fn frontier(bus: &Bus, crawl: &str, host: &str, url: &str) -> Result<Value> {
    let topic = topic::frontier(crawl).name;
    let mut state = Value::Null;
    scan(bus, &topic, host, |delivered| {
        if delivered.record.key == url.as_bytes()
            && let Ok((_, found)) = UrlState::from_record(&delivered.record)
        {
            let name = match found.state {
                State::Pending => "pending",
                State::Fetched => "fetched",
                State::Gone => "gone",
            };
            state = json!({
                "crawl": crawl, "offset": delivered.offset, "state": name, "status": found.status, "depth": found.depth,
                "via": found.via, "attempts": found.attempts, "next_fetch": found.next_fetch,
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
                "partition": delivered.partition, "offset": delivered.offset, "appended": delivered.time,
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

/// The rows of the URL in the archive.
fn archived(catalogue: &Catalogue, url: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for segment in catalogue.segments(DataSet::Artefacts, None, None) {
        let reader = match SegmentReader::open(&segment.path) {
            Ok(reader) => reader,
            Err(error) => {
                tracing::warn!("{error:#}");
                continue;
            }
        };
        let column = reader.column("url")?;
        for group in 0..reader.metadata().num_row_groups() {
            let filter = reader.columns(&[])?.get_row_group_column_bloom_filter(group, column)?;
            if reader.text_is_outside(group, column, url) || filter.is_some_and(|filter| !filter.check(&url)) {
                continue;
            }
            let names = ["url", "id", "fetched_at", "status", "error", "offset", "body_sha256"];
            let rows = reader.columns(&names)?.with_row_groups(vec![group]).build()?;
            for batch in batches(reader.path(), rows) {
                let batch = batch?;
                let text = |name| array::<StringArray>(&batch, name);
                let (urls, ids, errors, bodies) = (text("url")?, text("id")?, text("error")?, text("body_sha256")?);
                let times: TimestampMicrosecondArray = array(&batch, "fetched_at")?;
                let (statuses, offsets): (Int64Array, Int64Array) =
                    (array(&batch, "status")?, array(&batch, "offset")?);
                for i in (0..batch.num_rows()).filter(|i| urls.value(*i) == url) {
                    found.push(json!({
                        "day": segment.day.to_string(), "segment": segment.name.to_string(), "id": ids.value(i),
                        "offset": offsets.value(i), "fetched_at": time(times.value(i)),
                        "status": statuses.is_valid(i).then(|| statuses.value(i)),
                        "error": errors.is_valid(i).then(|| errors.value(i)), "body_sha256": bodies.value(i),
                    }));
                }
            }
        }
    }
    Ok(found)
}

/// The rows of the URL among the pages.
fn pages(catalogue: &Catalogue, url: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for segment in catalogue.segments(DataSet::Pages, None, None) {
        let Ok(reader) = SegmentReader::open(&segment.path) else { continue };
        let column = reader.column("url")?;
        for group in 0..reader.metadata().num_row_groups() {
            if reader.text_is_outside(group, column, url) {
                continue;
            }
            let names = ["url", "id", "title", "lang", "words", "links_out", "extractor"];
            for batch in batches(reader.path(), reader.columns(&names)?.with_row_groups(vec![group]).build()?) {
                let batch = batch?;
                let text = |name| array::<StringArray>(&batch, name);
                let (urls, ids, titles, langs) = (text("url")?, text("id")?, text("title")?, text("lang")?);
                let (words, links): (Int64Array, Int64Array) = (array(&batch, "words")?, array(&batch, "links_out")?);
                for i in (0..batch.num_rows()).filter(|i| urls.value(*i) == url) {
                    found.push(json!({
                        "day": segment.day.to_string(), "segment": segment.name.to_string(), "id": ids.value(i),
                        "title": titles.is_valid(i).then(|| titles.value(i)), "lang": langs.is_valid(i).then(|| langs.value(i)),
                        "words": words.value(i), "links_out": links.value(i),
                    }));
                }
            }
        }
    }
    Ok(found)
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
                if list.is_empty() {
                    println!("  nothing");
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
