//! `etl stage`: from the bus to the archive.
//!
//! Reads the topic `artefacts` as group `stage` and writes one Parquet segment after another per partition. Offsets are
//! committed only together with the seal of the segment that holds their records, so a crash at any moment loses nothing
//! and stores nothing twice. The rule stands in [`seal`], what a crash leaves is finished in [`recover`].

mod ahead;
mod from_start;
mod marks;
mod once;
mod open;
pub(crate) mod recover;
mod report;
pub(crate) mod rows;
mod seal;
mod stager;
mod tmp;

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use archive::{DataDir, Day, Lock};
use bus::payload::Beat;
use bus::topic::{ARTEFACTS, STAGE_GROUP};
use bus::{Assignment, Beats, Event, Reader, topic};
use program::{Common, Exit, Metrics, Progress, Shutdown, human};

use crate::footer::Footer;
use crate::{size, world};
use ahead::Ahead;
use from_start::Which;
use marks::Marks;
pub(crate) use once::once;
use open::Limits;
use recover::Seals;
use report::{dry_run, report, say_where_it_starts};
use stager::{Counts, Stager};
use tmp::Tmp;

/// Stage records from the bus into Parquet segments of the archive
///
/// Follows the bus until a signal, or, with --once, stages what is there now and ends. A segment ends when it is large, old or
/// idle enough, and with its day (UTC). A run that was killed is just started again: nothing is lost, nothing stored twice.
/// Memory stays under 256 MB. With --once, exit code 3 when a record was no artefact and went to dead-letters.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Stage what is on the bus now, seal it, and end
    #[arg(long)]
    once: bool,
    /// Stage also what the bus still has from before the group's committed offsets and this archive lacks, such as a segment whose
    /// file is missing
    #[arg(long)]
    from_start: bool,
    /// Go on where the file of a sealed segment is missing: what the bus still has of it is staged again, the rest is recorded as
    /// lost
    #[arg(long)]
    accept_loss: bool,
    /// A segment ends at this size of its file
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size::bytes)]
    segment_bytes: u64,
    /// A segment ends at so many rows
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    segment_rows: u64,
    /// A segment ends when its first record was staged so long ago
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = size::duration)]
    segment_age: Duration,
    /// A segment ends when its last record was staged so long ago
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = size::duration)]
    segment_idle: Duration,
    /// Memory for all open segments together; the largest is flushed first
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size::bytes)]
    memory: u64,
    /// Name of this member of the group, the same after each restart [default: the machine's name]
    #[arg(long, value_name = "NAME", default_value_t = world::machine(), hide_default_value = true)]
    instance: String,
    /// Only say what would be staged
    #[arg(long)]
    dry_run: bool,
}

/// Longest wait for records before timers are looked at.
const POLL: Duration = Duration::from_millis(200);
/// How often timers are looked at while records keep coming.
const TICK: Duration = Duration::from_millis(500);
/// How often days are marked and the log is kept small.
const CHORES: Duration = Duration::from_secs(10);
/// How often a life sign is given.
const BEAT: Duration = Duration::from_secs(5);

/// For glibc's allocator, with Kafka: what librdkafka unpacks on one thread is freed on another. As the allocator comes, each freed
/// block raises the size from which blocks go back to the system, and a third of the peak is used by nobody; with a lower bound than
/// this one the pages of large blocks come anew for each, a fifth of the processor time (docs/kafka-2026-11-22.md).
const ALLOCATOR: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "8"), ("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_TRIM_THRESHOLD_", "33554432")];

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    let data = DataDir::new(&common.data);
    if args.dry_run {
        return dry_run(common);
    }
    if common.bus_url().starts_with("kafka://")
        && let Err(error) = program::again_with(&program::unset(&ALLOCATOR))
    {
        tracing::debug!("{error:#}; staging takes more memory");
    }
    let started = Instant::now();
    let outcome = stage(args, common, &data, shutdown);
    let (counts, finished) = match outcome {
        Ok(done) => done,
        Err(e) if world::is_disk_full(&e) => return Err(disk_full(e, &data)),
        Err(e) => return Err(e),
    };
    report(&counts, started.elapsed(), common)?;
    Ok(match (finished, counts.dead_letters) {
        (false, _) => Exit::Interrupted,
        (true, 1..) if args.once => Exit::Partly,
        (true, _) => Exit::Done,
    })
}

fn disk_full(error: anyhow::Error, data: &DataDir) -> anyhow::Error {
    let free = world::free_space(data.root()).map_or(String::new(), |free| format!(" ({} free)", human::bytes(free)));
    anyhow!(
        "the disk of {} is full{free}: make room and run the same command again; nothing is lost, what is not sealed is read again \
         ({error:#})",
        data.root().display()
    )
}

/// The whole run; false when it was interrupted.
fn stage(args: &Args, common: &Common, data: &DataDir, shutdown: &Shutdown) -> Result<(Counts, bool)> {
    let bus = world::open_bus(common)?;
    shutdown.on_request(bus.ender());
    bus.ensure(&[topic::artefacts(), topic::seals(), topic::dead_letters()])?;
    let new = !data.root().join("archive.json").exists();
    let archive = data.archive_id()?;
    if new {
        tracing::info!("made a new archive at {}", data.root().display());
    }
    let _lock = Lock::take(data, "stage")?;
    let metrics = Metrics::start(common, shutdown)?;
    let instance = args.instance.clone();
    let (reader, writer) = bus.join(STAGE_GROUP, &instance, &[ARTEFACTS])?;

    let origin = Footer {
        cluster: bus.cluster().to_owned(),
        topic_id: bus.topic_id(ARTEFACTS)?,
        topic: ARTEFACTS.into(),
        archive: archive.clone(),
        ..Footer::default()
    };
    // other stagers of the group go on meanwhile, so this is asked before and after
    let committed = bus.committed(STAGE_GROUP, ARTEFACTS)?;
    let seals = recover::read_seals(&bus)?;
    let mut counts = Counts::default();
    if args.from_start || args.accept_loss {
        counts.lost += recover::set_missing_aside(&bus, data, &archive, &seals, args.accept_loss)?;
    }
    counts.renamed = recover::finish_renames(data, &archive, &seals)?;
    recover::remove_abandoned(data)?;
    recover::check(&bus, data, &origin, &seals, &committed)?;
    if !args.from_start {
        say_where_it_starts(&bus, data, &archive, &seals)?;
    }

    let beats = if args.once { None } else { Some(Beats::start(&bus, beat(&instance), BEAT)?) };
    let stager = Stager {
        writer,
        data: data.clone(),
        origin,
        limits: Limits {
            bytes: args.segment_bytes,
            rows: args.segment_rows,
            age: args.segment_age,
            idle: args.segment_idle,
        },
        memory: usize::try_from(args.memory).unwrap_or(usize::MAX),
        tmp: Tmp::create(data)?,
        parts: Default::default(),
        counts,
        first_day: None,
        bus: bus.clone(),
    };
    let marks = Marks::new(data, Day::of_millis(bus.now()?))?;
    let progress = Progress::new("stage", "records", None);
    let ahead = Ahead::start()?;
    let mut run = Run { args, reader, ahead, stager, marks, seals, beats, metrics, progress, shutdown };
    let finished = run.to_the_end()?;
    run.progress.finish();
    Ok((run.stager.counts.clone(), finished))
}

/// A run under way.
struct Run<'a> {
    args: &'a Args,
    reader: Reader,
    ahead: Ahead,
    stager: Stager,
    marks: Marks,
    seals: Seals,
    beats: Option<Beats>,
    metrics: Metrics,
    progress: Progress,
    shutdown: &'a Shutdown,
}

impl Run<'_> {
    /// Until everything is staged (`--once`) or shutdown comes; false in the latter case. Whatever is open is sealed.
    #[allow(clippy::wrong_self_convention, reason = "the name says how far it runs; nothing is converted")]
    fn to_the_end(&mut self) -> Result<bool> {
        let (mut ticked, mut chores) = (Instant::now(), None::<Instant>);
        let finished = loop {
            if self.shutdown.requested() {
                break false;
            }
            let wait = if self.ahead.is_empty() { POLL } else { Duration::ZERO };
            let event = self.reader.poll(wait)?;
            let idle = event == Event::Idle && self.ahead.is_empty();
            if !self.take(event)? {
                break false;
            }
            if self.args.once && self.is_done(idle)? {
                break true;
            }
            if idle || ticked.elapsed() >= TICK {
                self.stager.tick()?;
                self.publish_figures()?;
                ticked = Instant::now();
            }
            if !self.args.once && chores.is_none_or(|at| at.elapsed() >= CHORES) {
                self.chores()?;
                chores = Some(Instant::now());
            }
        };
        if let Some(beats) = &self.beats {
            beats.update(|beat| beat.state = "draining".into());
        }
        self.ahead.flush(&mut self.stager)?;
        self.stager.seal_all()?;
        self.chores()?;
        self.publish_figures()?;
        Ok(finished)
    }

    /// Handles an event; false when shutdown came in between.
    fn take(&mut self, event: Event) -> Result<bool> {
        if !matches!(event, Event::Records(_) | Event::Idle) {
            // they came before it
            self.ahead.flush(&mut self.stager)?;
        }
        match event {
            Event::Assigned(list) => {
                // A partition that comes from another owner may have been sealed since we looked.
                self.seals = recover::read_seals(&self.stager.bus)?;
                for assignment in list {
                    if !self.assign(assignment)? {
                        return Ok(false);
                    }
                }
                self.metrics.ready(true);
            }
            Event::Revoking(list) => {
                let partitions: Vec<u32> = list.iter().map(|a| a.partition).collect();
                self.stager.seal(&partitions)?;
                self.stager.forget(partitions);
                self.reader.release(&list)?;
            }
            Event::Lost(list) => self.stager.forget(list.iter().map(|a| a.partition)),
            Event::Records(records) => {
                self.progress.add(records.len() as u64);
                self.ahead.handle(records, &mut self.stager)?;
            }
            Event::Idle => self.ahead.write(&mut self.stager)?,
        }
        Ok(true)
    }

    fn assign(&mut self, assignment: Assignment) -> Result<bool> {
        let p = assignment.partition;
        self.stager.assign(assignment, recover::max_time(&self.seals, p), self.args.once)?;
        match Which::of(self.args) {
            Some(which) => self.stager.fill_holes(p, which, self.shutdown),
            None => Ok(true),
        }
    }

    /// With `--once`: true when everything up to the end at the start was handled. Offsets at the end that never held a
    /// record (transaction markers) are found out by looking, when nothing comes any more.
    fn is_done(&mut self, idle: bool) -> Result<bool> {
        if self.stager.parts.is_empty() {
            return Ok(false);
        }
        for (p, part) in &mut self.stager.parts {
            if part.is_done() {
                continue;
            }
            if !idle {
                return Ok(false);
            }
            let end = part.end.unwrap_or(i64::MAX);
            let next = self.stager.bus.scan(ARTEFACTS, *p, part.next)?.next_batch()?.first().map(|d| d.offset);
            if next.is_some_and(|offset| offset < end) {
                return Ok(false);
            }
            part.end = Some(part.next);
        }
        Ok(true)
    }

    /// Marks days, and keeps the embedded log small. Nothing is open between seal and rename here.
    fn chores(&mut self) -> Result<()> {
        let first = self.stager.first_day.take();
        self.stager.counts.days_completed += self.marks.write(&self.stager.bus, &self.stager.data, first)?;
        let until = Instant::now() + TICK;
        while self.stager.bus.maintain()? && Instant::now() < until && !self.shutdown.requested() {}
        Ok(())
    }

    fn publish_figures(&self) -> Result<()> {
        let counts = &self.stager.counts;
        let set = |name, help, value: u64| self.metrics.gauge(name, help).set(value as f64);
        set("etl_stage_records", "records staged by this run", counts.records);
        set("etl_stage_segments", "segments sealed by this run", counts.segments);
        set("etl_stage_dead_letters", "records that became dead letters", counts.dead_letters);
        set("etl_stage_lost_offsets", "offsets that expired before they were staged", counts.lost);
        let Some(beats) = &self.beats else { return Ok(()) };
        let lag = self.stager.lag()?;
        set("etl_stage_lag_records", "records that are not sealed yet", u64::try_from(lag).unwrap_or(0));
        beats.update(|beat| {
            beat.state = if beat.state == "draining" { "draining" } else { "running" }.into();
            beat.lag = Some(lag);
            beat.disk_free = world::free_space(self.stager.data.root());
        });
        Ok(())
    }
}

/// What the footer of a partition's segment says besides its interval.
fn origin_of(origin: &Footer, partition: u32) -> Footer {
    Footer { partition, ..origin.clone() }
}

fn beat(instance: &str) -> Beat {
    Beat {
        instance: format!("etl-stage/{instance}"),
        state: "starting".into(),
        pid: std::process::id(),
        machine: world::machine(),
        started: chrono::Utc::now().timestamp(),
        ..Beat::default()
    }
}
