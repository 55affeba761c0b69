//! One set of features for every build: a crate that tests ask for with other features than programs do is compiled
//! twice, and with it all that is built on it. Polars takes twenty minutes, so that must not happen by accident.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::process;
use crate::workspace::cargo;

/// Fails with every crate whose features differ between a build of the programs and a build of the tests.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let tree = |edges: &str| {
        let line = cargo().args(["tree", "--workspace", "--offline", "--locked", "--prefix", "none"]);
        process::capture_well(&line.args(["--edges", edges, "--format", "{p}|{f}"]).dir(root))
    };
    let (programs, tests) = (read(&tree("no-dev")?), read(&tree("normal,build,dev")?));
    let found = differing(&programs, &tests);
    anyhow::ensure!(
        found.is_empty(),
        "tests ask for other features, so these crates, and all that use them, are compiled twice; name the features in \
         [workspace.dependencies]:\n  {}",
        found.join("\n  ")
    );
    println!("{} crates, each with one set of features", tests.len());
    Ok(())
}

/// Each crate (name and version) with its sets of features.
type Features = BTreeMap<String, BTreeSet<String>>;

fn read(tree: &str) -> Features {
    let mut features = Features::new();
    for (package, set) in tree.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|')) {
        features.entry(package.to_string()).or_default().insert(set.to_string());
    }
    features
}

/// Crates that both have, with different features.
fn differing(programs: &Features, tests: &Features) -> Vec<String> {
    let other = |(package, sets): (&String, &BTreeSet<String>)| {
        let with = tests.get(package).filter(|with| *with != sets)?;
        Some(format!("{package}: {sets:?} in programs, {with:?} in tests"))
    };
    programs.iter().filter_map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_tests_want_with_another_feature_is_found() {
        let programs = read("a v1|std\nb v2|\nb v2| (*)\nc v3|x\n");
        let tests = read("a v1|alloc,std\nb v2| (*)\nc v3|x\nonly-dev v1|y\n");
        let found = differing(&programs, &tests);
        assert!(found.len() == 1 && found[0].starts_with("a v1: "), "{found:?}");
    }

    #[test]
    fn this_workspace_has_one_set_of_features() -> anyhow::Result<()> {
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
    }
}
