//! The long tier: the full figures that the issues name, written down with date, machine and commands.

mod equal;
mod memory;
mod night;
mod page;
mod truth;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::line::Line;
use crate::workspace::{Workspace, cargo};
use crate::{clock, interrupt, process};

/// How a part of the tier ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    NotRun(String),
}

/// A part that was run.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    command: String,
    outcome: Outcome,
    seconds: f64,
    output: String,
}

/// Runs everything and writes docs/long-<date>.md, anew after each part; true when all is well. `suite` is the closing line
/// of the tests.
pub(crate) fn run(workspace: &Workspace, suite: &str) -> anyhow::Result<bool> {
    let date = clock::today();
    let machine = page::machine();
    let file = workspace.root.join("docs").join(format!("long-{date}.md"));
    let keep = |parts: &[Part]| {
        let text = page::page(&date, &machine, suite, parts);
        write(&file, &page::without_places(&text, workspace))
    };
    let parts = parts(workspace, "", false, &keep)?;
    println!("\n{}\nwrote {}", page::table(&parts), crate::line::relative(&file).display());
    Ok(good(&parts))
}

/// Runs only the parts whose name contains `filter`, and writes nothing down.
pub(crate) fn some(workspace: &Workspace, filter: &str, built: bool) -> anyhow::Result<bool> {
    let parts = parts(workspace, filter, built, &|_| Ok(()))?;
    anyhow::ensure!(!parts.is_empty(), "no part of the long tier has {filter:?} in its name");
    println!("\n{}", page::table(&parts));
    Ok(good(&parts))
}

/// Whether all passed; with CI=true what was not run is a failure too.
fn good(parts: &[Part]) -> bool {
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    parts.iter().all(|part| match part.outcome {
        Outcome::Passed => true,
        Outcome::Failed => false,
        Outcome::NotRun(_) => !ci,
    })
}

/// Runs the parts whose name contains `filter`; `keep` is told after each.
fn parts(
    workspace: &Workspace,
    filter: &str,
    built: bool,
    keep: &dyn Fn(&[Part]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Part>> {
    let xtask = own_executable()?;
    let chore = |args: &[&str]| chore(&Line::new(&xtask).args(args).dir(&workspace.root));
    let more: &[&str] = if built { &["--built"] } else { &[] };
    let chaos = |args: &[&str]| chore(&[&["chaos"], args, more].concat());
    let mut parts = Vec::new();
    let mut part = |name: &str, run: &dyn Fn() -> anyhow::Result<Done>| -> anyhow::Result<()> {
        if name.contains(filter) {
            parts.push(one(name, run)?);
            keep(&parts)?;
        }
        Ok(())
    };
    part("kills at random", &|| chaos(&["--kills", "100", "--pages", "3000"]))?;
    part("kills at random, exactly N pages", &|| chaos(&["--kills", "50", "--pages", "3000", "--limit", "1500"]))?;
    for tree in &equal::TREES {
        part(&format!("archive equals an independent walk: {}", tree.name), &|| equal::check(workspace, tree, built))?;
    }
    part("peak memory on the Rust documentation", &|| memory::check(workspace, &xtask, built))?;
    for bench in ["bus", "line", "stage", "extract", "upload"] {
        part(&format!("bench {bench}"), &|| chore(&["bench", bench]))?;
    }
    part("bench bus on Kafka", &|| chore(&["bench", "bus", "--bus", "kafka"]))?;
    part("bench stage on Kafka", &|| chore(&["bench", "stage", "--bus", "kafka"]))?;
    part("bench crawl on Kafka", &|| chore(&["bench", "crawl"]))?;
    part("a night over a real crawl", &|| night::check(workspace, built))?;
    part("miners agree with reference tools", &|| truth::check(workspace, built))?;
    part("miners keep their limit of memory", &|| truth::memory(workspace, built))?;
    let test = |name: &str| {
        let line = cargo().args(["test", "--release", "--workspace", "--test", name]).dir(&workspace.root);
        let line = line.env("KAFKASPIDER_LONG", "1");
        line.print();
        let (status, text) = process::capture(&line)?;
        let outcome = if status.success() { Outcome::Passed } else { Outcome::Failed };
        Ok((format!("KAFKASPIDER_LONG=1 {line}"), outcome, text))
    };
    part("a month with 400,000 documents in one night", &|| test("month"))?;
    part("bench mine", &|| chore(&["bench", "mine"]))?;
    part("kills and suspensions on Kafka", &|| {
        chaos(&["--bus", "kafka", "--spiders", "2", "--stagers", "2", "--kills", "200", "--pages", "10000"])
    })?;
    Ok(parts)
}

/// This executable, or the one that was built in its place while it ran: the tests build it too.
fn own_executable() -> anyhow::Result<std::path::PathBuf> {
    let path = std::env::current_exe().context("cannot tell where this executable is")?;
    match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => Ok(path.into()),
        None => Ok(path),
    }
}

/// What a part gives: its command, how it ended, what it wrote.
type Done = (String, Outcome, String);

fn one(name: &str, run: &dyn Fn() -> anyhow::Result<Done>) -> anyhow::Result<Part> {
    interrupt::check()?;
    println!("\n== {name}");
    let began = Instant::now();
    let (command, outcome, output) = match run() {
        Ok(done) => done,
        Err(error) => (String::new(), Outcome::Failed, format!("error: {error:#}")),
    };
    interrupt::check()?;
    let seconds = began.elapsed().as_secs_f64();
    println!("{output}\n{}", page::told(&outcome));
    Ok(Part { name: name.into(), command, outcome, seconds, output })
}

/// A chore of our own; what it writes is the result.
fn chore(line: &Line) -> anyhow::Result<Done> {
    let shown = shown(line);
    println!("$ {shown}");
    let (status, text) = process::capture(line)?;
    let outcome = if status.success() { Outcome::Passed } else { Outcome::Failed };
    Ok((shown, outcome, text))
}

/// A command of this executable as a person would type it.
fn shown(line: &Line) -> String {
    let text = line.to_string();
    match text.split_once(' ') {
        Some((_, args)) => format!("cargo xtask {args}"),
        None => text,
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let folder = file.parent().context("a page is in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Where a program is, looked for as the tests look for it; `None` when the machine lacks it.
fn tool(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|file| file.is_file())
}
