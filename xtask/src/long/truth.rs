//! The miners over whole documentation trees: against other people's tools (mining/tests/truth.py), and within their limit of
//! memory (mining/tests/memory.py).

use std::path::Path;

use anyhow::Context;

use super::{Done, Outcome};
use crate::line::Line;
use crate::process;
use crate::workspace::Workspace;

/// The golden corpus: Debian packages, the folder of each and the URL that it is imported under.
const CORPUS: [(&str, &str, &str); 7] = [
    ("python3.11-doc", "/usr/share/doc/python3.11/html", "https://python.example/"),
    ("apache2-doc", "/usr/share/doc/apache2-doc/manual", "https://httpd.example/"),
    ("cppreference-doc-en-html", "/usr/share/cppreference/doc/html/en", "https://cppreference.example/"),
    ("debian-handbook", "/usr/share/doc/debian-handbook/html", "https://handbook.example/"),
    ("sqlite3-doc", "/usr/share/doc/sqlite3", "https://sqlite.example/"),
    ("nodejs-doc", "/usr/share/doc/nodejs/api", "https://nodejs.example/"),
    ("linux-doc-6.1", "/usr/share/doc/linux-doc-6.1/html", "https://kernel.example/"),
];

/// Compares with other people's tools.
pub(crate) fn check(workspace: &Workspace, built: bool) -> anyhow::Result<Done> {
    over_corpus(workspace, built, "truth.py", &[])
}

/// Measures the miners over an archive of ten times their limit of memory.
pub(crate) fn memory(workspace: &Workspace, built: bool) -> anyhow::Result<Done> {
    let copies = workspace.target.join("truth-copies");
    let _ = std::fs::remove_dir_all(&copies);
    let done = over_corpus(workspace, built, "memory.py", &[&copies]);
    let _ = std::fs::remove_dir_all(&copies);
    done
}

/// Imports what is installed of the corpus, and runs a script of mining/tests over it.
fn over_corpus(workspace: &Workspace, built: bool, script: &str, more: &[&Path]) -> anyhow::Result<Done> {
    let not_run = |why: String| Ok((String::new(), Outcome::NotRun(why), String::new()));
    let (there, missing): (Vec<_>, Vec<_>) = CORPUS.iter().partition(|(_, folder, _)| Path::new(folder).is_dir());
    if there.is_empty() {
        return not_run("none of the Debian packages of the corpus is installed".into());
    }
    let python = match crate::bench::python(workspace) {
        Ok(python) => python,
        Err(error) => return not_run(format!("no Python with the reference tools: {error:#}")),
    };
    let names = ["mine", "etl"];
    let executables = if built { Workspace::built(&names)? } else { workspace.build(&names).run()? };
    let data = workspace.target.join("truth");
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    let etl = |args: &[&str]| Line::new(&executables["etl"]).args(args.iter().copied()).arg("--data").arg(&data);
    let mut lines: Vec<Line> = there
        .iter()
        .map(|(_, folder, base)| etl(&["import", "--follow-links", "--dir", folder, "--base", base]))
        .collect();
    lines.push(etl(&["extract"]));
    for line in &lines {
        line.print();
        process::capture_well(line)?;
    }
    let script = workspace.root.join("mining/tests").join(script);
    let compare = Line::new(python).arg(script).arg(&executables["mine"]).arg(&data).args(more);
    compare.print();
    let (status, mut text) = process::capture(&compare)?;
    for (package, ..) in missing {
        text.push_str(&format!("\nwithout {package}, which is not installed"));
    }
    let shown = lines.iter().chain([&compare]).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let _ = std::fs::remove_dir_all(&data);
    Ok((shown, if status.success() { Outcome::Passed } else { Outcome::Failed }, text))
}
