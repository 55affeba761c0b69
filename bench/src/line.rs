//! `bench line`: `spider crawl` beside a bare loop and beside the crate `spider`, over real documentation on nginx.
//!
//! A page is a fetch that was answered, whatever its status: all three fetch the same URLs. Delays off, 64 connections, one warm-up round, then the median of the rounds; all three take turns in each round.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child::{Measured, measure, median, own_cpu};
use crate::nginx::Nginx;

const CONCURRENCY: &str = "64";

/// Documentation of Debian packages: name on the server, folder.
const TREES: [(&str, &str); 5] = [
    ("python3.11", "/usr/share/doc/python3.11/html"),
    ("apache2", "/usr/share/doc/apache2-doc/manual"),
    ("sqlite3", "/usr/share/doc/sqlite3"),
    ("nodejs", "/usr/share/doc/nodejs/api"),
    ("debian-handbook", "/usr/share/doc/debian-handbook/html"),
];

/// Flags of this benchmark.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// Rounds that count
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// The spider's executable
    #[arg(long, value_name = "FILE")]
    spider: PathBuf,
    /// The crate's executable; none leaves it out
    #[arg(long, value_name = "FILE")]
    peer: Option<PathBuf>,
}

/// Measures and prints.
pub fn run(flags: &Flags) -> Result<()> {
    let work = tempfile::tempdir()?;
    let root = work.path().join("www");
    make_root(&root)?;
    let nginx = Nginx::start(&root, work.path())?;
    let mut names = vec!["spider crawl", "bare loop"];
    if flags.peer.is_some() {
        names.push("spider crate");
    }
    let mut runs: Vec<Vec<(Measured, f64)>> = vec![Vec::new(); names.len()];
    for round in 0..=flags.rounds {
        for (i, name) in names.iter().enumerate() {
            let (m, pages) = one(name, flags, &nginx.url(), &work.path().join(format!("data-{round}")))?;
            eprintln!("round {round} {name}: {pages} pages, {:.2} s, {:.2} CPU-s", m.wall, m.cpu);
            if round > 0 {
                runs[i].push((m, pages));
            }
        }
    }
    report(&names, &runs);
    where_it_goes(&runs[0], extraction(&root)?);
    Ok(())
}

/// CPU seconds of taking the links off all pages, as the spider does it.
fn extraction(root: &Path) -> Result<f64> {
    let mut files = Vec::new();
    html_files(root, root, &mut files)?;
    let base = url::Url::parse("http://127.0.0.1/")?;
    let mut cpu = 0.0;
    for files in files.chunks(500) {
        let pages = files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        let before = own_cpu()?;
        for page in &pages {
            std::hint::black_box(web::extract(page, Some("text/html"), &base, false));
        }
        cpu += own_cpu()? - before;
    }
    Ok(cpu)
}

/// The spider's CPU time by its threads.
fn where_it_goes(runs: &[(Measured, f64)], extraction: f64) {
    let per_page = |name: &str| {
        let of = |m: &Measured| m.threads.get(name).copied().unwrap_or_default();
        median(runs.iter().map(|(m, pages)| of(m) * 1000.0 / pages).collect())
    };
    let all = median(runs.iter().map(|(m, pages)| m.cpu * 1000.0 / pages).collect());
    let pages = median(runs.iter().map(|run| run.1).collect());
    let links = extraction * 1000.0 / pages;
    let (fetch, engine, publisher) = (per_page("fetch"), per_page("spider"), per_page("publisher"));
    println!("where the time of spider crawl goes, CPU-ms/page:");
    println!("{:>8.3}  HTTP and robots rules (threads fetch, without links)", fetch - links);
    println!("{links:>8.3}  links of pages (threads fetch; measured apart over the same files)");
    println!("{engine:>8.3}  deciding: frontier, scope, manners, records (thread spider)");
    println!("{publisher:>8.3}  publishing: transactions on the bus (thread publisher)");
    println!("{:>8.3}  start, end, kernel threads", all - fetch - engine - publisher);
}

/// A folder with a link to each tree that is installed, and a page that links to every HTML file of them.
pub fn make_root(root: &Path) -> Result<()> {
    std::fs::create_dir(root)?;
    let mut page = String::from("<!DOCTYPE html><title>documentation</title>\n");
    let mut files = 0;
    for (name, folder) in TREES {
        if !Path::new(folder).is_dir() {
            eprintln!("not there: {folder}");
            continue;
        }
        symlink(folder, root.join(name))?;
        let mut found = Vec::new();
        html_files(Path::new(folder), Path::new(name), &mut found)?;
        found.sort();
        files += found.len();
        for path in found {
            page.push_str(&format!("<a href=\"/{}\">x</a>\n", path.display()));
        }
    }
    if files == 0 {
        bail!(
            "no documentation is installed; Debian packages python3.11-doc apache2-doc sqlite3-doc nodejs-doc debian-handbook"
        );
    }
    std::fs::write(root.join("index.html"), page)?;
    eprintln!("{files} HTML files");
    Ok(())
}

fn html_files(folder: &Path, name: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = name.join(entry.file_name());
        if path.is_dir() {
            html_files(&path, &name, found)?;
        } else if path.extension().is_some_and(|e| e == "html") {
            found.push(name);
        }
    }
    Ok(())
}

fn one(name: &str, flags: &Flags, url: &str, data: &Path) -> Result<(Measured, f64)> {
    let m = match name {
        "spider crawl" => {
            let m = measure(&mut crawl(&flags.spider, url, data))?;
            std::fs::remove_dir_all(data)?;
            m
        }
        "bare loop" => measure(Command::new(std::env::current_exe()?).args(["bare", url, CONCURRENCY]))?,
        _ => measure(Command::new(flags.peer.as_ref().context("no peer")?).args([url, CONCURRENCY]))?,
    };
    let pages = pages(name, &m)?;
    Ok((m, pages))
}

/// A crawl of everything, delays off.
pub fn crawl(spider: &Path, url: &str, data: &Path) -> Command {
    let mut command = Command::new(spider);
    command.args([
        "crawl",
        url,
        "--until-idle",
        "--delay",
        "0",
        "--per-host",
        CONCURRENCY,
        "--concurrency",
        CONCURRENCY,
    ]);
    command.args(["--allow-address", "127.0.0.0/8", "--quiet", "--json", "--data"]).arg(data);
    command
}

/// How many fetches were answered, as a measured run has told.
pub fn pages(name: &str, m: &Measured) -> Result<f64> {
    let last = m.stdout.trim().lines().last().unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(m.stdout.trim())
        .or_else(|_| serde_json::from_str(last))
        .with_context(|| format!("{name} printed {:?}", m.stdout))?;
    let pages = value.as_f64().or_else(|| value.get("artefacts").and_then(serde_json::Value::as_f64));
    pages.with_context(|| format!("{name} told no number of fetches"))
}

fn report(names: &[&str], runs: &[Vec<(Measured, f64)>]) {
    println!("{:<14} {:>8} {:>9} {:>12} {:>10}", "", "pages", "pages/s", "CPU-ms/page", "wall s");
    let mut rates = Vec::new();
    for (name, runs) in names.iter().zip(runs) {
        let pages = median(runs.iter().map(|r| r.1).collect());
        let rate = median(runs.iter().map(|r| r.1 / r.0.wall).collect());
        let cpu = median(runs.iter().map(|r| r.0.cpu * 1000.0 / r.1).collect());
        let wall = median(runs.iter().map(|r| r.0.wall).collect());
        println!("{name:<14} {pages:>8.0} {rate:>9.0} {cpu:>12.2} {wall:>10.2}");
        rates.push(rate);
    }
    for (i, (name, goal)) in [("bare loop", 0.40), ("spider crate", 0.75)].into_iter().enumerate() {
        if let Some(peer) = rates.get(i + 1) {
            let ratio = rates[0] / peer;
            let verdict = if ratio >= goal { "reached" } else { "MISSED" };
            println!("spider crawl / {name}: {:.0} % (goal {:.0} %: {verdict})", ratio * 100.0, goal * 100.0);
        }
    }
}
