//! The long tier: the full figures that the issues name, written down with date, machine and commands.

mod equal;
mod memory;
mod night;
mod page;
mod truth;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;

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

/// What the parts belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Group {
    /// From a web page to a report, on the embedded log
    Line,
    /// The same on Kafka
    Kafka,
    /// Upload, verification, backfill
    Night,
    /// The miners
    Mine,
}

/// Which parts are run.
#[derive(Debug, Clone, Copy)]
enum Wanted<'a> {
    /// All, or those of a group.
    Group(Option<Group>),
    /// Those with this in their name.
    Name(&'a str),
}

/// Runs everything, or one group, and writes docs/long-<date>.md or docs/long-<group>-<date>.md, anew after each part; true when
/// all is well. `suite` is the closing line of the tests.
pub(crate) fn run(workspace: &Workspace, group: Option<Group>, suite: &str) -> anyhow::Result<bool> {
    let date = clock::today();
    let machine = page::machine();
    let (command, name) = match group.and_then(|group| group.to_possible_value()) {
        Some(group) => (format!("--long={}", group.get_name()), format!("long-{}-{date}.md", group.get_name())),
        None => ("--long".to_owned(), format!("long-{date}.md")),
    };
    let file = workspace.root.join("docs").join(name);
    let keep = |parts: &[Part]| {
        let text = page::page(&date, &command, &machine, suite, parts);
        write(&file, &page::without_places(&text, workspace))
    };
    let parts = parts(workspace, Wanted::Group(group), false, &keep)?;
    println!("\n{}\nwrote {}", page::table(&parts), crate::line::relative(&file).display());
    Ok(good(&parts))
}

/// Runs only the parts whose name contains `filter`, and writes nothing down.
pub(crate) fn some(workspace: &Workspace, filter: &str, built: bool) -> anyhow::Result<bool> {
    let parts = parts(workspace, Wanted::Name(filter), built, &|_| Ok(()))?;
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

/// Runs the parts that are wanted; `keep` is told after each.
fn parts(
    workspace: &Workspace,
    wanted: Wanted<'_>,
    built: bool,
    keep: &dyn Fn(&[Part]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Part>> {
    let xtask = own_executable()?;
    let chore = |args: &[&str]| chore(&Line::new(&xtask).args(args).dir(&workspace.root));
    let more: &[&str] = if built { &["--built"] } else { &[] };
    let chaos = |args: &[&str]| chore(&[&["chaos"], args, more].concat());
    let mut parts = Vec::new();
    let mut part = |of: Group, name: &str, run: &dyn Fn() -> anyhow::Result<Done>| -> anyhow::Result<()> {
        let run_it = match wanted {
            Wanted::Group(group) => group.is_none_or(|group| group == of),
            Wanted::Name(part) => name.contains(part),
        };
        if run_it {
            parts.push(one(name, run)?);
            keep(&parts)?;
        }
        Ok(())
    };
    let bench = |args: &[&str]| chore(&[&["bench"], args].concat());
    let test = |name: &str| {
        let line = cargo().args(["test", "--release", "--workspace", "--test", name]).dir(&workspace.root);
        let line = line.env("KAFKASPIDER_LONG", "1");
        line.print();
        let (status, text) = process::capture(&line)?;
        let outcome = if status.success() { Outcome::Passed } else { Outcome::Failed };
        Ok((format!("KAFKASPIDER_LONG=1 {line}"), outcome, text))
    };
    part(Group::Line, "kills at random", &|| chaos(&["--kills", "100", "--pages", "3000"]))?;
    part(Group::Line, "kills at random, exactly N pages", &|| {
        chaos(&["--kills", "50", "--pages", "3000", "--limit", "1500"])
    })?;
    for tree in &equal::TREES {
        let name = format!("archive equals an independent walk: {}", tree.name);
        part(Group::Line, &name, &|| equal::check(workspace, tree, built))?;
    }
    part(Group::Line, "peak memory on the Rust documentation", &|| memory::check(workspace, &xtask, built))?;
    for name in ["bus", "line", "stage", "extract"] {
        part(Group::Line, &format!("bench {name}"), &|| bench(&[name]))?;
    }
    part(Group::Kafka, "bench bus on Kafka", &|| bench(&["bus", "--bus", "kafka"]))?;
    part(Group::Kafka, "bench stage on Kafka", &|| bench(&["stage", "--bus", "kafka"]))?;
    part(Group::Kafka, "bench crawl on Kafka", &|| bench(&["crawl"]))?;
    part(Group::Kafka, "kills and suspensions on Kafka", &|| {
        chaos(&["--bus", "kafka", "--spiders", "2", "--stagers", "2", "--kills", "200", "--pages", "10000"])
    })?;
    part(Group::Night, "bench upload", &|| bench(&["upload"]))?;
    part(Group::Night, "a night over a real crawl", &|| night::check(workspace, built))?;
    part(Group::Night, "a month with 400,000 documents in one night", &|| test("month"))?;
    part(Group::Mine, "miners agree with reference tools", &|| truth::check(workspace, built))?;
    part(Group::Mine, "miners keep their limit of memory", &|| truth::memory(workspace, built))?;
    part(Group::Mine, "bench mine", &|| bench(&["mine"]))?;
    part(Group::Mine, "bench graph", &|| bench(&["graph"]))?;
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
