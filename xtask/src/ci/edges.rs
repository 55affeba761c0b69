//! Forbidden edges: which crate must not reach which, checked over cargo's own graph.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::process;
use crate::workspace::cargo;

/// A crate, and what it must not reach by normal or build dependencies. A final `*` matches every name that begins so.
const FORBIDDEN: [(&str, &[&str]); 9] = [
    ("bus", &["archive", "web", "program", "site"]),
    ("archive", &["bus", "web", "program", "site", "arrow*", "parquet", "polars*"]),
    ("web", &["bus", "archive", "program", "site"]),
    ("program", &["bus", "archive", "web", "site"]),
    ("spider", &["archive", "polars*", "arrow*", "parquet", "etl", "mining", "site", "xtask"]),
    ("etl", &["polars*", "spider", "mining", "site", "xtask"]),
    ("mining", &["bus", "rdkafka*", "spider", "etl", "site", "xtask"]),
    ("site", &["bus", "archive", "web", "program", "spider", "etl", "mining", "xtask"]),
    // whoever clones the repository waits for xtask first
    ("xtask", &["polars*", "arrow*", "parquet", "reqwest", "rusqlite", "spider", "etl", "mining"]),
];

/// Fails with every forbidden path that there is.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    // the same graph that `cargo tree` prints, in a form for machines
    let line = cargo().args(["metadata", "--format-version", "1", "--offline", "--locked"]).dir(root);
    let metadata: Value = serde_json::from_str(&process::capture_well(&line)?).context("cargo metadata is not JSON")?;
    let graph = Graph::read(&metadata)?;
    let found = graph.forbidden(&FORBIDDEN);
    anyhow::ensure!(found.is_empty(), "forbidden edges:\n  {}", found.join("\n  "));
    println!("{} crates, {} rules, no forbidden edge", graph.edges.len(), FORBIDDEN.len());
    Ok(())
}

/// Which package depends on which, dev-dependencies aside.
#[derive(Debug, Default)]
struct Graph {
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> anyhow::Result<Graph> {
        let list = |value: &Value, what: &str| value.as_array().cloned().with_context(|| format!("no {what}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let mut graph = Graph::default();
        for package in list(&metadata["packages"], "packages")? {
            graph.names.insert(text(&package["id"]), text(&package["name"]));
        }
        for node in list(&metadata["resolve"]["nodes"], "resolved nodes")? {
            let counts = |dep: &&Value| {
                dep["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
            };
            let deps = list(&node["deps"], "dependencies")?;
            let to = deps.iter().filter(counts).map(|dep| text(&dep["pkg"])).collect();
            graph.edges.insert(text(&node["id"]), to);
        }
        Ok(graph)
    }

    /// A shortest path for each rule that is broken.
    fn forbidden(&self, rules: &[(&str, &[&str])]) -> Vec<String> {
        let mut found = Vec::new();
        for (from, never) in rules {
            for (start, _) in self.names.iter().filter(|(_, name)| name == from) {
                found.extend(self.paths(start, never));
            }
        }
        found
    }

    fn paths(&self, start: &str, never: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([start]);
        let mut paths = std::collections::VecDeque::from([vec![start]]);
        while let Some(path) = paths.pop_front() {
            let end = path[path.len() - 1];
            let name = self.names.get(end).map_or(end, String::as_str);
            if path.len() > 1 && never.iter().any(|pattern| matches(pattern, name)) {
                let names = path.iter().map(|id| self.names.get(*id).map_or(*id, String::as_str));
                found.push(names.collect::<Vec<_>>().join(" → "));
                continue;
            }
            for next in self.edges.get(end).into_iter().flatten() {
                if seen.insert(next) {
                    paths.push_back(path.iter().copied().chain([next.as_str()]).collect());
                }
            }
        }
        found
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use serde_json::json;

    /// spider → regex → arrow-array (normal), spider → polars (dev only), mining → bus (build).
    fn graph() -> Graph {
        let package = |name: &str| json!({ "id": format!("id {name}"), "name": name });
        let dep = |name: &str, kind: Value| json!({ "pkg": format!("id {name}"), "dep_kinds": [{ "kind": kind }] });
        let packages = ["spider", "regex", "arrow-array", "polars", "mining", "bus"].map(package);
        let metadata = json!({
            "packages": packages,
            "resolve": { "nodes": [
                { "id": "id spider", "deps": [dep("regex", Value::Null), dep("polars", json!("dev"))] },
                { "id": "id regex", "deps": [dep("arrow-array", Value::Null), dep("spider", Value::Null)] },
                { "id": "id mining", "deps": [dep("bus", json!("build"))] },
                { "id": "id bus", "deps": [] },
            ] },
        });
        Graph::read(&metadata).unwrap()
    }

    #[test]
    fn a_forbidden_edge_is_found_through_other_crates_and_build_dependencies() {
        let rules: [(&str, &[&str]); 2] = [("spider", &["polars*", "arrow*"]), ("mining", &["bus"])];
        assert_eq!(graph().forbidden(&rules), ["spider → regex → arrow-array", "mining → bus"]);
    }

    #[test]
    fn dev_dependencies_and_other_names_do_not_count() {
        assert!(graph().forbidden(&[("spider", &["polars", "arrow", "bus"]), ("bus", &["mining"])]).is_empty());
    }

    #[test]
    fn every_crate_of_the_workspace_that_is_named_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (name, _) in FORBIDDEN {
            assert!(root.join(name).join("Cargo.toml").is_file(), "a rule is about {name}, which is no crate here");
        }
        check(&root).unwrap();
    }
}
