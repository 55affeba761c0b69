//! What the page and the summary of `mine hosts` show.

use super::count::Host;
use crate::findings::{Bar, Body, Cell, Fact, Findings, Section, View};
use crate::report::grouped;

/// Bars and rows of the report.
const BARS: usize = 30;
const ROWS: usize = 200;

/// Facts, sections and summary; no tables yet.
pub fn describe(hosts: &[(&str, &Host)], rows: usize) -> Findings {
    let sum = |value: fn(&Host) -> u64| hosts.iter().map(|(_, host)| value(host)).sum::<u64>() as usize;
    let bars = hosts.iter().take(BARS).map(|(name, host)| Bar {
        label: Cell::Text((*name).to_owned()),
        value: host.fetches() as f64,
        text: grouped(host.fetches() as i64),
    });
    Findings {
        facts: vec![
            Fact::count("hosts", hosts.len()),
            Fact::count("fetches", sum(Host::fetches)),
            Fact::count("errors", sum(Host::errors)),
            Fact::count("bytes", sum(|host| host.bytes)),
        ],
        sections: vec![
            Section {
                title: "Fetches".to_owned(),
                note: "The hosts with most fetches, of whatever outcome.".to_owned(),
                body: Body::Bars(bars.collect()),
            },
            Section {
                title: "Answers".to_owned(),
                note: "Fetches by class of status; none: without a response. Times in milliseconds, of fetches with a \
                       response."
                    .to_owned(),
                body: Body::Table(view(hosts, ROWS)),
            },
            Section {
                title: "Caching and security".to_owned(),
                note: "The share of the responses with status 2xx, in %, that a cache may keep, that can be asked for \
                       conditionally, that came compressed, and that carry the header named."
                    .to_owned(),
                body: Body::Table(headers(hosts)),
            },
        ],
        summary: view(hosts, rows),
        ..Findings::default()
    }
}

fn view(hosts: &[(&str, &Host)], rows: usize) -> View {
    let time = |host: &Host, percent| host.percentile(percent).map_or(Cell::Null, Cell::Int);
    let count = |n: u64| Cell::Int(n as i64);
    View {
        columns: vec!["host", "fetches", "pages", "2xx", "3xx", "4xx", "5xx", "none", "p50 ms", "p95 ms", "bytes"],
        rows: hosts
            .iter()
            .take(rows)
            .map(|(name, host)| {
                vec![
                    Cell::Text((*name).to_owned()),
                    count(host.fetches()),
                    count(host.pages),
                    count(host.class(2)),
                    count(host.class(3)),
                    count(host.class(4)),
                    count(host.class(5)),
                    count(host.class(0)),
                    time(host, 50),
                    time(host, 95),
                    count(host.bytes),
                ]
            })
            .collect(),
    }
}

fn headers(hosts: &[(&str, &Host)]) -> View {
    View {
        columns: vec![
            "host",
            "2xx",
            "cacheable",
            "validators",
            "compressed",
            "hsts",
            "csp",
            "nosniff",
            "frame",
            "referrer",
            "server",
        ],
        rows: hosts
            .iter()
            .take(ROWS)
            .map(|(name, host)| {
                let all = host.class(2);
                let share = |n: u64| {
                    if all == 0 { Cell::Null } else { Cell::Float((n as f64 / all as f64 * 1000.0).round() / 10.0) }
                };
                let said = &host.headers;
                vec![
                    Cell::Text((*name).to_owned()),
                    Cell::Int(all as i64),
                    share(said.cacheable),
                    share(said.validators),
                    share(said.compressed),
                    share(said.hsts),
                    share(said.csp),
                    share(said.nosniff),
                    share(said.frame),
                    share(said.referrer),
                    Cell::maybe(host.server()),
                ]
            })
            .collect(),
    }
}
