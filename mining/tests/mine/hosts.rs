//! `mine hosts` and `mine languages`.

use crate::support::{Fetch, report, table, write};

#[test]
fn all_fetches_of_a_host_count_with_their_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write(
        &root,
        &[
            Fetch::page("http://a.example/", "x").on("2026-11-20", 1),
            Fetch::page("http://a.example/", "x"),
            Fetch::new("http://a.example/404", 404).partition(1),
            Fetch::new("http://a.example/500", 503),
            Fetch::redirect("http://a.example/r", "http://a.example/"),
            Fetch::failed("http://b.example/", "dns"),
        ],
    );
    let report = report(&root, &["hosts"]);
    let rows = table(&report, "hosts");
    // host, pages, errors
    assert_eq!(rows[0][..3], ["a.example", "1", "2"]);
    assert_eq!(rows[1][..3], ["b.example", "0", "1"]);
    // p50 and fetches, 2xx, 3xx, 4xx, 5xx, none
    assert_eq!((rows[0][4].as_str(), &rows[0][8..14]), ("1", &["5", "2", "1", "1", "1", "0"].map(String::from)[..]));
    assert_eq!(rows[1][4], "∅");
    let answers: Vec<String> = table(&report, "answers").into_iter().map(|row| row.join(" ")).collect();
    assert_eq!(
        answers,
        ["a.example 200 ∅ 2", "a.example 301 ∅ 1", "a.example 404 ∅ 1", "a.example 503 ∅ 1", "b.example ∅ dns 1"]
    );
}

#[test]
fn languages_detected_stand_against_those_declared() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let page = |n: u32, detected, declared| Fetch::page(&format!("http://a.example/{n}"), "x").lang(detected, declared);
    write(
        &root,
        &[
            page(1, Some("en"), Some("en-GB")),
            page(2, Some("en"), Some("EN")),
            page(3, Some("de"), Some("en")),
            page(4, None, Some("=cmd()")),
            page(5, None, None),
        ],
    );
    let rows: Vec<String> =
        table(&report(&root, &["languages"]), "languages").into_iter().map(|r| r.join(" ")).collect();
    assert_eq!(rows, ["en en 2", "und ∅ 2", "de en 1"]);
}
