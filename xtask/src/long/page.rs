//! The page with the results.

use std::fmt::Write;

use super::{Outcome, Part};
use crate::workspace::Workspace;

/// The whole page.
pub(crate) fn page(date: &str, command: &str, machine: &str, suite: &str, parts: &[Part]) -> String {
    let mut text = format!(
        "# Long tier, {date}\n\n`cargo xtask test {command}`, on {machine}.\n\nTests: {suite}.\n\n{}\n",
        table(parts)
    );
    for part in parts {
        let _ = write!(text, "\n## {}\n\n{}\n", part.name, told(&part.outcome));
        if !part.command.is_empty() {
            let _ = write!(text, "\n```sh\n{}\n```\n", part.command);
        }
        if !part.output.trim().is_empty() {
            let _ = write!(text, "\n```text\n{}\n```\n", part.output.trim());
        }
    }
    text
}

/// The text with names in the place of folders, which differ from machine to machine.
pub(crate) fn without_places(text: &str, workspace: &Workspace) -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    let places = [
        (workspace.target.display().to_string(), "$CARGO_TARGET_DIR"),
        (workspace.root.display().to_string(), "."),
        (home, "~"),
    ];
    places
        .iter()
        .filter(|(place, _)| place.len() > 1)
        .fold(text.to_owned(), |text, (place, name)| text.replace(place, name))
}

/// One line a part.
pub(crate) fn table(parts: &[Part]) -> String {
    let mut text = String::from("| part | result | seconds |\n|---|---|---|\n");
    for part in parts {
        let _ = writeln!(text, "| {} | {} | {:.0} |", part.name, told(&part.outcome), part.seconds);
    }
    text
}

pub(crate) fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "passed".into(),
        Outcome::Failed => "FAILED".into(),
        Outcome::NotRun(why) => format!("not run: {why}"),
    }
}

/// Processor, memory and compiler of this machine, for a person.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kib = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.trim_end_matches("kB").trim().parse::<f64>().ok())
        .unwrap_or_default();
    let rustc = std::process::Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_string()).unwrap_or_default();
    format!("{cores} cores of {model}, {:.0} GB, {rustc}", kib / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_each_part_with_command_and_result() {
        let part = |name: &str, outcome| Part {
            name: name.into(),
            command: "cargo xtask chaos".into(),
            outcome,
            seconds: 12.3,
            output: "all well\n".into(),
        };
        let parts = [part("kills", Outcome::Passed), part("walk", Outcome::NotRun("no nginx".into()))];
        let text = page("2026-11-21", "--long=line", "a machine", "9 passed, 0 failed, 0 skipped", &parts);
        for wanted in [
            "# Long tier, 2026-11-21",
            "`cargo xtask test --long=line`, on a machine",
            "| kills | passed | 12 |",
            "not run: no nginx",
            "```sh\ncargo xtask chaos\n```",
        ] {
            assert!(text.contains(wanted), "{text}");
        }
    }
}
