//! Tidiness: what a reader may rely on in every source file.

use std::collections::BTreeSet;
use std::path::Path;

use crate::line::Line;
use crate::process;

/// A source file longer than this says why in its first lines: `// long: …`.
const LINES: usize = 400;

/// Traces of one particular machine; split, so that this file has none itself.
const PLACES: [&str; 3] = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];

/// Fails with everything that is untidy in files that git knows, or would add.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let line = Line::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).dir(root);
    let names = process::capture_well(&line)?;
    let (mut found, mut files) = (Vec::new(), 0);
    let (mut named, mut functions) = (Vec::new(), BTreeSet::new());
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        // a file may be deleted and not yet committed so; one that is not text has no lines
        let Ok(text) = std::fs::read_to_string(root.join(name)) else { continue };
        files += 1;
        found.extend(untidy(name, &text));
        if name.ends_with(".md") {
            named.extend(tests_named(&text).into_iter().map(|test| (name.to_owned(), test)));
        } else if name.ends_with(".rs") {
            functions.extend(functions_of(&text));
        }
    }
    let missing = named.into_iter().filter(|(_, test)| !functions.contains(test));
    found.extend(missing.map(|(name, test)| format!("{name}: names the test {test}, which is not there")));
    anyhow::ensure!(found.is_empty(), "untidy:\n  {}", found.join("\n  "));
    println!("{files} files are tidy");
    Ok(())
}

fn untidy(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // the fixture site is data, and lock files are not written by hand
        if name != "Cargo.lock" && PLACES.iter().any(|place| names_place(line, place)) {
            found.push(format!("{name}:{}: names a place that only one machine has", number + 1));
        }
    }
    if !name.ends_with(".rs") {
        return found;
    }
    // a crate doc may be its README
    if !text.starts_with("//!") && !text.starts_with("#![doc = include_str!(") {
        found.push(format!("{name}: does not open with //! and what the file is for"));
    }
    let lines = text.lines().count();
    if lines > LINES && !text.lines().take(30).any(|line| line.starts_with("// long: ")) {
        found.push(format!("{name}: {lines} lines, over {LINES}; split it, or say why not near the top: `// long: …`"));
    }
    found
}

/// Tests that a page names: `*a_sentence_about_behaviour*`.
fn tests_named(text: &str) -> Vec<String> {
    let is_name = |word: &&str| {
        word.matches('_').count() >= 3
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.split('*').filter(is_name).map(str::to_owned).collect()
}

/// Names of the functions of a source file.
fn functions_of(text: &str) -> impl Iterator<Item = String> {
    let after_fn = |line: &str| line.split_once("fn ").map(|(_, rest)| rest.to_owned());
    let name = |rest: String| rest.split(['(', '<']).next().unwrap_or_default().to_owned();
    text.lines().filter_map(after_fn).map(name)
}

/// The place as the beginning of a path: `/…` after a letter is part of a longer one, as in a URL.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "-_.~}>:/".contains(c)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untidy_files_are_found() {
        assert!(untidy("a.rs", "//! What it is for.\n").is_empty());
        assert_eq!(untidy("a.rs", "fn main() {}\n").len(), 1);
        let long = format!("//! Long.\n{}", "// line\n".repeat(LINES));
        assert_eq!(untidy("a.rs", &long).len(), 1);
        assert!(untidy("a.rs", &long.replacen("// line", "// long: a table", 1)).is_empty());
        let place = format!("cd {}somebody", PLACES[2]);
        assert_eq!(
            untidy("README.md", &format!("well\n{place}\n")),
            ["README.md:2: names a place that only one machine has"]
        );
        assert!(untidy("README.md", &format!("https://example.org{}somebody", PLACES[2])).is_empty());
    }

    #[test]
    fn tests_that_a_page_names_are_found() {
        let page = "→ A rule. *of_two_twins_one_ends*, *not a name*, *too_short*, **bold**.\n*a_name_with_75_in_it*.";
        assert_eq!(tests_named(page), ["of_two_twins_one_ends", "a_name_with_75_in_it"]);
        let source = "#[test]\nfn of_two_twins_one_ends() {}\npub fn a_case_of_a_suite<G: Ground>() {}\n";
        assert_eq!(functions_of(source).collect::<Vec<_>>(), ["of_two_twins_one_ends", "a_case_of_a_suite"]);
    }

    #[test]
    fn this_workspace_is_tidy() -> anyhow::Result<()> {
        if site::need_tool("this_workspace_is_tidy", "git").is_none() {
            return Ok(());
        }
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
    }
}
