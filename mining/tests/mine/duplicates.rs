//! `mine duplicates`.

use crate::support::{Fetch, report, table, write};

/// A text of so many words, of which those in `changed` are others.
fn text(words: usize, changed: std::ops::Range<usize>) -> String {
    (0..words)
        .map(|i| if changed.contains(&i) { format!("other{i}") } else { format!("word{i}") })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn exact_and_near_duplicates_are_grouped_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let page =
        |name: &str, text: &str, at: i64| Fetch::page(&format!("http://a.example/{name}"), text).on("2026-11-21", at);
    write(
        &root,
        &[
            page("copy", &text(300, 0..0), 3),
            page("original", &text(300, 0..0), 1).partition(1),
            page("near", &text(300, 100..103), 2).partition(2),
            page("half", &text(300, 0..150), 2),
            // Tiny, and of stop words alone: alike, but nothing that one would call a copy.
            page("tiny1", "hello big world again", 1),
            page("tiny2", "hello big world again!", 1),
            page("stop1", &"the and of to in is it that was for ".repeat(5), 1),
            page("stop2", &"the and of to in is it that was for ".repeat(6), 1),
            page("empty1", "", 1),
            page("empty2", "", 1).partition(3),
        ],
    );
    let rows = table(&report(&root, &["duplicates"]), "groups");
    let url = |name: &str| format!("http://a.example/{name}");
    let short: Vec<(&str, &str, &str)> = rows.iter().map(|r| (&*r[0], &*r[1], &*r[3])).collect();
    assert_eq!(
        short,
        [("0", &*url("original"), "true"), ("0", &*url("copy"), "true"), ("0", &*url("near"), "false"),],
        "{rows:?}"
    );
    assert!(rows.iter().all(|row| row[2] == url("original")));
    // 296 shingles each; three changed words touch seven of them: 289 of 303 are shared.
    assert!((rows[2][4].parse::<f64>().unwrap() - 289.0 / 303.0).abs() < 1e-6, "{rows:?}");
}

#[test]
fn pages_are_compared_in_rounds_when_memory_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let ladder = (0..40).map(|n| {
        Fetch::page(&format!("http://a.example/{n:02}"), &text(400, n * 5..n * 5 + 2)).partition((n % 4) as u32)
    });
    write(&root, &ladder.collect::<Vec<_>>());
    let rows = table(&report(&root, &["duplicates", "--threshold", "0.75"]), "groups");
    assert_eq!(rows.len(), 40);
    assert!(rows.iter().all(|row| row[0] == "0" && row[2] == "http://a.example/00"));
}
