//! `spider crawl`: fetches from seeds on, or goes on with a crawl.

pub mod settings;
pub mod tallies;

// The loop, and its parts: events, requests, batches, the end.
mod dispatch;
mod end;
mod engine;
mod group;
mod publish;

// What is decided, and what is kept meanwhile.
mod admit;
mod outbox;
mod publisher;
mod remembered;
mod sent;
mod settle;
mod summary;
mod visit;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use bus::payload::{Beat, Discovered};
use bus::{Beats, Bus, topic};
use program::{Common, Exit, Metrics, Misuse, Shutdown};
use web::Canonical;

use crate::Busy;
use crate::clock::Clock;
use crate::names;
use engine::{Engine, Parts};
use settings::{Flags, Settings};
use summary::Progress;

/// Seeds appended at a time.
const SEEDS: usize = 500;
/// Time between two life signs.
const BEAT: Duration = Duration::from_secs(5);

/// Runs the command.
pub fn run(common: &Common, flags: Flags, shutdown: Shutdown) -> Result<Exit> {
    let settings = flags.settings()?;
    let clock = Clock::from_environment()?;
    let bus = crate::open_bus(common, &clock)?;
    shutdown.on_request(bus.ender());
    let crawl = settings.crawl.clone();
    if settings.seeds.is_empty() && !has_candidates(&bus, &crawl)? {
        return Err(Misuse::new(format!(
            "crawl `{crawl}` knows no URL yet: name a seed, such as https://example.org/"
        ))
        .into());
    }
    ensure_topics(&bus, &crawl)?;
    let (folder, _lock) = folder(&common.data, &settings)?;
    let group = topic::spider_group(&crawl);
    let (reader, writer) = bus.join(&group, &settings.instance, &[&topic::discovered(&crawl).name])?;
    let source = format!("spider/{crawl}-{}", settings.instance);
    append(&bus, &crawl, &source, &settings.seeds)?;
    let metrics = Metrics::start(common, &shutdown)?;
    let beat = Beat {
        instance: source,
        state: "starting".into(),
        pid: std::process::id(),
        machine: names::this_machine(),
        started: clock.seconds(),
        ..Beat::default()
    };
    let beats = Beats::start(&bus, beat, BEAT)?;
    let progress = Progress::new(metrics, Some(beats), settings.pages);
    let parts = Parts { settings, bus, reader, writer, clock, folder, shutdown, progress };
    let (ended, progress, tally, failed) = Engine::new(parts)?.run()?;
    let summary = progress.finish(&crawl, ended, &tally, failed);
    if common.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        print!("{}", summary.table());
    }
    summary.advise();
    Ok(summary.exit())
}

/// Makes sure that the topics of a crawl exist.
pub fn ensure_topics(bus: &Bus, crawl: &str) -> Result<()> {
    let crawls = [topic::discovered(crawl), topic::frontier(crawl), topic::tallies(crawl)];
    let shared = [topic::artefacts(), topic::beats(), topic::dead_letters()];
    bus.ensure(&[crawls, shared].concat())?;
    Ok(())
}

/// Appends seeds to `discovered`.
pub fn append(bus: &Bus, crawl: &str, source: &str, seeds: &[Canonical]) -> Result<()> {
    for seeds in seeds.chunks(SEEDS) {
        let outputs: Vec<_> = seeds
            .iter()
            .map(|seed| {
                let candidate = Discovered { url: seed.as_str().into(), ..Discovered::default() };
                candidate.into_output(crawl, seed.host(), source)
            })
            .collect();
        bus.append(&outputs)?;
    }
    Ok(())
}

fn has_candidates(bus: &Bus, crawl: &str) -> Result<bool> {
    let name = topic::discovered(crawl).name;
    let Some(spec) = bus.topics()?.into_iter().find(|t| t.name == name) else { return Ok(false) };
    for partition in 0..spec.partitions {
        if bus.offsets(&name, partition)?.end > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The crawl's folder on this machine, locked for this process.
fn folder(data: &Path, settings: &Settings) -> Result<(PathBuf, File)> {
    let folder = data.join("spider").join(format!("{}-{}", settings.crawl, settings.instance));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("lock");
    let lock = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok((folder, lock)),
        Err(TryLockError::WouldBlock) => {
            Err(Busy(format!("{} is in use by another spider; give this one another --instance", folder.display()))
                .into())
        }
        Err(TryLockError::Error(e)) => Err(e).with_context(|| format!("cannot lock {}", path.display())),
    }
}
