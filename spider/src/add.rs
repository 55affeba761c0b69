//! `spider add`: gives URLs to a crawl.

use anyhow::Result;
use bus::topic;
use clap::Args;
use program::{Common, Exit, Misuse};

use crate::clock::Clock;
use crate::crawl::{append, ensure_topics, settings::seed};
use crate::names;

/// Flags of `spider add`.
#[derive(Debug, Args)]
pub struct Flags {
    /// URLs; they become seeds, so they widen the scope
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Name of the crawl
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = names::crawl)]
    crawl: String,
}

/// Runs the command.
pub fn run(common: &Common, flags: &Flags) -> Result<Exit> {
    let seeds = flags.urls.iter().map(|url| seed(url)).collect::<Result<Vec<_>, _>>().map_err(Misuse::new)?;
    let bus = crate::open_bus(common, &Clock::from_environment()?)?;
    let first = topic::discovered(&flags.crawl).name;
    let is_new = !bus.topics()?.iter().any(|topic| topic.name == first);
    ensure_topics(&bus, &flags.crawl)?;
    append(&bus, &flags.crawl, "spider/add", &seeds)?;
    if is_new {
        tracing::info!("crawl {} is new; `spider crawl --crawl {0}` fetches it", flags.crawl);
    }
    if common.json {
        let urls: Vec<&str> = seeds.iter().map(|s| s.as_str()).collect();
        println!("{}", serde_json::json!({ "crawl": flags.crawl, "added": urls }));
    } else {
        for seed in &seeds {
            println!("{seed}");
        }
    }
    Ok(Exit::Done)
}
