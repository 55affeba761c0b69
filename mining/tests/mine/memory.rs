//! A limit of memory is kept by writing what does not fit to files, and the results are the same.

use std::path::Path;

use crate::support::{Fetch, mine, report, stderr, table, write_groups};

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
fn duplicates_whose_shingles_do_not_fit_are_the_same_and_all_found() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    // 2.7 million shingles, 22 MB; an eighth of the limit is 17. The second page of each pair comes on another day, far from the first.
    let twin = |page: usize, second: bool| {
        let word = |at: usize| if second && at == 700 { "another".to_owned() } else { format!("w{page}x{at}") };
        let text: Vec<String> = (0..1300).map(word).collect();
        let at = i64::from(second) * 5000 + page as i64;
        let url = format!("http://h{}.example/{page}/{}", page % 13, u8::from(second));
        Fetch::page(&url, &text.join(" ")).on(["2026-11-20", "2026-11-21"][usize::from(second)], at)
    };
    let twins: Vec<Fetch> =
        [false, true].iter().flat_map(|&second| (0..1050).map(move |page| twin(page, second))).collect();
    write_groups(&root, &twins, 200);
    let run = |more: &[&str]| read(&report(&root, &[&["duplicates", "--partials"], more].concat()));
    let (wide, _) = run(&["wide"]);
    let (narrow, peak) = run(&["narrow", "--memory", &LIMIT.to_string()]);
    assert!(peak <= LIMIT, "{peak} of {LIMIT} bytes");
    assert!(wide == narrow, "the table differs");
    let rows = table(&report(&root, &["duplicates", "--partials", "narrow", "--memory", &LIMIT.to_string()]), "groups");
    assert_eq!(rows.len(), 2100);
    // A changed word is in five of 1,296 shingles of each page.
    let alike = |row: &Vec<String>| row[4] == "1" || (row[4].parse::<f64>().unwrap() - 1291.0 / 1301.0).abs() < 1e-6;
    assert!(
        rows.chunks(2).all(|pair| pair[0][0] == pair[1][0] && pair[0][1].ends_with("/0") && alike(&pair[1])),
        "{:?}",
        &rows[..4]
    );
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
