//! `ci`: everything that must hold before a change goes in, in the order of cost, with the time of each step.

mod edges;
mod features;
mod tidy;

use std::time::Instant;

use anyhow::Context;

use crate::line::Line;
use crate::workspace::{Workspace, cargo};
use crate::{exit, interrupt, process, suite};

/// Runs what .ci/run runs: formatting, tidiness, edges, licences, clippy, documentation, command pages, tests
///
/// All steps run, also after one has failed; the exit code is 0 only when all are well. Ends with the closing line of
/// the test runner.
#[derive(Debug, clap::Args)]
pub(crate) struct Ci {
    /// Only these steps [default: all]
    #[arg(value_name = "STEP", value_parser = clap::builder::PossibleValuesParser::new(STEPS))]
    steps: Vec<String>,
}

const STEPS: [&str; 9] = ["fmt", "tidy", "edges", "features", "deny", "clippy", "doc", "docs", "test"];

impl Ci {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        let workspace = Workspace::find()?;
        let (mut failed, mut times, mut closing) = (Vec::new(), Vec::new(), None);
        for step in STEPS.into_iter().filter(|step| self.steps.is_empty() || self.steps.iter().any(|it| it == step)) {
            interrupt::check()?;
            println!("\n== {step}");
            let began = Instant::now();
            let ended = if step == "test" {
                suite::run(&workspace, None).and_then(|tally| {
                    tally.explain();
                    closing = Some(tally.closing());
                    anyhow::ensure!(tally.good(), "tests failed or were not run");
                    Ok(())
                })
            } else {
                run(step, &workspace)
            };
            let seconds = began.elapsed().as_secs_f64();
            match ended {
                Ok(()) => times.push(format!("{step:<9} ok      {seconds:>7.1} s")),
                Err(error) => {
                    eprintln!("xtask: error: {step}: {error:#}");
                    times.push(format!("{step:<9} FAILED  {seconds:>7.1} s"));
                    failed.push(step);
                }
            }
        }
        interrupt::check()?;
        println!("\n{}", times.join("\n"));
        closing.iter().for_each(|line| println!("{line}"));
        Ok(if failed.is_empty() { exit::DONE } else { exit::FAILED })
    }
}

fn run(step: &str, workspace: &Workspace) -> anyhow::Result<()> {
    let cargo = || cargo().dir(&workspace.root);
    let show = |line: Line| {
        line.print();
        process::run_well(&line)
    };
    match step {
        "fmt" => show(cargo().args(["fmt", "--all", "--check"])),
        "tidy" => tidy::check(&workspace.root),
        "edges" => edges::check(&workspace.root),
        "features" => features::check(&workspace.root),
        "deny" => deny(workspace),
        "clippy" => show(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        "doc" => {
            show(cargo().args(["doc", "--release", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
        }
        "docs" => {
            let own = std::env::current_exe().context("cannot tell where this executable is")?;
            process::run_well(&Line::new(own).args(["docs", "--check"]).dir(&workspace.root))
        }
        _ => anyhow::bail!("there is no step {step}"),
    }
}

/// Licences, duplicates and sources by cargo-deny, from what is on this machine.
fn deny(workspace: &Workspace) -> anyhow::Result<()> {
    let there = Line::new("cargo-deny").arg("--version").command().output().is_ok_and(|out| out.status.success());
    if !there {
        let how = "cargo-deny is not installed (cargo install --locked --no-default-features cargo-deny)";
        anyhow::ensure!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{how}, and CI=true");
        println!("not run: deny: {how}");
        return Ok(());
    }
    let line =
        Line::new("cargo").args(["deny", "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"]);
    let line = line.dir(&workspace.root);
    line.print();
    process::run_well(&line)
}
