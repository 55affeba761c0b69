//! `mine hosts`: how the hosts answered: statuses, errors, bytes, times, headers for caching and security.

mod count;
mod headers;
mod sections;

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use crate::findings::{Findings, Table};
use crate::miner::ColumnKind::{Int, Text};
use crate::miner::{Miner, Params, TableSpec, column, nullable};
use crate::source::{Newest, Source};
use count::Host;

/// The miner.
pub const MINER: Miner = Miner {
    name: "hosts",
    about: "Hosts: statuses, errors, bytes, response times, caching and security headers",
    help: "\
Input: `artefacts` (all fetches of the span; bodies are not read) and `pages` (each URL's newest fetch with status 200 and \
HTML).

Method: an error is a fetch without a response, or one with a status of 400 or more. Times are of fetches with a \
response; the p-th percentile is the smallest time that at least p % of them do not exceed (nearest rank). Headers are \
counted over responses with a status of 200 to 299, by name whatever their case: hsts strict-transport-security (over \
https), csp content-security-policy, nosniff x-content-type-options: nosniff, frame x-frame-options or frame-ancestors in \
the policy; cacheable: cache-control with max-age above 0 and neither no-store nor no-cache, or without cache-control an \
expires.

Memory: 8 bytes a fetch, about 500 a host.",
    inputs: &[DataSet::Artefacts, DataSet::Pages],
    tables: TABLES,
    flags: |command| command,
    shards: true,
    mine,
};

const TABLES: &[TableSpec] = &[
    TableSpec {
        name: "hosts",
        doc: "a host, most fetches first",
        columns: &[
            column("host", Text, "host, with a port that is not the default"),
            column("pages", Int, "URLs whose newest fetch is an HTML page with status 200"),
            column("errors", Int, "fetches without a response, or with a status of 400 or more"),
            column("bytes", Int, "decoded bytes of all bodies"),
            nullable("p50_ms", Int, "median of the response times, milliseconds"),
            nullable("p95_ms", Int, "95th percentile, milliseconds"),
            nullable("p99_ms", Int, "99th percentile, milliseconds"),
            nullable("max_ms", Int, "longest, milliseconds"),
            column("fetches", Int, "all fetches"),
            column("status_2xx", Int, "fetches with a status of 200 to 299"),
            column("status_3xx", Int, "with 300 to 399"),
            column("status_4xx", Int, "with 400 to 499"),
            column("status_5xx", Int, "with 500 and more"),
            column("no_response", Int, "without a response"),
            column("https", Int, "fetches over https"),
            column("truncated", Int, "bodies cut at the size limit"),
            column("cacheable", Int, "2xx responses that a cache may keep"),
            column("validators", Int, "2xx responses with etag or last-modified"),
            column("compressed", Int, "2xx responses with a content-encoding"),
            column("hsts", Int, "2xx responses over https with strict-transport-security"),
            column("csp", Int, "2xx responses with content-security-policy"),
            column("nosniff", Int, "2xx responses with x-content-type-options: nosniff"),
            column("frame", Int, "2xx responses that say who may frame them"),
            column("referrer", Int, "2xx responses with referrer-policy"),
            nullable("server", Text, "the most frequent server header"),
        ],
    },
    TableSpec {
        name: "answers",
        doc: "a kind of answer of a host, by host, most frequent first",
        columns: &[
            column("host", Text, "host, with a port that is not the default"),
            nullable("status", Int, "HTTP status; null without a response"),
            nullable("error", Text, "class of failure; null with a response"),
            column("fetches", Int, "how many"),
        ],
    },
];

fn mine(source: &Source, params: &Params<'_>) -> Result<Findings> {
    let mut counts = count::count(source)?;
    let newest = Newest::find(source)?;
    count::pages(source, &newest, &mut counts)?;
    let hosts = counts.sorted();
    let mut findings = sections::describe(&hosts, params.rows);
    findings.tables.push(Table::new(&TABLES[0], table(&hosts)?)?);
    findings.tables.push(Table::new(&TABLES[1], answers(&hosts)?)?);
    Ok(findings)
}

fn table(hosts: &[(&str, &Host)]) -> Result<DataFrame> {
    let ints = |name: &str, value: &dyn Fn(&Host) -> u64| {
        Column::from(Series::new(name.into(), hosts.iter().map(|(_, h)| value(h) as i64).collect::<Vec<_>>()))
    };
    let times = |name: &str, percent: usize| {
        Column::from(Series::new(name.into(), hosts.iter().map(|(_, h)| h.percentile(percent)).collect::<Vec<_>>()))
    };
    let servers = hosts.iter().map(|(_, host)| host.server()).collect::<Vec<Option<&str>>>();
    let columns = vec![
        Series::new("host".into(), hosts.iter().map(|(name, _)| *name).collect::<Vec<_>>()).into(),
        ints("pages", &|h| h.pages),
        ints("errors", &Host::errors),
        ints("bytes", &|h| h.bytes),
        times("p50_ms", 50),
        times("p95_ms", 95),
        times("p99_ms", 99),
        times("max_ms", 100),
        ints("fetches", &Host::fetches),
        ints("status_2xx", &|h| h.class(2)),
        ints("status_3xx", &|h| h.class(3)),
        ints("status_4xx", &|h| h.class(4)),
        ints("status_5xx", &|h| h.class(5)),
        ints("no_response", &|h| h.class(0)),
        ints("https", &|h| h.https),
        ints("truncated", &|h| h.truncated),
        ints("cacheable", &|h| h.headers.cacheable),
        ints("validators", &|h| h.headers.validators),
        ints("compressed", &|h| h.headers.compressed),
        ints("hsts", &|h| h.headers.hsts),
        ints("csp", &|h| h.headers.csp),
        ints("nosniff", &|h| h.headers.nosniff),
        ints("frame", &|h| h.headers.frame),
        ints("referrer", &|h| h.headers.referrer),
        Series::new("server".into(), servers).into(),
    ];
    Ok(DataFrame::new(hosts.len(), columns)?)
}

fn answers(hosts: &[(&str, &Host)]) -> Result<DataFrame> {
    let rows: Vec<(&str, &count::Answer, u64)> =
        hosts.iter().flat_map(|(name, host)| host.answers_sorted().into_iter().map(|(a, n)| (*name, a, n))).collect();
    let columns = vec![
        Series::new("host".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()).into(),
        Series::new("status".into(), rows.iter().map(|row| row.1.0).collect::<Vec<Option<i64>>>()).into(),
        Series::new("error".into(), rows.iter().map(|row| row.1.1.as_deref()).collect::<Vec<Option<&str>>>()).into(),
        Series::new("fetches".into(), rows.iter().map(|row| row.2 as i64).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(rows.len(), columns)?)
}
