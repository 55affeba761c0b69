//! Partials: what is kept of documents, shared out, joined, and found damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::support::{Fetch, mine, report, stderr, write};

fn pages(day: &str, from: usize) -> Vec<Fetch> {
    const WORDS: [&str; 7] = ["bus", "log", "offset", "record", "crawl", "spider", "segment"];
    let text = |n: usize| (0..40).map(|i| WORDS[(n * 3 + i * i + n * i) % 7]).collect::<Vec<_>>().join(" ");
    (from..from + 60)
        .map(|n| Fetch::page(&format!("http://a.example/{n}"), &text(n)).on(day, n as i64).partition((n % 3) as u32))
        .collect()
}

fn files(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path());
            } else {
                files.insert(entry.path(), entry.metadata().unwrap().modified().unwrap());
            }
        }
    }
    files
}

#[test]
fn a_new_day_costs_that_day() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let mut fetches = pages("2026-11-20", 0);
    write(&root, &fetches);
    report(&root, &["keywords"]);
    let before = files(&root.join("partials"));
    assert!(before.len() > 3);
    fetches.extend(pages("2026-11-21", 30));
    write(&root, &fetches);
    report(&root, &["keywords"]);
    let after = files(&root.join("partials"));
    assert!(before.iter().all(|(path, time)| after.get(path) == Some(time)), "what was there is used as it is");
    assert!(
        after.keys().filter(|path| !before.contains_key(*path)).all(|p| p.to_string_lossy().contains("day=2026-11-21"))
    );
    assert!(after.len() > before.len());
}

#[test]
fn shares_joined_are_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let mut fetches = [pages("2026-11-20", 0), pages("2026-11-21", 30)].concat();
    for (number, fetch) in fetches.iter_mut().enumerate() {
        let name = fetch.url.clone();
        let site = format!("http://cdn.other{}.example/x.js", number % 3);
        *fetch = fetch.clone().to(&format!("http://a.example/{}", number * 7 % 100)).link("script", &site, None);
        *fetch = fetch.clone().to("http://a.example/gone").to(&format!("{name}?moved"));
        if number % 2 == 0 {
            *fetch = fetch.clone().lang(Some("de"), Some("en"));
        }
    }
    fetches.push(Fetch::new("http://a.example/gone", 404).partition(1));
    fetches.push(Fetch::failed("http://b.example/", "dns").partition(2));
    for page in 30..60 {
        fetches.push(Fetch::redirect(&format!("http://a.example/{page}?moved"), "http://a.example/1").partition(1));
    }
    write(&root, &fetches);
    let tables: [(&[&str], &str); 9] = [
        (&["keywords"], "keywords"),
        (&["terms", "--ngrams", "2"], "terms"),
        (&["cluster", "--k", "3"], "assignments"),
        (&["duplicates"], "groups"),
        (&["links", "--export", "edges"], "pages"),
        (&["links"], "broken"),
        (&["links"], "third_parties"),
        (&["hosts"], "hosts"),
        (&["languages"], "languages"),
    ];
    for (miner, table) in tables {
        let parts = dir.path().join(format!("parts-{table}"));
        let parts = parts.to_str().unwrap();
        let whole = report(&root, &[miner, &["--partials", &format!("{parts}-whole")]].concat());
        for share in ["2/3", "1/3"] {
            let output = mine(&root, &[miner, &["--shard", share, "--partials", parts]].concat());
            assert!(output.status.success(), "{}", stderr(&output));
            assert!(String::from_utf8_lossy(&output.stdout).contains("mine merge"));
        }
        let merge = [&["merge"], miner, &["--partials", parts]].concat();
        let early = mine(&root, &merge);
        assert_eq!(early.status.code(), Some(1));
        assert!(stderr(&early).contains("--shard") && stderr(&early).lines().count() == 1, "{}", stderr(&early));
        assert!(mine(&root, &[miner, &["--shard", "3/3", "--partials", parts]].concat()).status.success());
        let merged = report(&root, &merge);
        let bytes = |run: &Path| std::fs::read(run.join(format!("{table}.parquet"))).unwrap();
        assert!(bytes(&whole) == bytes(&merged), "{miner:?}");
        assert!(crate::support::table(&whole, table).len() > 1, "{miner:?}");
    }
    let refused = mine(&root, &["merge", "links", "--shard", "1/2"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
}

#[test]
fn a_damaged_partial_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write(&root, &pages("2026-11-20", 0));
    for (miner, merge) in [
        (&["keywords"][..], &["keywords"][..]),
        (&["duplicates"], &["duplicates"]),
        (&["hosts", "--shard", "1/1"], &["merge", "hosts"]),
    ] {
        assert!(mine(&root, miner).status.success());
        let (path, _) = files(&root.join("partials")).into_iter().next_back().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let output = mine(&root, merge);
        assert_eq!(output.status.code(), Some(1));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(stderr(&output).contains(&name) && stderr(&output).contains("remove it"), "{}", stderr(&output));
        std::fs::remove_dir_all(root.join("partials")).unwrap();
    }
}
