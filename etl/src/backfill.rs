//! `etl backfill`: brings many days through the steps of the night, as far as they are not there yet.
//!
//! What is missing is read off the archive (marks, files, extractor versions), the ledger and the reports; nothing else is
//! remembered. So it can be interrupted and run again, and a day that the nightly run brought further meanwhile is just less
//! work. Each day is done under its lock, which `etl upload` takes too: the two never meet.

mod plan;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use archive::{DataDir, Day, Lock, TmpDir};
use program::{Common, Exit, Misuse, Progress, Shutdown, Table, human};

use crate::mongo::document::Collection;
use crate::mongo::{Failure, Mongo, Server, Target};
use crate::upload::day::{Options, Work};
use crate::upload::{self, lock_of};
use crate::{complete, extract, on_failure, stage, world};
use plan::{Plan, State, Step};

/// Name under which backfill has its folders of unfinished files.
const PROGRAM: &str = "backfill";

/// Bring a range of days through the steps that they lack
///
/// Finds what is missing in each day and step, prints the plan, does it, and prints what became of it. Interrupted or failed,
/// it is just run again. Steps: stage, extract, upload, and mine:NAME for each miner. Exit code 3 when some days failed.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// First day, UTC
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// Last day, included
    #[arg(long, value_name = "DAY")]
    to: Day,
    /// Steps, in this order
    #[arg(long, value_name = "STEPS", value_delimiter = ',', default_value = "stage,extract,upload")]
    steps: Vec<Step>,
    #[command(flatten)]
    server: Server,
    /// What to upload: some of artefacts, pages, bodies, links
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "artefacts,pages,bodies")]
    collections: Vec<Collection>,
    /// Batches in flight to the server
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Do the steps also for days that have them
    #[arg(long)]
    force: bool,
    /// Only print the plan
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args, common: &Common, shutdown: &Shutdown) -> Result<Exit> {
    if args.from > args.to {
        return Err(Misuse::new(format!("--from {} is after --to {}", args.from, args.to)).into());
    }
    let data = DataDir::new(&common.data);
    let uploads = args.steps.contains(&Step::Upload);
    let target = if uploads { Some(args.server.need("--mongodb")?) } else { args.server.target()? };
    let plan = Plan {
        data: &data,
        steps: &args.steps,
        collections: upload::ordered(&args.collections),
        key: target.as_ref().map(Target::key),
        force: args.force,
        bus: if args.steps.contains(&Step::Stage) { bus(common) } else { None },
    };
    let days: Vec<Day> = args.from.to(args.to).collect();
    let planned = plan.of(&days)?;
    if args.dry_run {
        print_plan(&planned, common)?;
        return Ok(Exit::Done);
    }
    if !common.json {
        print_plan(&planned, common)?;
    }
    let mut run = Run { args, common, shutdown, data: &data, plan, target, server: Connection::None, staged: None };
    let progress = Progress::new("backfill", "days", Some(days.len() as u64));
    let mut results = Vec::new();
    for day in &days {
        progress.say(&day.to_string());
        if shutdown.requested() {
            break;
        }
        let started = Instant::now();
        let outcome = run.day(*day);
        progress.add(1);
        let failed = match outcome {
            Ok(Outcome { interrupted: true, .. }) => break,
            Ok(done) => {
                Done { day: *day, steps: done.steps, failed: done.failed, seconds: started.elapsed().as_secs_f64() }
            }
            Err(error) if upload::is_interrupted(&error) => break,
            Err(error) => Done { day: *day, steps: Vec::new(), failed: Some(format!("{error:#}")), seconds: 0.0 },
        };
        if let Some(why) = &failed.failed {
            tracing::error!("{day}: {why}");
            on_failure::note(&format!("{day}: {why}"));
        }
        results.push(failed);
    }
    progress.finish();
    let interrupted = results.len() < days.len();
    print_results(&results, interrupted, common)?;
    Ok(match (interrupted, results.iter().any(|done| done.failed.is_some())) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Partly,
        (false, false) => Exit::Done,
    })
}

/// The bus, for a plan that tells how much waits there; a plan can do without.
fn bus(common: &Common) -> Option<bus::Bus> {
    world::look_at_bus(common).unwrap_or_else(|error| {
        tracing::warn!("what waits on the bus is not known: {error:#}");
        None
    })
}

/// What became of a day.
#[derive(Debug, serde::Serialize)]
struct Done {
    day: Day,
    /// Steps that were done now.
    steps: Vec<String>,
    /// Why the rest was not done.
    failed: Option<String>,
    seconds: f64,
}

#[derive(Default)]
struct Outcome {
    steps: Vec<String>,
    failed: Option<String>,
    interrupted: bool,
}

/// The server, connected to when it is first needed; once it was away for too long, it is for all days.
enum Connection {
    None,
    Up(Box<Mongo>),
    Away(String),
}

struct Run<'a> {
    args: &'a Args,
    common: &'a Common,
    shutdown: &'a Shutdown,
    data: &'a DataDir,
    plan: Plan<'a>,
    target: Option<Target>,
    server: Connection,
    /// Staging is of all days at once: done once, or failed for this reason.
    staged: Option<Result<(), String>>,
}

impl Run<'_> {
    fn day(&mut self, day: Day) -> Result<Outcome> {
        let _lock = Lock::take(self.data, &lock_of(day))?;
        let mut outcome = Outcome::default();
        for step in self.args.steps.clone() {
            if self.shutdown.requested() {
                outcome.interrupted = true;
                break;
            }
            // looked at again: the steps before it, or another run, may have changed what is missing
            let planned = self.plan.step(day, &step)?;
            if planned.state == State::Done {
                continue;
            }
            match self.step(day, &step) {
                Ok(true) => outcome.steps.push(step.to_string()),
                Ok(false) => outcome.interrupted = true,
                Err(error) if upload::is_interrupted(&error) => outcome.interrupted = true,
                Err(error) => outcome.failed = Some(format!("{step}: {error:#}")),
            }
            if outcome.interrupted || outcome.failed.is_some() {
                break;
            }
        }
        Ok(outcome)
    }

    /// Does a step; false when a signal came.
    fn step(&mut self, day: Day, step: &Step) -> Result<bool> {
        match step {
            Step::Stage => self.stage(day),
            Step::Extract => match extract::day(day, self.args.force, self.common, self.shutdown)? {
                Exit::Interrupted => Ok(false),
                Exit::Partly => {
                    anyhow::bail!("some segments could not be extracted; `etl verify --archive` mends damaged ones")
                }
                _ => Ok(true),
            },
            Step::Upload => self.upload(day),
            Step::Mine(miner) => self.mine(day, miner),
        }
    }

    fn stage(&mut self, day: Day) -> Result<bool> {
        if self.staged.is_none() {
            match stage::once(false, self.common, self.shutdown) {
                Ok(true) => self.staged = Some(Ok(())),
                Ok(false) => return Ok(false),
                Err(error) => self.staged = Some(Err(format!("{error:#}"))),
            }
        }
        if let Some(Err(why)) = &self.staged {
            anyhow::bail!("{why}");
        }
        match complete::why_not(self.data, day, false)? {
            None => Ok(true),
            Some(why) => anyhow::bail!("{why}"),
        }
    }

    fn upload(&mut self, day: Day) -> Result<bool> {
        let collections = self.plan.collections.clone();
        if let Some(why) = complete::why_not(self.data, day, upload::needs_extract(&collections))? {
            anyhow::bail!("{why}");
        }
        let target = self.target.clone().context("no server is named")?;
        if let Connection::None = self.server {
            self.server = match self.args.server.connect(&target, self.shutdown) {
                Ok(mongo) => Connection::Up(Box::new(mongo)),
                Err(error) if upload::is_interrupted(&error) => return Err(error),
                Err(error) => Connection::Away(format!("{error:#}")),
            };
        }
        let mongo = match &self.server {
            Connection::Up(mongo) => mongo,
            Connection::Away(why) => anyhow::bail!("{why}"),
            Connection::None => anyhow::bail!("no server is named"),
        };
        TmpDir::sweep(self.data, PROGRAM)?;
        let tmp = TmpDir::create(self.data, PROGRAM)?;
        let options = Options {
            collections,
            verify: true,
            jobs: self.args.jobs as usize,
            force: self.args.force,
            partial: false,
        };
        let work = Work {
            data: self.data,
            tmp: tmp.path(),
            mongo,
            target: &target,
            options: &options,
            shutdown: self.shutdown,
        };
        let report = work.day(day);
        if let Err(error) = &report
            && error.chain().any(|cause| matches!(cause.downcast_ref(), Some(Failure::Away { .. })))
        {
            self.server = Connection::Away(format!("{error:#}"));
        }
        let report = report?;
        match report.state.as_str() {
            "interrupted" => Ok(false),
            "partly" => anyhow::bail!("{}", report.trouble.join("; ")),
            _ => Ok(true),
        }
    }

    /// Runs a miner as its executable, found beside ours or in PATH.
    fn mine(&self, day: Day, miner: &str) -> Result<bool> {
        let beside =
            std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("mine"))).filter(|mine| mine.is_file());
        let program = beside.unwrap_or_else(|| PathBuf::from("mine"));
        let mut command = std::process::Command::new(&program);
        command.arg(miner).args(["--day", &day.to_string()]).arg("--data").arg(&self.common.data);
        command.stdout(std::process::Stdio::null()).stdin(std::process::Stdio::null());
        let status = command.status().with_context(|| {
            format!("cannot run {}; it is built by `cargo build --release --workspace --bin mine`", program.display())
        })?;
        match status.code() {
            Some(0) => Ok(true),
            Some(130) => Ok(false),
            _ => anyhow::bail!("`mine {miner} --day {day}` ended with {status}"),
        }
    }
}

fn print_plan(planned: &BTreeMap<Day, Vec<plan::Planned>>, common: &Common) -> Result<()> {
    if common.json {
        println!("{}", serde_json::to_string(planned)?);
        return Ok(());
    }
    let mut table = Table::new(["day", "step", "state", "rows", "bytes"]).right(3).right(4);
    let mut left = 0;
    for (day, steps) in planned {
        for one in steps {
            left += usize::from(one.state != State::Done);
            let number = |n: u64, show: fn(u64) -> String| if n == 0 { String::new() } else { show(n) };
            table.row([
                day.to_string(),
                one.step.to_string(),
                one.state.name().to_owned(),
                number(one.rows, human::count),
                number(one.bytes, human::bytes),
            ]);
        }
    }
    table.print()?;
    println!("{left} steps are to be done");
    Ok(())
}

fn print_results(results: &[Done], interrupted: bool, common: &Common) -> Result<()> {
    if common.json {
        println!("{}", serde_json::json!({ "days": results, "interrupted": interrupted }));
        return Ok(());
    }
    let mut table = Table::new(["day", "done now", "seconds", "failed"]).right(2);
    for done in results {
        let steps = if done.steps.is_empty() { "-".to_owned() } else { done.steps.join(", ") };
        let failed = done.failed.clone().unwrap_or_default();
        table.row([done.day.to_string(), steps, format!("{:.1}", done.seconds), failed]);
    }
    table.print()?;
    if interrupted {
        println!("interrupted; the same command goes on");
    }
    Ok(())
}
