//! `mine terms`.

use crate::support::{Fetch, report, table, write};

fn data() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
}

#[test]
fn terms_are_counted_by_language_and_host_and_sorted_by_frequency() {
    let dir = data();
    let root = dir.path().join("data");
    write(
        &root,
        &[
            Fetch::page("http://a.example/1", "The Bus and the LOG; the log, the log!"),
            Fetch::page("http://a.example/2", "A bus."),
            Fetch::page("http://b.example/", "Der Bus und das Log").lang(None, Some("de-AT")).partition(3),
            Fetch::page("http://b.example/und", "the bus").lang(None, None).partition(3),
        ],
    );
    let report = report(&root, &["terms"]);
    assert_eq!(
        table(&report, "terms"),
        rows(&[
            ["log", "en", "3", "1"],
            ["bus", "en", "2", "2"],
            ["bus", "de", "1", "1"],
            ["bus", "und", "1", "1"],
            ["log", "de", "1", "1"],
            ["the", "und", "1", "1"],
        ])
    );
    assert_eq!(
        table(&report, "hosts"),
        rows(&[
            ["a.example", "log", "3", "1"],
            ["a.example", "bus", "2", "2"],
            ["b.example", "bus", "2", "2"],
            ["b.example", "log", "1", "1"],
            ["b.example", "the", "1", "1"],
        ])
    );
    assert_eq!(table(&report, "days")[0], ["2026-11-21", "bus", "4", "4"]);
}

#[test]
fn over_a_span_only_the_newest_good_fetch_of_a_url_counts_but_days_count_all() {
    let dir = data();
    let root = dir.path().join("data");
    let url = "http://a.example/";
    write(
        &root,
        &[
            Fetch::page(url, "old").on("2026-11-19", 1),
            Fetch::page(url, "middle").on("2026-11-20", 5),
            // Fetched before the one above, staged after it.
            Fetch::page(url, "late").on("2026-11-21", 3),
            // Newer, but gone; newer still, but no HTML.
            Fetch { status: Some(404), ..Fetch::page(url, "gone").on("2026-11-21", 6) },
            Fetch::new(url, 200).on("2026-11-22", 7),
            Fetch::page("http://a.example/2", "second").on("2026-11-22", 9),
        ],
    );
    let whole = report(&root, &["terms"]);
    assert!(whole.to_string_lossy().contains("from=2026-11-19,to=2026-11-22/run="));
    assert_eq!(table(&whole, "terms"), rows(&[["middle", "en", "1", "1"], ["second", "en", "1", "1"]]));
    assert_eq!(
        table(&whole, "days"),
        rows(&[
            ["2026-11-21", "late", "1", "1"],
            ["2026-11-20", "middle", "1", "1"],
            ["2026-11-19", "old", "1", "1"],
            ["2026-11-22", "second", "1", "1"],
        ])
    );
    let one = report(&root, &["terms", "--day", "2026-11-19"]);
    assert!(one.to_string_lossy().contains("day=2026-11-19/run="));
    assert_eq!(table(&one, "terms"), rows(&[["old", "en", "1", "1"]]));
    let part = report(&root, &["terms", "--from", "2026-11-21"]);
    assert_eq!(table(&part, "terms"), rows(&[["late", "en", "1", "1"], ["second", "en", "1", "1"]]));
}

#[test]
fn of_two_fetches_at_one_time_the_same_one_counts_wherever_they_stand() {
    let dir = data();
    let fetches = [
        Fetch::page("http://a.example/", "one"),
        Fetch { error: Some("x"), ..Fetch::page("http://a.example/", "two") },
    ];
    let mut found = Vec::new();
    for (name, partitions) in [("a", [0, 1]), ("b", [1, 0])] {
        let root = dir.path().join(name);
        let [one, two] = fetches.clone();
        write(&root, &[one.partition(partitions[0]), two.partition(partitions[1])]);
        found.push(table(&report(&root, &["terms"]), "terms"));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].len(), 1);
}

#[test]
fn words_numbers_lengths_and_runs_are_as_the_flags_say() {
    let dir = data();
    let root = dir.path().join("data");
    write(&root, &[Fetch::page("http://a.example/", "the quick brown fox, x 2026 quick brown")]);
    let terms = |arguments: &[&str]| -> Vec<String> {
        let report = report(&root, &[&["terms"], arguments].concat());
        table(&report, "terms").into_iter().map(|row| row[0].clone()).collect()
    };
    assert_eq!(terms(&[]), ["brown", "quick", "fox"]);
    assert_eq!(terms(&["--ngrams", "2-2"]), ["quick brown", "brown fox"]);
    assert_eq!(terms(&["--ngrams", "2"]), ["brown", "quick", "quick brown", "brown fox", "fox"]);
    assert_eq!(terms(&["--numbers", "--min-length", "4"]), ["brown", "quick", "2026"]);
    assert_eq!(terms(&["--stop-words", "none", "--min-length", "3"]), ["brown", "quick", "fox", "the"]);
    std::fs::write(dir.path().join("stop"), "quick\n").unwrap();
    let stop = dir.path().join("stop");
    assert_eq!(terms(&["--stop-words", stop.to_str().unwrap()]), ["brown", "fox", "the"]);
}

#[test]
fn a_page_with_a_hostile_text_is_counted_and_shown_harmlessly() {
    let dir = data();
    let root = dir.path().join("data");
    let text = format!("\u{0}<script>alert('x')</script> =cmd|' /C calc'!A0 {} \u{202e}evil", "a".repeat(3_000_000));
    write(&root, &[Fetch::page("http://a.example/", &text), Fetch::page("http://a.example/empty", "")]);
    let report = report(&root, &["terms", "--stop-words", "none"]);
    let terms: Vec<String> = table(&report, "terms").into_iter().map(|row| row[0].clone()).collect();
    assert!(terms.contains(&"script".to_owned()) && terms.iter().all(|term| term.len() <= 100), "{terms:?}");
    let html = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert_eq!(html.matches("<script").count(), 1);
}

#[test]
fn words_that_stand_together_and_words_that_rise_are_found() {
    let dir = data();
    let root = dir.path().join("data");
    let filler = "alpha beta gamma delta epsilon zeta eta theta iota kappa ".repeat(3);
    write(
        &root,
        &[
            Fetch::page("http://a.example/1", &format!("{} {filler} modem", "new york ".repeat(8))).on("2026-11-20", 1),
            Fetch::page("http://a.example/2", &format!("{filler} {} modem modem", "york city ".repeat(2)))
                .on("2026-11-20", 2),
            Fetch::page("http://a.example/3", &format!("{filler} {}", "rust ".repeat(9))).on("2026-11-21", 3),
        ],
    );
    let report = report(&root, &["terms"]);
    let pairs = table(&report, "collocations");
    let pair = pairs.iter().find(|pair| pair[..2] == ["new", "york"]).unwrap();
    assert!(pair[2] == "8" && pair[3].parse::<f64>().unwrap() > 10.83, "{pairs:?}");
    assert!(pairs.iter().all(|pair| pair[0] != "modem"), "{pairs:?}");
    let trends = table(&report, "trends");
    let of = |term: &str| trends.iter().find(|row| row[0] == term).unwrap();
    assert_eq!(of("rust")[1..3], ["0", "9"]);
    assert!(of("rust")[3].parse::<f64>().unwrap() > 5.0 && of("modem")[3].starts_with('-'), "{trends:?}");
    assert_eq!(trends[0][0], "rust");
}
