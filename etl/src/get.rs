//! `etl get`: one artefact of the archive, its body as it was or what is known about it.

use std::io::Write;

use anyhow::{Context, Result, bail};
use archive::schema::Kind;
use archive::{DataSet, MENDS};
use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use bus::Delivered;
use bus::payload::Artefact;
use bus::topic::{ARTEFACTS, STAGE_GROUP};
use chrono::{DateTime, SecondsFormat};
use program::{Common, Exit, Misuse};
use serde_json::{Map, Value, json};

use crate::find::{self, Wanted};
use crate::{columns, size, world};

/// Print an archived body, or what is known about it
///
/// Prints the newest body of a URL to standard output, byte for byte; with --headers (or --json) status, attributes and response
/// headers instead. Exit code 1 when there is none, 3 when none was found but some segment cannot be read.
#[derive(Debug, Clone, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["url", "id"]))]
pub struct Args {
    /// URL; it need not be canonical
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Record id instead of a URL
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// As it was at this time: RFC 3339, a day, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Status, attributes and response headers instead of the body
    #[arg(long)]
    headers: bool,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common) -> Result<Exit> {
    let wanted = wanted(args)?;
    let at = match &args.at {
        Some(text) => Some(size::time(text, world::now()?).map_err(Misuse::new)?.saturating_mul(1000)),
        None => None,
    };
    let data = world::need_data(common)?;
    let search = find::newest(&data, &wanted, at)?;
    let Some(found) = search.newest else {
        let why = not_found(&wanted, at, args, common)?;
        if search.unread == 0 {
            bail!(why);
        }
        tracing::error!("{why}; but {} segments cannot be read, and it may be in them: {MENDS}", search.unread);
        return Ok(Exit::Partly);
    };
    let row = find::row(&found)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", described(&row)?)?;
    } else if args.headers {
        out.write_all(headers(&row)?.as_bytes())?;
    } else {
        let body: BinaryArray = columns::array(&row, "body")?;
        if body.value(0).is_empty() {
            tracing::warn!("this artefact has no body; --headers shows what it has");
        }
        out.write_all(body.value(0)).context("cannot write to standard output")?;
    }
    out.flush().context("cannot write to standard output")?;
    Ok(Exit::Done)
}

fn wanted(args: &Args) -> Result<Wanted> {
    match (&args.url, &args.id) {
        (Some(url), _) => {
            let canonical = web::canonicalise(url).map_err(|e| Misuse::new(format!("{url}: {e}")))?;
            Ok(Wanted::Url(canonical.into_string()))
        }
        (None, Some(id)) => {
            let id: uuid::Uuid = id.parse().map_err(|e| Misuse::new(format!("{id} is not a record id: {e}")))?;
            Ok(Wanted::Id(id.to_string()))
        }
        (None, None) => Err(Misuse::new("give a URL or --id").into()),
    }
}

/// Why it was not found, and what to do.
fn not_found(wanted: &Wanted, until: Option<i64>, args: &Args, common: &Common) -> Result<String> {
    let (what, url) = match wanted {
        Wanted::Url(url) => (format!("no artefact of {url}"), Some(url)),
        Wanted::Id(id) => (format!("no artefact with id {id}"), None),
    };
    let when = args.at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
    let place = common.data.display();
    if let Some(url) = url
        && let Some((partition, offset)) = on_the_bus(url, until, common)?
    {
        return Ok(format!(
            "{what}{when} in the archive {place}, but one is on the bus ({ARTEFACTS}-{partition}@{offset}), not staged yet: run \
             `etl stage --once`"
        ));
    }
    Ok(format!(
        "{what}{when} in the archive {place}; `etl ls` shows what it holds, `spider explain URL` why one was not fetched"
    ))
}

/// A record of that URL that is not staged yet, fetched at or before `until` (microseconds since 1970 UTC) where that is given.
fn on_the_bus(url: &str, until: Option<i64>, common: &Common) -> Result<Option<(u32, i64)>> {
    let Some(bus) = world::look_at_bus(common)? else { return Ok(None) };
    let topics = bus.topics()?;
    let Some(topic) = topics.iter().find(|t| t.name == ARTEFACTS) else { return Ok(None) };
    let Ok(canonical) = web::canonicalise(url) else { return Ok(None) };
    let partition = bus::topic::partition_of(canonical.host().as_bytes(), topic.partitions);
    let committed = bus.committed(STAGE_GROUP, ARTEFACTS)?;
    let from = committed.get(partition as usize).copied().flatten().unwrap_or(0);
    let mut scan = bus.scan(ARTEFACTS, partition, from)?;
    loop {
        let batch = scan.next_batch()?;
        if batch.is_empty() {
            return Ok(None);
        }
        let in_time = |d: &Delivered| {
            until.is_none_or(|until| Artefact::from_record(&d.record).is_ok_and(|a| a.fetched_at <= until))
        };
        if let Some(found) = batch.iter().find(|d| d.record.key == url.as_bytes() && in_time(d)) {
            return Ok(Some((partition, found.offset)));
        }
    }
}

/// Status, attributes and headers as text.
fn headers(row: &RecordBatch) -> Result<String> {
    let mut text = String::new();
    for (name, value) in attributes(row)? {
        let value = match value {
            Value::String(value) => value,
            value => value.to_string(),
        };
        text.push_str(&format!("{name}: {}\n", program::human::clean(&value)));
    }
    text.push('\n');
    for (name, value) in pairs(row)? {
        text.push_str(&format!("{}: {}\n", program::human::clean(&name), program::human::clean(&value)));
    }
    Ok(text)
}

/// The same as JSON.
fn described(row: &RecordBatch) -> Result<Value> {
    let mut all: Map<String, Value> = attributes(row)?.into_iter().collect();
    all.insert("headers".into(), pairs(row)?.into_iter().map(|(name, value)| json!([name, value])).collect());
    Ok(Value::Object(all))
}

/// All columns but body and headers; what is null is left out.
fn attributes(row: &RecordBatch) -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for column in archive::schema::columns(DataSet::Artefacts).iter().filter(|c| !matches!(c.name, "body" | "headers"))
    {
        let array = row.column_by_name(column.name).with_context(|| format!("column {} is missing", column.name))?;
        if array.is_null(0) {
            continue;
        }
        let value = match column.kind {
            Kind::Int => json!(array.as_primitive::<Int64Type>().value(0)),
            Kind::Bool => json!(array.as_boolean().value(0)),
            Kind::Text => json!(array.as_string::<i32>().value(0)),
            Kind::Timestamp => json!(rfc3339(array.as_primitive::<TimestampMicrosecondType>().value(0))),
            Kind::Binary | Kind::Pairs => continue,
        };
        found.push((column.name.to_owned(), value));
    }
    Ok(found)
}

fn rfc3339(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros);
    time.map_or_else(|| format!("{micros} µs"), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn pairs(row: &RecordBatch) -> Result<Vec<(String, String)>> {
    let lists: arrow::array::ListArray = columns::array(row, "headers")?;
    let pairs = lists.value(0);
    let pairs = pairs.as_struct();
    let (names, values) = (pairs.column(0).as_string::<i32>(), pairs.column(1).as_string::<i32>());
    Ok((0..pairs.len()).map(|i| (names.value(i).to_owned(), values.value(i).to_owned())).collect())
}
