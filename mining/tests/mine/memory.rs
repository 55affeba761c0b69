//! A limit of memory is kept by writing what does not fit to files, and the results are the same.

use std::path::Path;

use crate::support::{Fetch, mine, report, stderr, write_groups};

const LIMIT: u64 = 128 << 20;

/// Pages whose pairs of words are nearly all distinct, 27 MB of text: as terms with counts several times the limit.
fn pages() -> Vec<Fetch> {
    let mut state = 1u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..2600usize)
        .map(|page| {
            let words: Vec<String> = (0..1300).map(|_| format!("word{}", draw(60_000))).collect();
            let mut fetch = Fetch::page(&format!("http://h{}.example/{page}", page % 13), &words.join(" "));
            for _ in 0..40 {
                let target = draw(4000);
                fetch = fetch.to(&format!("http://h{}.example/{target}", target % 13));
            }
            fetch.on(["2026-11-20", "2026-11-21"][page % 2], page as i64)
        })
        .collect()
}

/// The tables of a report, and the peak memory that its manifest states.
fn read(run: &Path) -> (Vec<(String, Vec<u8>)>, u64) {
    let mut tables: Vec<(String, Vec<u8>)> = std::fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    tables.sort();
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("manifest.json")).unwrap()).unwrap();
    (tables, manifest["peak_memory"].as_u64().unwrap())
}

#[test]
fn a_limit_is_kept_and_changes_no_table() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write_groups(&root, &pages(), 200);
    let limit = LIMIT.to_string();
    for miner in [
        &["terms", "--min-count", "1"][..],
        &["keywords", "--top", "9"],
        &["cluster", "--k", "3", "--starts", "1"],
        &["duplicates"],
        &["links"],
        &["hosts"],
        &["languages"],
    ] {
        let run = |more: &[&str]| read(&report(&root, &[miner, &["--partials"], more].concat()));
        let (wide, _) = run(&["wide"]);
        let (narrow, peak) = run(&["narrow", "--memory", &limit]);
        assert!(peak <= LIMIT, "{miner:?}: {peak} of {LIMIT} bytes");
        for (a, b) in wide.iter().zip(&narrow) {
            assert!(a == b, "{miner:?}: {} differs", a.0);
        }
        assert_eq!(wide.len(), narrow.len());
    }
    assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0, "files that did not fit stay behind");
}

#[test]
fn what_cannot_fit_stops_with_one_line_before_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write_groups(&root, &pages(), 200);
    // A centre for each of 2,000 clusters has a value for each of 60,000 words.
    let output = mine(&root, &["cluster", "--k", "2000", "--memory", &LIMIT.to_string()]);
    let said = stderr(&output);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("--memory") && said.contains("would be in use"), "{said}");
    assert!(!root.join("reports").exists());
}
