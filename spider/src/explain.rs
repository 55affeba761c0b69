//! `spider explain`: what becomes of a URL, and why.

use std::fmt::Display;
use std::time::Duration;

use anyhow::Result;
use bus::payload::{State, UrlState};
use bus::{Bus, topic};
use clap::Args;
use program::{Common, Exit, Misuse, Table};
use serde::Serialize;
use url::{Host, Url};
use web::Canonical;

use crate::clock::Clock;
use crate::crawl::settings::{FetchFlags, ScopeFlags};
use crate::fetch::Fetcher;
use crate::fetch::address::{self, Addresses};
use crate::frontier::partition_of;
use crate::robots::{self, Found};
use crate::scope::{Scope, Verdict};

/// Wait before a redirect of robots.txt on the same host.
const DELAY: Duration = Duration::from_secs(1);

/// Flags of `spider explain`.
#[derive(Debug, Args)]
pub struct Flags {
    /// URL, as it stands somewhere
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    scope: ScopeFlags,
    #[command(flatten)]
    fetch: FetchFlags,
}

/// Everything that can be said of a URL.
#[derive(Debug, Serialize)]
struct Explanation {
    url: String,
    canonical: String,
    host: String,
    partition: u32,
    scope: Verdict,
    addresses: Vec<Address>,
    robots: Robots,
    frontier: Option<Known>,
}

#[derive(Debug, Serialize)]
struct Address {
    address: String,
    allowed: bool,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct Robots {
    address: String,
    allowed: bool,
    reason: String,
    line: Option<robots::Line>,
    /// As it is kept.
    crawl_delay_seconds: Option<f64>,
    /// As the file says.
    crawl_delay_asked_seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Known {
    state: &'static str,
    depth: u32,
    hops: u32,
    via: Option<String>,
    requisite: bool,
    attempts: u32,
    status: Option<u16>,
    error: Option<String>,
    next_fetch: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    offset: i64,
    written: String,
}

/// Runs the command.
pub fn run(common: &Common, flags: &Flags) -> Result<Exit> {
    let url = web::canonicalise(&flags.url).map_err(|e| Misuse::new(format!("`{}`: {e}", flags.url)))?;
    let mut scope = flags.scope.scope()?;
    let clock = Clock::from_environment()?;
    let frontier = match crate::open_existing_bus(common, &clock)? {
        Some(bus) => look_up(&bus, &flags.scope.crawl, &url, &mut scope)?,
        None => None,
    };
    let options = flags.fetch.options(1, 1);
    let addresses = options.addresses.clone();
    let fetcher = Fetcher::new(&options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let parsed = Url::parse(url.as_str())?;
    let (addresses, robots) = runtime.block_on(async {
        let resolved = resolve(&parsed, &addresses).await;
        (resolved, ask(&fetcher, &parsed, &flags.fetch.token()).await)
    });
    let explanation = Explanation {
        url: flags.url.clone(),
        canonical: url.as_str().into(),
        host: url.host().into(),
        partition: partition_of(url.host()),
        scope: scope.explain(&url),
        addresses,
        robots,
        frontier,
    };
    match common.json {
        true => println!("{}", serde_json::to_string(&explanation)?),
        false => print!("{}", table(&explanation)),
    }
    Ok(Exit::Done)
}

/// What the frontier says of a URL; the seeds that it has become part of the scope. Reads the whole frontier.
fn look_up(bus: &Bus, crawl: &str, url: &Canonical, scope: &mut Scope) -> Result<Option<Known>> {
    let topic = topic::frontier(crawl);
    if !bus.topics()?.iter().any(|t| t.name == topic.name) {
        return Ok(None);
    }
    let mut known = None;
    for partition in 0..topic.partitions {
        let mut scan = bus.scan(&topic.name, partition, bus.offsets(&topic.name, partition)?.start)?;
        loop {
            let batch = scan.next_batch()?;
            if batch.is_empty() {
                break;
            }
            for record in batch {
                let Ok((key, state)) = UrlState::from_record(&record.record) else { continue };
                if state.depth == 0
                    && !state.requisite
                    && let Ok(seed) = web::canonicalise(&key)
                {
                    scope.add(&seed);
                }
                if key == url.as_str() {
                    known = Some(Known::new(state, record.offset, record.time));
                }
            }
        }
    }
    Ok(known)
}

impl Known {
    fn new(state: UrlState, offset: i64, time: i64) -> Known {
        Known {
            state: match state.state {
                State::Pending => "pending",
                State::Fetched => "fetched",
                State::Gone => "gone",
            },
            depth: state.depth,
            hops: state.hops,
            via: state.via,
            requisite: state.requisite,
            attempts: state.attempts,
            status: state.status,
            error: state.error,
            next_fetch: (state.next_fetch > 0).then(|| crate::clock::text(state.next_fetch * 1000)),
            etag: state.etag,
            last_modified: state.last_modified,
            offset,
            written: crate::clock::text(time),
        }
    }
}

async fn resolve(url: &Url, rule: &Addresses) -> Vec<Address> {
    let ips = match url.host() {
        Some(Host::Ipv4(ip)) => Ok(vec![ip.into()]),
        Some(Host::Ipv6(ip)) => Ok(vec![ip.into()]),
        Some(Host::Domain(name)) => {
            address::resolve(name).await.map(|found| found.into_iter().map(|a| a.ip()).collect())
        }
        None => Ok(Vec::new()),
    };
    match ips {
        Err(e) => vec![Address {
            address: url.host_str().unwrap_or_default().into(),
            allowed: false,
            reason: Some(e.to_string()),
        }],
        Ok(mut ips) => {
            ips.sort_unstable();
            ips.dedup();
            let verdict = |ip| rule.check(ip).err().map(|e| e.to_string());
            ips.into_iter()
                .map(|ip| (ip, verdict(ip)))
                .map(|(ip, reason)| Address { address: ip.to_string(), allowed: reason.is_none(), reason })
                .collect()
        }
    }
}

async fn ask(fetcher: &Fetcher, url: &Url, token: &str) -> Robots {
    let file = robots::address(url);
    let address = file.to_string();
    match robots::fetch(fetcher, file, token, DELAY).await {
        Found::Unreachable(failure, _) => {
            let reason = format!("it cannot be read ({}), so nothing may be fetched", failure.reason);
            Robots {
                address,
                allowed: false,
                reason,
                line: None,
                crawl_delay_seconds: None,
                crawl_delay_asked_seconds: None,
            }
        }
        Found::Rules(rules, text) => {
            let line = rules.deciding_line(&text, url);
            let reason = match (&line, text.is_empty()) {
                (Some(line), _) => format!("line {}: {}", line.number, line.text),
                (None, true) => "there is no robots.txt, or it is empty".into(),
                (None, false) => format!("no line for `{token}` matches"),
            };
            Robots {
                address,
                allowed: rules.allows(url),
                reason,
                line,
                crawl_delay_seconds: rules.crawl_delay().map(|d| d.as_secs_f64()),
                crawl_delay_asked_seconds: rules.asked_delay().map(|d| d.as_secs_f64()),
            }
        }
    }
}

fn table(e: &Explanation) -> Table {
    let mut table = Table::new(["url", e.url.as_str()]);
    table.row(["canonical", &e.canonical]);
    table.row(["host", &e.host]);
    table.row(["partition", &e.partition.to_string()]);
    let verdict = |yes: bool, what: [&str; 2]| what[usize::from(!yes)].to_owned();
    table.row(["scope", &format!("{}: {}", verdict(e.scope.inside, ["inside", "outside"]), e.scope.reason)]);
    for a in &e.addresses {
        let reason = a.reason.as_deref().unwrap_or("a public address, or one that --allow-address names");
        table.row(["address", &format!("{}: {}: {reason}", a.address, verdict(a.allowed, ["allowed", "refused"]))]);
    }
    table.row(["robots.txt", &format!("{}: {}", verdict(e.robots.allowed, ["allowed", "forbidden"]), e.robots.reason)]);
    if let (Some(kept), Some(asked)) = (e.robots.crawl_delay_seconds, e.robots.crawl_delay_asked_seconds) {
        let cut =
            if asked > kept { format!("; the file asks for {asked} s, more than is honoured") } else { String::new() };
        table.row(["crawl-delay", &format!("{kept} s{cut}")]);
    }
    let Some(known) = &e.frontier else {
        table.row(["frontier", "the crawl does not know it"]);
        return table;
    };
    table.row(["frontier", known.state]);
    let mut optional = |name: &str, value: Option<&dyn Display>| {
        if let Some(value) = value {
            table.row([name, &value.to_string()]);
        }
    };
    optional("  depth", Some(&known.depth));
    optional("  via", known.via.as_ref().map(|v| v as _));
    optional("  redirects", (known.hops > 0).then_some(&known.hops as _));
    optional("  requisite", known.requisite.then_some(&"yes" as _));
    optional("  failed attempts", (known.attempts > 0).then_some(&known.attempts as _));
    optional("  last status", known.status.as_ref().map(|s| s as _));
    optional("  last failure", known.error.as_ref().map(|e| e as _));
    optional("  next fetch", known.next_fetch.as_ref().map(|t| t as _));
    optional("  etag", known.etag.as_ref().map(|t| t as _));
    optional("  last-modified", known.last_modified.as_ref().map(|t| t as _));
    optional("  written", Some(&known.written));
    table
}
