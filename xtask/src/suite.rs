//! `test`: every test of the short tier, what was not run and why, and one closing line.

use std::sync::{Arc, Mutex, PoisonError};

use crate::line::Line;
use crate::workspace::{Workspace, cargo};
use crate::{exit, long, process};

/// Runs every test of the short tier, or with --long of both tiers
///
/// Ends with a line `N passed, N failed, N skipped`. Skipped are tests that were not run because the machine lacks
/// something; each is listed with its reason, and with CI=true in the environment that is a failure.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Also run the long tier, or what of it belongs to one group, and write its results to docs/long-[GROUP-]<date>.md
    #[arg(long, value_name = "GROUP", value_enum, num_args = 0..=1, require_equals = true)]
    long: Option<Option<long::Group>>,
    /// Run only those parts of the long tier whose name contains this, and no tests; writes no file
    #[arg(long, value_name = "NAME", conflicts_with_all = ["long", "filter"])]
    part: Option<String>,
    /// With --part, use the executables beside this one instead of building them
    #[arg(long, hide = true, requires = "part")]
    built: bool,
    /// Run only tests whose name contains this
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
}

impl Test {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        let workspace = Workspace::find()?;
        if let Some(part) = &self.part {
            return Ok(if long::some(&workspace, part, self.built)? { exit::DONE } else { exit::FAILED });
        }
        let result = run(&workspace, self.filter.as_deref())?;
        let mut good = result.good();
        result.explain();
        if let Some(group) = self.long {
            good &= long::run(&workspace, group, &result.closing())?;
        }
        println!("{}", result.closing());
        Ok(if good { exit::DONE } else { exit::FAILED })
    }
}

/// The suite's command line.
pub(crate) fn line(workspace: &Workspace, filter: Option<&str>) -> Line {
    let line = cargo().args(["test", "--release", "--workspace", "--no-fail-fast"]).args(filter).dir(&workspace.root);
    // shows what passing tests print, which is where a test says that it was not run
    line.args(["--", "--show-output"])
}

/// Runs the suite, showing its output but for that of passing tests.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> anyhow::Result<Tally> {
    let line = line(workspace, filter);
    line.print();
    let mut tally = Tally::default();
    let aside = Arc::new(Mutex::new(Vec::new()));
    let from_stderr = aside.clone();
    let status = process::follow(
        &line,
        |line| {
            if tally.take(line) {
                println!("{line}");
            }
        },
        move |line| {
            if line.starts_with(NOT_RUN) {
                from_stderr.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_string());
            }
            eprintln!("{line}");
        },
    )?;
    let aside = std::mem::take(&mut *aside.lock().unwrap_or_else(PoisonError::into_inner));
    aside.iter().for_each(|line| tally.not_run(line));
    tally.ended(status.success());
    Ok(tally)
}

const NOT_RUN: &str = "not run: ";

/// Sums of cargo's result lines.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    not_run: Vec<String>,
    in_successes: bool,
    broken: bool,
}

impl Tally {
    /// Takes one line of cargo's output; true when it is to be shown.
    fn take(&mut self, line: &str) -> bool {
        let was_in_successes = self.in_successes;
        match line {
            "successes:" => self.in_successes = true,
            "failures:" => self.in_successes = false,
            _ if line.starts_with("test result: ") => {
                self.in_successes = false;
                self.passed += count(line, " passed");
                self.failed += count(line, " failed");
                self.ignored += count(line, " ignored");
            }
            _ if line.starts_with(NOT_RUN) => self.not_run(line),
            _ => {}
        }
        !self.in_successes && (!was_in_successes || !line.is_empty())
    }

    fn not_run(&mut self, line: &str) {
        let reason = line.trim_start_matches(NOT_RUN).to_string();
        if !self.not_run.contains(&reason) {
            self.not_run.push(reason);
        }
    }

    /// Cargo has ended; when it failed with no failed test, the build or a test process broke.
    fn ended(&mut self, well: bool) {
        if !well && self.failed == 0 {
            self.broken = true;
            self.failed = 1;
        }
    }

    /// Whether all that ran passed, and with CI=true nothing was left out.
    pub(crate) fn good(&self) -> bool {
        let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        self.failed == 0 && (!ci || self.not_run.is_empty())
    }

    /// Prints what was not run and why.
    pub(crate) fn explain(&self) {
        if self.broken {
            println!("the build failed, or a test process ended without a result: see above");
        }
        for reason in &self.not_run {
            println!("{NOT_RUN}{reason}");
        }
    }

    /// The closing line. A test that returns early because it lacks a tool counts as passed for cargo, here it does not.
    pub(crate) fn closing(&self) -> String {
        let not_run = self.not_run.len() as u64;
        let passed = self.passed.saturating_sub(not_run);
        format!("{passed} passed, {} failed, {} skipped", self.failed, self.ignored + not_run)
    }
}

/// The number before a word in `test result: ok. 9 passed; 0 failed; …`.
fn count(line: &str, word: &str) -> u64 {
    let before = line.split(word).next().unwrap_or_default();
    before.rsplit([' ', ';', '.']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "
running 3 tests
test a ... ok
test b ... ok
test c ... FAILED

successes:

---- a stdout ----
not run: a: nginx is not installed
chatter

successes:
    a
    b

failures:

---- c stdout ----
it broke

failures:
    c

test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.01s

running 1 test
test x ... ok

successes:

successes:
    x

test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn results_are_summed_and_what_was_not_run_is_told_apart() {
        let mut tally = Tally::default();
        let shown: Vec<&str> = RUN.lines().filter(|line| tally.take(line)).collect();
        tally.ended(false);
        assert_eq!(tally.closing(), "13 passed, 1 failed, 2 skipped");
        assert_eq!(tally.not_run, ["a: nginx is not installed"]);
        assert!(!shown.contains(&"chatter") && shown.contains(&"it broke"), "{shown:?}");
        assert!(!tally.good());
    }

    #[test]
    fn a_build_that_fails_is_a_failure() {
        let mut tally = Tally::default();
        tally.ended(false);
        assert_eq!(tally.closing(), "0 passed, 1 failed, 0 skipped");
        assert!(!tally.good() && tally.broken);
    }
}
