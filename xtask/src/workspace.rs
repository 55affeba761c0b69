//! The workspace: where it is, where builds go, how its executables are built.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::Value;

use crate::line::Line;
use crate::process;

/// Where things are.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Where builds go.
    pub(crate) target: PathBuf,
}

/// A build: command line, and the names of the executables that it gives.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    pub(crate) line: Line,
    names: Vec<String>,
}

/// The cargo that runs us, or the one in PATH.
pub(crate) fn cargo() -> Line {
    Line::new("cargo")
}

impl Workspace {
    /// The workspace of the current folder.
    pub(crate) fn find() -> anyhow::Result<Workspace> {
        let line = cargo().args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
        let text = process::capture_well(&line).context("not inside the workspace?")?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
        let path = |key: &str| -> anyhow::Result<PathBuf> {
            Ok(metadata[key].as_str().with_context(|| format!("cargo metadata has no {key}"))?.into())
        };
        Ok(Workspace { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// A build of these binaries (or examples, when they begin with `example:`).
    ///
    /// It names the whole workspace and then only these targets: features are then the same in every build, so that
    /// nothing, Polars least of all, is compiled twice because another program asked for another feature.
    pub(crate) fn build(&self, names: &[&str]) -> Build {
        let mut line = cargo().args(["build", "--release", "--workspace"]).dir(&self.root);
        for name in names {
            line = match name.strip_prefix("example:") {
                Some(example) => line.args(["--example", example]),
                None => line.args(["--bin", name]),
            };
        }
        let names = names.iter().map(|name| name.trim_start_matches("example:").to_string()).collect();
        Build { line, names }
    }

    /// Executables that were built before, beside the one that is running.
    pub(crate) fn built(names: &[&str]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let own = std::env::current_exe().context("cannot tell where this executable is")?;
        let folder = own.parent().context("this executable is in no folder")?;
        let found = names.iter().map(|name| {
            let file = match name.strip_prefix("example:") {
                Some(example) => folder.join("examples").join(example),
                None => folder.join(name),
            };
            anyhow::ensure!(file.is_file(), "{} is not there; it has to be built first", file.display());
            Ok((name.trim_start_matches("example:").to_string(), file))
        });
        found.collect()
    }
}

impl Build {
    /// Builds and gives the paths by name. The compiler's progress is shown.
    pub(crate) fn run(&self) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let (status, text) = process::capture(&self.machine_line())?;
        anyhow::ensure!(status.success(), "`{}` failed: {}", self.line, process::told(status));
        self.executables(&text)
    }

    /// The same command with messages for machines on standard output.
    pub(crate) fn machine_line(&self) -> Line {
        self.line.clone().arg("--message-format=json-render-diagnostics")
    }

    /// Paths of the executables by what cargo wrote.
    pub(crate) fn executables(&self, messages: &str) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let mut found = BTreeMap::new();
        for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let name = message["target"]["name"].as_str().unwrap_or_default();
            if let Some(path) = message["executable"].as_str().filter(|_| self.names.iter().any(|it| it == name)) {
                found.insert(name.to_string(), PathBuf::from(path));
            }
        }
        for name in &self.names {
            anyhow::ensure!(found.contains_key(name), "`{}` built no executable {name}", self.line);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn executables_are_found_by_name_and_a_missing_one_is_told() {
        let workspace = Workspace { root: "/w".into(), target: "/w/target".into() };
        let build = workspace.build(&["spider", "example:audit"]);
        assert_eq!(build.line.to_string(), "cargo build --release --workspace --bin spider --example audit");
        let spider = r#"{"reason":"compiler-artifact","target":{"name":"spider"},"executable":"/t/spider"}"#;
        let library = r#"{"reason":"compiler-artifact","target":{"name":"audit"},"executable":null}"#;
        let audit = r#"{"reason":"compiler-artifact","target":{"name":"audit"},"executable":"/t/examples/audit"}"#;
        let error = build.executables(&format!("{spider}\n{library}\nnoise\n")).unwrap_err().to_string();
        assert!(error.contains("no executable audit"), "{error}");
        let found = build.executables(&format!("{spider}\n{library}\n{audit}\n")).unwrap();
        assert_eq!(found["audit"], PathBuf::from("/t/examples/audit"));
    }
}
