//! The nightly run over a real crawl: the Rust documentation into FerretDB, by the commands of cron/crontab.
//!
//! The pages are fetched "yesterday" by the test clock, so that the day is over when the night begins. Then the night runs
//! again, which must find nothing to do, and the database is compared with the archive.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Done, Outcome};
use crate::line::Line;
use crate::services::ferretdb::{self, Ferret, Store};
use crate::services::postgresql::Cluster;
use crate::workspace::Workspace;
use crate::{process, serve};

const CRAWLED: &str = "2026-11-21T02:00:00Z";
const DAY: &str = "2026-11-21";
const NIGHT: &str = "2026-11-22T03:20:00Z";
const MORNING: &str = "2026-11-22T08:00:00Z";
/// As many pages have to come.
const PAGES: u64 = 20_000;

/// A command of the night, and its limit of memory in bytes.
struct Job {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
    limit: u64,
}

const JOBS: [Job; 5] = [
    Job { name: "stage", program: "etl", args: &["stage", "--once"], limit: 256_000_000 },
    Job { name: "extract", program: "etl", args: &["extract"], limit: 512_000_000 },
    Job { name: "upload", program: "etl", args: &["upload"], limit: 256_000_000 },
    Job { name: "terms", program: "mine", args: &["terms", "--day", DAY], limit: 1_000_000_000 },
    Job { name: "links", program: "mine", args: &["links", "--day", DAY], limit: 1_000_000_000 },
];

/// Crawls, and runs the night twice.
pub(crate) fn check(workspace: &Workspace, built: bool) -> anyhow::Result<Done> {
    let not_run = |why: String| Ok((String::new(), Outcome::NotRun(why), String::new()));
    let Some(site) = site()? else {
        return not_run("the Rust documentation is not installed (rustup component add rust-docs)".into());
    };
    let ferretd = match ferretdb::program() {
        Ok(program) => program,
        Err(error) => return not_run(format!("FerretDB cannot be built: {error:#}")),
    };
    let names = ["spider", "etl", "mine"];
    let executables = if built { Workspace::built(&names)? } else { workspace.build(&names).run()? };
    let work = workspace.target.join("night");
    let _ = std::fs::remove_dir_all(&work);
    let (data, store) = (work.join("data"), work.join("sqlite"));
    std::fs::create_dir_all(&store).with_context(|| format!("cannot make {}", store.display()))?;
    // PostgreSQL's own user must reach its folder
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let cluster = Cluster::start(folder.path(), true).ok();
    let kept = cluster.as_ref().map_or(Store::Sqlite(&store), |cluster| Store::Postgresql(cluster.url()));
    let server = Ferret::start(&ferretd, ferretdb::free_port()?, &kept, &work.join("ferretdb.log"))?;
    let url = format!("mongodb://127.0.0.1:{}/night", server.port());
    let (running, _) = serve::start(&site, 0)?;
    let run = |program: &str, args: &[&str], clock: &str| {
        let line = Line::new(&executables[program]).args(args).arg("--data").arg(&data).arg("--json");
        let line = line.env("KAFKASPIDER_TEST_CLOCK", clock).env("KAFKASPIDER_MONGODB", &url);
        one(&line)
    };

    let seed = running.url("/");
    let manners = ["--delay", "0", "--per-host", "8", "--allow-address", "127.0.0.0/8"];
    let crawled = run("spider", &[&["crawl", &seed, "--until-idle"][..], &manners].concat(), CRAWLED)?;
    let mut night = vec![("crawl", crawled, u64::MAX)];
    for job in &JOBS {
        night.push((job.name, run(job.program, job.args, NIGHT)?, job.limit));
    }
    // the archive and the database are equal, the morning has nothing to do, and another night changes nothing
    let compared = run("etl", &["verify", "--day", DAY, "--deep"], NIGHT)?;
    let status = run("etl", &["status"], MORNING)?;
    let again = run("etl", &["upload"], NIGHT)?;
    drop(running);
    drop(server);

    let mut wrong = breaches(&night);
    let pages = figure(&night, "extract", "pages");
    if pages < PAGES {
        wrong.push(format!("{pages} pages were extracted; {PAGES} were to come"));
    }
    if compared.json["differences"].as_array().is_none_or(|list| !list.is_empty()) {
        wrong.push(format!("the database differs from the archive: {}", compared.json["differences"]));
    }
    if status.json["days"].as_array().is_none_or(|days| days.iter().any(|day| !day["next"].is_null())) {
        wrong.push(format!("something is left to do: {}", status.json));
    }
    if again.json["segments"] != 0 || again.json["state"] != "verified" {
        wrong.push(format!("a second upload was not idle: {}", again.json));
    }
    let mut text = format!("into FerretDB on {}\n\n", if cluster.is_some() { "PostgreSQL" } else { "SQLite" });
    night.push(("verify --deep", compared, u64::MAX));
    night.push(("upload again", again, u64::MAX));
    text.push_str(&table(&night));
    text.push_str(&wrong.join("\n"));
    drop(cluster);
    let _ = std::fs::remove_dir_all(&work);
    let outcome = if wrong.is_empty() { Outcome::Passed } else { Outcome::Failed };
    let shown = "cargo xtask test --part 'a night over a real crawl'".to_owned();
    Ok((shown, outcome, text))
}

/// The documentation that rustup installs.
fn site() -> anyhow::Result<Option<PathBuf>> {
    let sysroot = process::capture_well(&Line::new("rustc").args(["--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("share/doc/rust/html");
    Ok(folder.join("index.html").is_file().then_some(folder))
}

/// What a command said, and what it took.
struct Ran {
    json: Value,
    seconds: f64,
    peak: Option<u64>,
}

fn one(line: &Line) -> anyhow::Result<Ran> {
    line.print();
    let began = Instant::now();
    let (status, text, peak) = process::capture_measured(line)?;
    ensure!(status.success(), "`{line}` failed: {}\n{text}", process::told(status));
    let last = || text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    let json: Value = serde_json::from_str(&text).ok().or_else(last).unwrap_or_default();
    let own = ["peak_memory", "peak_memory_bytes"].into_iter().find_map(|key| json[key].as_u64());
    Ok(Ran { json, seconds: began.elapsed().as_secs_f64(), peak: own.or(peak) })
}

fn figure(night: &[(&str, Ran, u64)], step: &str, key: &str) -> u64 {
    night.iter().find(|(name, ..)| *name == step).and_then(|(_, ran, _)| ran.json[key].as_u64()).unwrap_or(0)
}

/// What used more memory than it may, or was not measured.
fn breaches(night: &[(&str, Ran, u64)]) -> Vec<String> {
    let judge = |(name, ran, limit): &(&str, Ran, u64)| match ran.peak {
        Some(peak) if peak <= *limit => None,
        Some(peak) => Some(format!("{name} used {} MB, over its limit of {} MB", peak / 1_000_000, limit / 1_000_000)),
        None => (*limit < u64::MAX).then(|| format!("the peak of {name} was not measured")),
    };
    night.iter().filter_map(judge).collect()
}

fn table(night: &[(&str, Ran, u64)]) -> String {
    let mut text = format!("{:<14} {:>9} {:>12}  {}\n", "step", "seconds", "peak memory", "what");
    for (name, ran, _) in night {
        let peak = ran.peak.map_or("–".to_owned(), |peak| format!("{} MB", peak / 1_000_000));
        let known = ["artefacts", "records", "pages", "links", "sent", "inserted", "documents", "segments", "bytes"];
        let told = known.iter().filter_map(|key| Some(format!("{key} {}", ran.json[*key].as_u64()?)));
        let told = told.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("{name:<14} {:>9.1} {peak:>12}  {told}\n", ran.seconds));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_over_its_limit_and_one_that_was_not_measured_are_breaches() {
        let ran = |peak| Ran { json: json!({ "documents": 7 }), seconds: 1.0, peak };
        let night =
            [("crawl", ran(None), u64::MAX), ("upload", ran(Some(300_000_000)), 256_000_000), ("terms", ran(None), 1)];
        assert_eq!(
            breaches(&night),
            ["upload used 300 MB, over its limit of 256 MB", "the peak of terms was not measured"]
        );
        assert_eq!(figure(&night, "upload", "documents"), 7);
        assert!(table(&night).contains("documents 7"));
    }
}
