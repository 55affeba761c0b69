//! Same findings, same bytes: at any number of threads and in any order of files.

use std::path::Path;

use crate::support::{Fetch, day, report, write};

/// A few hundred pages over three hosts and two days, with links, redirects and broken targets, drawn from a fixed
/// sequence.
fn web() -> Vec<Fetch> {
    const WORDS: [&str; 12] =
        ["bus", "log", "offset", "record", "crawl", "page", "term", "rank", "web", "spider", "segment", "day"];
    let mut state = 42u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let url = |n: u64| format!("http://{}.example/{n}", ["a", "b", "c"][(n % 3) as usize]);
    let mut fetches = Vec::new();
    for number in 0..400 {
        let fetch = match next(10) {
            0 => Fetch::redirect(&url(number), &url(next(400))),
            1 => Fetch::new(&url(number), 404),
            _ => {
                let text: Vec<&str> = (0..next(60)).map(|_| WORDS[(next(12) * next(12) / 12) as usize]).collect();
                let lang = [Some("en"), Some("de"), None][next(3) as usize];
                let page = Fetch::page(&url(number), &text.join(" ")).lang(lang, None);
                (0..next(9)).fold(page, |page, _| page.to(&url(next(420))))
            }
        };
        let day = day(["2026-11-20", "2026-11-21"][next(2) as usize]);
        fetches.push(Fetch { day, at: next(5) as i64, partition: (number % 3) as u32, ..fetch });
    }
    fetches
}

fn files(report: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(report)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "manifest.json")
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn tables_and_page_are_equal_bytes_at_any_number_of_threads_and_in_any_order_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let straight = dir.path().join("straight");
    write(&straight, &web());
    // The same records on other partitions and in another order within their segments.
    let shuffled = dir.path().join("shuffled");
    let mut fetches = web();
    fetches.reverse();
    write(
        &shuffled,
        &fetches.into_iter().map(|f| Fetch { partition: (f.partition + 2) * 7 % 5, ..f }).collect::<Vec<_>>(),
    );
    let miners: [(&[&str], usize); 10] = [
        (&["terms", "--ngrams", "3", "--min-count", "1"], 5),
        (&["keywords"], 1),
        (&["keywords", "--scheme", "bm25", "--top", "3", "--tokens", "sklearn"], 1),
        (&["links", "--export", "graphml"], 6),
        // Edges on disk: byte by byte what they are in memory, see below.
        (&["links", "--export", "graphml", "--in-memory", "50"], 6),
        (&["cluster", "--k", "5", "--seed", "7"], 2),
        (&["cluster"], 2),
        (&["duplicates", "--shingle", "2", "--min-shingles", "2", "--threshold", "0.5"], 1),
        (&["hosts"], 2),
        (&["languages"], 1),
    ];
    for (miner, tables) in miners {
        // Partials are made anew for each run.
        let of = |data: &Path, threads: &str, name: &str| {
            let partials = dir.path().join(format!("partials-{name}"));
            let run =
                report(data, &[miner, &["--threads", threads, "--partials", partials.to_str().unwrap()]].concat());
            std::fs::remove_dir_all(partials).unwrap_or_default();
            files(&run)
        };
        let one = of(&straight, "1", "a");
        let extra = usize::from(miner.contains(&"--export"));
        assert_eq!(one.len(), 2 * tables + 2 + extra, "tables as Parquet and CSV, the page, _SUCCESS");
        for (data, threads) in [(&straight, "8"), (&shuffled, "1"), (&shuffled, "3")] {
            let other = of(data, threads, "b");
            for (a, b) in one.iter().zip(&other) {
                assert!(a == b, "{} of {miner:?} differs at {threads} threads of {}", a.0, data.display());
            }
            assert_eq!(one.len(), other.len());
        }
    }
    let partials = dir.path().join("partials-c");
    let of = |more: &[&str]| {
        let arguments = [&["links", "--export", "edges", "--partials", partials.to_str().unwrap()], more].concat();
        files(&report(&straight, &arguments))
    };
    assert!(of(&[]) == of(&["--in-memory", "1"]), "a graph on disk gives other results");
    let left = std::fs::read_dir(straight.join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "files of the graph stay behind");
}
