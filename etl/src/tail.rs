//! `etl tail`: a look into any topic of the bus.

mod merge;
mod shown;

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bus::{Bus, TopicSpec};
use program::{Common, Exit, Misuse, Shutdown};
use regex::Regex;

use crate::{size, world};
use merge::Merge;
use shown::Shown;

/// Look into a topic of the bus
///
/// Prints the last records, or those since --from, in order of time: key, headers, and the value, JSON made readable and binary
/// in short. Nothing is changed and no group takes part.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Topic, such as artefacts, seals, dead-letters, frontier.main
    #[arg(value_name = "TOPIC")]
    topic: String,
    /// Only records whose key, headers (as "name: value") or textual value match
    #[arg(long, value_name = "RE")]
    r#match: Option<Regex>,
    /// From this time on: RFC 3339, a day, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many records at most; the last ones without --from, the first ones with it [default: 10, or all with --from]
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<usize>,
    /// Only this partition
    #[arg(long, value_name = "P")]
    partition: Option<u32>,
    /// Go on with what comes, until a signal
    #[arg(short, long)]
    follow: bool,
}

/// How long to wait for more with `--follow`.
const NAP: Duration = Duration::from_millis(200);
/// Records shown without `--from` and `-n`.
const LAST: usize = 10;

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let bus = world::need_bus(common)?;
    let spec = topic(&bus, &args.topic)?;
    let partitions: Vec<u32> = match args.partition {
        Some(p) if p < spec.partitions => vec![p],
        Some(p) => {
            bail!(Misuse::new(format!("topic {} has partitions 0 to {}, not {p}", spec.name, spec.partitions - 1)))
        }
        None => (0..spec.partitions).collect(),
    };
    let from = match &args.from {
        Some(text) => Some(size::time(text, world::now()?).map_err(Misuse::new)?),
        None => None,
    };
    let last = if from.is_none() { Some(args.count.unwrap_or(LAST)) } else { None };
    let starts = starts(&bus, &spec.name, &partitions, from, last.filter(|_| args.r#match.is_none()))?;
    let mut merge = Merge::new(&bus, &spec.name, &starts, args.r#match.clone())?;
    let printed = match last {
        Some(last) => print_last(&mut merge, last, common, shutdown)?,
        None => print_first(&mut merge, args.count, common, shutdown)?,
    };
    if !args.follow {
        if printed == 0 && !common.json {
            tracing::info!("no record{}", if args.r#match.is_some() { " matches" } else { "" });
        }
        return Ok(if shutdown.requested() { Exit::Interrupted } else { Exit::Done });
    }
    let mut left = args.count.filter(|_| from.is_some()).map(|n| n.saturating_sub(printed));
    while left != Some(0) && !shutdown.wait(NAP) {
        let more = print_first(&mut merge, left, common, shutdown)?;
        left = left.map(|n| n.saturating_sub(more));
    }
    Ok(if shutdown.requested() { Exit::Interrupted } else { Exit::Done })
}

fn topic(bus: &Bus, name: &str) -> Result<TopicSpec> {
    let mut topics = bus.topics()?;
    if let Some(i) = topics.iter().position(|t| t.name == name) {
        return Ok(topics.swap_remove(i));
    }
    // brokers list only what a user may see: asked by name, they say whether it is that
    bus.look_up(name)?;
    let mut names: Vec<String> = topics.into_iter().map(|t| t.name).collect();
    names.sort();
    let names = if names.is_empty() { "it has none yet".to_owned() } else { format!("it has {}", names.join(", ")) };
    bail!("there is no topic {name} on this bus; {names}")
}

/// Where reading begins in each partition. With `last` it is close before the end: more are not wanted.
fn starts(
    bus: &Bus,
    topic: &str,
    partitions: &[u32],
    from: Option<i64>,
    last: Option<usize>,
) -> Result<Vec<(u32, i64)>> {
    let mut starts = Vec::new();
    for p in partitions {
        let offsets = bus.offsets(topic, *p)?;
        let start = match (from, last) {
            (Some(time), _) => bus.offset_at(topic, *p, time)?,
            (None, Some(n)) => offsets.start.max(offsets.stable.saturating_sub(i64::try_from(n).unwrap_or(i64::MAX))),
            (None, None) => offsets.start,
        };
        starts.push((*p, start));
    }
    Ok(starts)
}

fn print_last(merge: &mut Merge, n: usize, common: &Common, shutdown: &Shutdown) -> Result<usize> {
    let mut last: VecDeque<Shown> = VecDeque::new();
    while let Some(shown) = merge.next()? {
        last.push_back(shown);
        if last.len() > n {
            last.pop_front();
        }
        if shutdown.requested() {
            break;
        }
    }
    last.iter().try_for_each(|shown| print(shown, common))?;
    Ok(last.len())
}

fn print_first(merge: &mut Merge, n: Option<usize>, common: &Common, shutdown: &Shutdown) -> Result<usize> {
    let mut printed = 0;
    while n.is_none_or(|n| printed < n) && !shutdown.requested() {
        let Some(shown) = merge.next()? else { break };
        print(&shown, common)?;
        printed += 1;
    }
    Ok(printed)
}

fn print(shown: &Shown, common: &Common) -> Result<()> {
    let text = if common.json { format!("{}\n", shown.json()) } else { shown.text() };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}
