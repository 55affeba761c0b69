//! Archives made by hand: fetches in, segments of artefacts, pages and links out, as the declared schema says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use archive::schema::{self, Kind};
use archive::{DataDir, DataSet, Day, SegmentName, Source};
use polars::prelude::*;

/// One fetch, with what extraction finds on it.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub url: String,
    pub day: Day,
    pub partition: u32,
    /// Microseconds since 1970 UTC.
    pub at: i64,
    pub status: Option<i64>,
    pub error: Option<&'static str>,
    /// None when the body is no HTML.
    pub page: Option<Page>,
    pub links: Vec<Link>,
}

#[derive(Debug, Clone, Default)]
pub struct Page {
    pub title: Option<String>,
    pub lang: Option<&'static str>,
    pub lang_declared: Option<&'static str>,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct Link {
    pub kind: &'static str,
    pub dst: String,
    pub anchor: Option<String>,
}

pub fn host(url: &str) -> &str {
    url.split_once("://").unwrap().1.split('/').next().unwrap()
}

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

impl Fetch {
    pub fn new(url: &str, status: i64) -> Fetch {
        Fetch {
            url: url.to_owned(),
            day: day("2026-11-21"),
            partition: 0,
            at: 1_000_000,
            status: Some(status),
            error: None,
            page: None,
            links: Vec::new(),
        }
    }

    /// An English page.
    pub fn page(url: &str, text: &str) -> Fetch {
        let page = Page { lang: Some("en"), text: text.to_owned(), ..Page::default() };
        Fetch { page: Some(page), ..Fetch::new(url, 200) }
    }

    pub fn failed(url: &str, error: &'static str) -> Fetch {
        Fetch { status: None, error: Some(error), ..Fetch::new(url, 0) }
    }

    pub fn redirect(url: &str, to: &str) -> Fetch {
        Fetch::new(url, 301).link("redirect", to, None)
    }

    pub fn title(mut self, title: &str) -> Fetch {
        self.page.as_mut().unwrap().title = Some(title.to_owned());
        self
    }

    pub fn lang(mut self, detected: Option<&'static str>, declared: Option<&'static str>) -> Fetch {
        let page = self.page.as_mut().unwrap();
        (page.lang, page.lang_declared) = (detected, declared);
        self
    }

    pub fn link(mut self, kind: &'static str, dst: &str, anchor: Option<&str>) -> Fetch {
        self.links.push(Link { kind, dst: dst.to_owned(), anchor: anchor.map(str::to_owned) });
        self
    }

    pub fn to(self, dst: &str) -> Fetch {
        self.link("a", dst, Some("link"))
    }

    pub fn on(self, text: &str, at: i64) -> Fetch {
        Fetch { day: day(text), at, ..self }
    }

    pub fn partition(self, partition: u32) -> Fetch {
        Fetch { partition, ..self }
    }
}

type Row = BTreeMap<&'static str, AnyValue<'static>>;

fn text(value: &str) -> AnyValue<'static> {
    AnyValue::StringOwned(value.into())
}

fn maybe(value: Option<&str>) -> AnyValue<'static> {
    value.map_or(AnyValue::Null, text)
}

/// Writes an archive, one segment a day and partition; ids follow from what was fetched when, not from the order. Row groups are
/// small, so that each segment has several.
pub fn write(root: &Path, fetches: &[Fetch]) {
    write_groups(root, fetches, 7);
}

/// The same with so many rows a row group.
pub fn write_groups(root: &Path, fetches: &[Fetch], group: usize) {
    let mut segments: BTreeMap<(Day, u32), Vec<&Fetch>> = BTreeMap::new();
    for fetch in fetches {
        segments.entry((fetch.day, fetch.partition)).or_default().push(fetch);
    }
    let mut offsets: BTreeMap<u32, i64> = BTreeMap::new();
    for ((day, partition), fetches) in segments {
        let from = *offsets.entry(partition).or_default();
        let next = from + fetches.len() as i64;
        offsets.insert(partition, next);
        let rows: Vec<_> =
            fetches.iter().zip(from..).map(|(fetch, offset)| (*fetch, partition as i64, offset)).collect();
        for set in [DataSet::Artefacts, DataSet::Pages, DataSet::Links] {
            let rows: Vec<Row> = match set {
                DataSet::Artefacts => rows.iter().map(|&(f, p, o)| artefact(f, p, o)).collect(),
                DataSet::Pages => rows.iter().filter_map(|&(f, p, o)| page(f, p, o)).collect(),
                _ => rows.iter().flat_map(|&(f, ..)| links(f)).collect(),
            };
            let name = SegmentName::new(set, Source::Partition(partition), from, next).unwrap();
            let path = DataDir::new(root).segment(day, &name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut frame = frame(set, &rows);
            ParquetWriter::new(std::fs::File::create(path).unwrap())
                .with_row_group_size(Some(group))
                .finish(&mut frame)
                .unwrap();
        }
    }
}

/// A table with exactly the declared columns; a row that lacks one, or has another, fails.
pub fn frame(set: DataSet, rows: &[Row]) -> DataFrame {
    let columns = schema::columns(set);
    for row in rows {
        let named: Vec<&str> = columns.iter().map(|c| c.name).filter(|name| *name != "headers").collect();
        assert_eq!(row.len(), named.len(), "{set:?}: {:?}", row.keys());
        assert!(named.iter().all(|name| row.contains_key(name)), "{set:?}: {:?}", row.keys());
    }
    let columns = columns.iter().map(|column| {
        let values: Vec<AnyValue<'_>> = match column.kind {
            Kind::Pairs => Vec::new(),
            _ => rows.iter().map(|row| row[column.name].clone()).collect(),
        };
        let series =
            |dtype: &DataType| Series::from_any_values_and_dtype(column.name.into(), &values, dtype, true).unwrap();
        let series = match column.kind {
            Kind::Text => series(&DataType::String),
            Kind::Int => series(&DataType::Int64),
            Kind::Bool => series(&DataType::Boolean),
            Kind::Binary => series(&DataType::Binary),
            Kind::Timestamp => {
                series(&DataType::Int64).cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))).unwrap()
            }
            Kind::Pairs => {
                let field = |name: &str| Field::new(name.into(), DataType::String);
                let pair = DataType::Struct(vec![field("name"), field("value")]);
                Series::full_null(column.name.into(), rows.len(), &DataType::List(Box::new(pair)))
            }
        };
        assert!(column.nullable || column.kind == Kind::Pairs || series.null_count() == 0, "{set:?}.{}", column.name);
        Column::from(series)
    });
    DataFrame::new(rows.len(), columns.collect()).unwrap()
}

/// A UUID that depends on URL and time only.
pub fn id(fetch: &Fetch) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (&fetch.url, fetch.status, fetch.error).hash(&mut hasher);
    uuid::Uuid::from_u128((fetch.at as u128) << 80 | 0x7 << 76 | u128::from(hasher.finish())).to_string()
}

fn artefact(fetch: &Fetch, partition: i64, offset: i64) -> Row {
    let int = AnyValue::Int64;
    BTreeMap::from([
        ("id", text(&id(fetch))),
        ("crawl", text("main")),
        ("url", text(&fetch.url)),
        ("host", text(host(&fetch.url))),
        ("site", text(host(&fetch.url))),
        ("fetched_at", int(fetch.at)),
        ("appended_at", int(fetch.at)),
        ("status", fetch.status.map_or(AnyValue::Null, int)),
        ("error", maybe(fetch.error)),
        ("content_type", maybe(fetch.page.as_ref().map(|_| "text/html"))),
        ("charset", AnyValue::Null),
        ("body", AnyValue::BinaryOwned(Vec::new())),
        ("body_sha256", text("")),
        ("body_bytes", int(0)),
        ("truncated", AnyValue::Boolean(false)),
        ("via", AnyValue::Null),
        ("depth", int(0)),
        ("hops", int(0)),
        ("elapsed_ms", int(1)),
        ("remote", AnyValue::Null),
        ("partition", int(partition)),
        ("offset", int(offset)),
    ])
}

fn page(fetch: &Fetch, partition: i64, offset: i64) -> Option<Row> {
    let page = fetch.page.as_ref()?;
    let int = AnyValue::Int64;
    Some(BTreeMap::from([
        ("id", text(&id(fetch))),
        ("crawl", text("main")),
        ("url", text(&fetch.url)),
        ("host", text(host(&fetch.url))),
        ("site", text(host(&fetch.url))),
        ("fetched_at", int(fetch.at)),
        ("status", fetch.status.map_or(AnyValue::Null, int)),
        ("title", maybe(page.title.as_deref())),
        ("description", AnyValue::Null),
        ("canonical", AnyValue::Null),
        ("lang", maybe(page.lang)),
        ("lang_declared", maybe(page.lang_declared)),
        ("text", text(&page.text)),
        ("words", int(page.text.split_whitespace().count() as i64)),
        ("links_out", int(fetch.links.len() as i64)),
        ("body_sha256", text(&sha256(&page.text))),
        ("extractor", text("test")),
        ("partition", int(partition)),
        ("offset", int(offset)),
    ]))
}

/// SHA-256 of a text, hexadecimal: in place of that of a body.
fn sha256(text: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(text))
}

fn links(fetch: &Fetch) -> Vec<Row> {
    let row = |(ordinal, link): (i64, &Link)| {
        BTreeMap::from([
            ("id", text(&id(fetch))),
            ("ordinal", AnyValue::Int64(ordinal)),
            ("src", text(&fetch.url)),
            ("dst", text(&link.dst)),
            ("src_host", text(host(&fetch.url))),
            ("dst_host", text(host(&link.dst))),
            ("kind", text(link.kind)),
            ("rel", AnyValue::Null),
            ("anchor", maybe(link.anchor.as_deref())),
            ("internal", AnyValue::Boolean(host(&fetch.url) == host(&link.dst))),
        ])
    };
    (0..).zip(&fetch.links).map(row).collect()
}

/// Runs the executable on a data directory.
pub fn mine(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mine"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KAFKASPIDER_")) {
        command.env_remove(name);
    }
    command.current_dir(data.parent().unwrap()).env_remove("POLARS_MAX_THREADS").env("NO_COLOR", "1");
    command.args(arguments).arg("--data").arg(data).output().unwrap()
}

/// Runs it, expects success, gives the folder of the report.
pub fn report(data: &Path, arguments: &[&str]) -> PathBuf {
    let output = mine(data, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let path = PathBuf::from(summary["path"].as_str().unwrap());
    if path.is_absolute() { path } else { data.parent().unwrap().join(path) }
}

/// A table of a report as rows of text, null as `∅`.
pub fn table(report: &Path, name: &str) -> Vec<Vec<String>> {
    let file = std::fs::File::open(report.join(format!("{name}.parquet"))).unwrap();
    let frame = ParquetReader::new(file).finish().unwrap();
    let cell = |column: &Column, row: usize| {
        let value = column.get(row).unwrap();
        if value.is_null() {
            "∅".to_owned()
        } else {
            value.get_str().map_or_else(|| value.to_string(), str::to_owned)
        }
    };
    (0..frame.height()).map(|row| frame.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

/// Standard error as text.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
