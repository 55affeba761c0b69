//! `spider status`: how far a crawl is, what is unread, and who is at it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use bus::payload::Beat;
use bus::{Bus, topic};
use clap::Args;
use program::{Common, Exit, Table, human};
use serde::Serialize;

use crate::clock::{self, Clock};
use crate::crawl::tallies::Tallies;
use crate::names;

/// Flags of `spider status`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Name of the crawl
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = names::crawl)]
    crawl: String,
}

#[derive(Debug, Serialize)]
struct Status {
    crawl: String,
    /// Distinct pages fetched with status 200, since the last `--recrawl`.
    fetched: u64,
    fetches: u64,
    pending: u64,
    known: u64,
    errors: BTreeMap<String, u64>,
    /// The last `--recrawl`.
    since: Option<String>,
    /// Candidates that nobody has decided about yet.
    lag: i64,
    /// Who crawls now.
    holder: Option<String>,
    spiders: Vec<Spider>,
}

#[derive(Debug, Serialize)]
struct Spider {
    #[serde(flatten)]
    beat: Beat,
    /// Seconds since that life sign.
    age_seconds: f64,
}

/// Runs the command.
pub fn run(common: &Common, flags: &Flags) -> Result<Exit> {
    let clock = Clock::from_environment()?;
    let crawl = &flags.crawl;
    let Some(bus) = crate::open_existing_bus(common, &clock)? else {
        bail!("there is no bus at {}; `spider crawl` makes one", common.bus_url());
    };
    let topics = bus.topics()?;
    if !topics.iter().any(|t| t.name == topic::discovered(crawl).name) {
        // brokers list only what a user may see: asked by name, they say whether it is that
        bus.look_up(&topic::discovered(crawl).name)?;
        let crawls: Vec<&str> = topics.iter().filter_map(|t| t.name.strip_prefix("discovered.")).collect();
        let known =
            if crawls.is_empty() { "there are none".into() } else { format!("there are: {}", crawls.join(", ")) };
        bail!("there is no crawl `{crawl}` on {}; {known}", common.bus_url());
    }
    let status = status(&bus, crawl)?;
    match common.json {
        true => println!("{}", serde_json::to_string(&status)?),
        false => print!("{}", table(&status)),
    }
    Ok(Exit::Done)
}

fn status(bus: &Bus, crawl: &str) -> Result<Status> {
    let mut tallies = Tallies::new(bus, crawl, 0, BTreeMap::new())?;
    tallies.refresh()?;
    let sum = tallies.sum(|_| true);
    let group = topic::spider_group(crawl);
    let lag = bus.lag(&group, &topic::discovered(crawl).name)?.iter().map(|l| l.records).sum();
    Ok(Status {
        crawl: crawl.to_owned(),
        fetched: sum.fetched,
        fetches: sum.fetches,
        pending: sum.pending,
        known: sum.known,
        errors: sum.errors,
        since: (sum.since > 0).then(|| clock::text(sum.since * 1000)),
        lag,
        holder: bus.holder(&group)?,
        spiders: spiders(bus, crawl)?,
    })
}

/// The newest life sign of each spider of the crawl.
fn spiders(bus: &Bus, crawl: &str) -> Result<Vec<Spider>> {
    if !bus.topics()?.iter().any(|t| t.name == topic::BEATS) {
        return Ok(Vec::new());
    }
    let now = bus.now()?;
    let prefix = format!("spider/{crawl}-");
    let mut newest: BTreeMap<String, Spider> = BTreeMap::new();
    let mut scan = bus.scan(topic::BEATS, 0, bus.offsets(topic::BEATS, 0)?.start)?;
    loop {
        let batch = scan.next_batch()?;
        if batch.is_empty() {
            return Ok(newest.into_values().collect());
        }
        for record in batch {
            if let Ok(beat) = Beat::from_record(&record.record)
                && beat.instance.starts_with(&prefix)
            {
                let age_seconds = (now - record.time).max(0) as f64 / 1000.0;
                newest.insert(beat.instance.clone(), Spider { beat, age_seconds });
            }
        }
    }
}

fn table(s: &Status) -> Table {
    let mut table = Table::new(["crawl", s.crawl.as_str()]);
    table.row(["pages (status 200)", &human::count(s.fetched)]);
    table.row(["fetches", &human::count(s.fetches)]);
    table.row(["to be fetched", &human::count(s.pending)]);
    table.row(["known URLs", &human::count(s.known)]);
    table.row(["candidates unread", &human::count(u64::try_from(s.lag).unwrap_or(0))]);
    for (class, n) in &s.errors {
        table.row([format!("failed: {class}"), human::count(*n)]);
    }
    if let Some(since) = &s.since {
        table.row(["counted since", since]);
    }
    table.row(["held by", s.holder.as_deref().unwrap_or("nobody")]);
    for spider in &s.spiders {
        let age = human::duration(Duration::from_secs_f64(spider.age_seconds));
        let mut text = format!("{}, pid {} on {}, {age} ago", spider.beat.state, spider.beat.pid, spider.beat.machine);
        for (name, rate) in &spider.beat.rates {
            text.push_str(&match name.as_str() {
                "bytes" => format!(", {}/s", human::bytes(*rate as u64)),
                name => format!(", {rate:.1} {name}/s"),
            });
        }
        table.row([spider.beat.instance.as_str(), &text]);
    }
    table
}
