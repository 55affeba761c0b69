//! `mine links`.

use crate::support::{Fetch, report, table, write};

/// A report over fetches in a fresh archive.
fn links(fetches: &[Fetch], arguments: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write(&root, fetches);
    let report = report(&root, &[&["links"], arguments].concat());
    (dir, report)
}

/// Columns of a page by its URL: in_degree, out_degree, scc, wcc.
fn degrees(report: &std::path::Path, url: &str) -> [String; 4] {
    let row = table(report, "pages").into_iter().find(|row| row[0] == url).unwrap();
    [2, 3, 7, 8].map(|column| row[column].clone())
}

#[test]
fn edges_are_the_distinct_links_between_different_pages() {
    let (_dir, report) = links(
        &[
            Fetch::page("http://a.example/", "")
                .to("http://a.example/1")
                .to("http://a.example/1")
                .to("http://a.example/")
                .to("http://a.example/never-fetched")
                .link("img", "http://a.example/2", None),
            Fetch::page("http://a.example/1", "").to("http://a.example/").partition(1),
            Fetch::page("http://a.example/2", "").partition(2),
            // No HTML, so no page.
            Fetch::new("http://a.example/file.pdf", 200),
        ],
        &[],
    );
    assert_eq!(degrees(&report, "http://a.example/"), ["1", "1", "0", "0"]);
    assert_eq!(degrees(&report, "http://a.example/1"), ["1", "1", "0", "0"]);
    assert_eq!(degrees(&report, "http://a.example/2"), ["0", "0", "1", "1"]);
    assert_eq!(table(&report, "pages").len(), 3);
}

#[test]
fn a_link_through_redirects_is_a_link_to_the_page_at_the_end() {
    let (_dir, report) = links(
        &[
            Fetch::page("http://a.example/", "").to("http://a.example/r1").to("http://a.example/circle1"),
            Fetch::redirect("http://a.example/r1", "http://b.example/r2").partition(1),
            Fetch::redirect("http://b.example/r2", "http://b.example/page").partition(2),
            Fetch::page("http://b.example/page", "").partition(3),
            Fetch::redirect("http://a.example/circle1", "http://a.example/circle2"),
            Fetch::redirect("http://a.example/circle2", "http://a.example/circle1"),
        ],
        &[],
    );
    assert_eq!(degrees(&report, "http://a.example/"), ["0", "1", "0", "0"]);
    assert_eq!(degrees(&report, "http://b.example/page"), ["1", "0", "1", "0"]);
    assert!(table(&report, "broken").is_empty());
}

#[test]
fn a_redirect_that_has_moved_is_followed_where_it_points_now() {
    let old = Fetch::redirect("http://a.example/r", "http://a.example/old").on("2026-11-20", 1);
    let new = Fetch::redirect("http://a.example/r", "http://a.example/new").on("2026-11-21", 2);
    let pages = ["", "old", "new"].map(|name| Fetch::page(&format!("http://a.example/{name}"), ""));
    let [start, old_page, new_page] = pages;
    let (_dir, report) = links(&[new, old, start.to("http://a.example/r"), old_page, new_page], &[]);
    assert_eq!(degrees(&report, "http://a.example/new")[0], "1");
    assert_eq!(degrees(&report, "http://a.example/old")[0], "0");
}

#[test]
fn only_the_links_of_the_newest_fetch_count() {
    let (_dir, report) = links(
        &[
            Fetch::page("http://a.example/", "").to("http://a.example/old").on("2026-11-20", 1),
            Fetch::page("http://a.example/", "").to("http://a.example/new").on("2026-11-21", 2),
            Fetch::page("http://a.example/old", ""),
            Fetch::page("http://a.example/new", ""),
        ],
        &[],
    );
    assert_eq!(degrees(&report, "http://a.example/new")[0], "1");
    assert_eq!(degrees(&report, "http://a.example/old")[0], "0");
}

#[test]
fn broken_links_are_listed_with_what_their_targets_answered() {
    let (_dir, report) = links(
        &[
            Fetch::page("http://a.example/", "")
                .link("a", "http://a.example/404", None)
                .link("a", "http://a.example/404", Some(" Missing "))
                .link("a", "http://a.example/404", Some("again"))
                .link("a", "http://a.example/moved", Some("=1+1"))
                .link("a", "http://down.example/", Some("down"))
                .link("img", "http://a.example/500.png", None)
                .link("a", "http://a.example/secret", Some("robots"))
                .link("form", "http://a.example/405", None)
                .link("a", "http://a.example/unknown", None)
                .link("a", "http://a.example/ok", None)
                .link("a", "http://a.example/vanished", Some("v")),
            Fetch::new("http://a.example/404", 404),
            Fetch::redirect("http://a.example/moved", "http://a.example/410"),
            Fetch::new("http://a.example/410", 410),
            Fetch::failed("http://down.example/", "dns"),
            Fetch::new("http://a.example/500.png", 500),
            Fetch::failed("http://a.example/secret", "robots"),
            Fetch::new("http://a.example/405", 405),
            // Was down, and is well again; unchanged since; was there, and is gone.
            Fetch::new("http://a.example/ok", 500),
            Fetch::page("http://a.example/ok", "").on("2026-11-22", 2_000_000),
            Fetch::new("http://a.example/ok", 304).on("2026-11-23", 3_000_000),
            Fetch::page("http://a.example/vanished", ""),
            Fetch::new("http://a.example/vanished", 404).on("2026-11-23", 3_000_000),
        ],
        &[],
    );
    let row = |dst: &str, status: &str, error: &str, anchor: &str| {
        vec!["http://a.example/".to_owned(), dst.to_owned(), status.to_owned(), error.to_owned(), anchor.to_owned()]
    };
    assert_eq!(
        table(&report, "broken"),
        [
            row("http://a.example/404", "404", "∅", "Missing"),
            row("http://a.example/500.png", "500", "∅", "∅"),
            row("http://a.example/moved", "410", "∅", "=1+1"),
            row("http://a.example/vanished", "404", "∅", "v"),
            row("http://down.example/", "∅", "dns", "down"),
        ]
    );
    let csv = std::fs::read_to_string(report.join("broken.csv")).unwrap();
    assert!(csv.contains(",'=1+1\r\n") && !csv.contains(",=1+1"), "{csv}");
    assert_eq!(degrees(&report, "http://a.example/vanished")[0], "1", "it is archived, so it is a page");
}

#[test]
fn ranks_of_a_known_graph_come_out_and_sum_to_one() {
    // Three pages link to a hub without links: see the closed form in the unit tests, n = 3.
    let leaf = |name: &str| Fetch::page(&format!("http://a.example/{name}"), "").to("http://a.example/hub");
    let (_dir, report) =
        links(&[leaf("1"), leaf("2"), leaf("3"), Fetch::page("http://a.example/hub", "")], &["--damping", "0.5"]);
    let rows = table(&report, "pages");
    assert_eq!(rows[0][0], "http://a.example/hub");
    let rank = |row: usize| rows[row][4].parse::<f64>().unwrap();
    assert!((rank(0) - 2.5 / 5.5).abs() < 1e-4 && (rank(1) - 1.0 / 5.5).abs() < 1e-4, "{rows:?}");
    assert_eq!(
        rows.iter().map(|row| row[0].clone()).skip(1).collect::<Vec<_>>(),
        ["1", "2", "3"].map(|n| format!("http://a.example/{n}"))
    );
}

#[test]
fn hosts_are_counted_with_their_links() {
    let (_dir, report) = links(
        &[
            Fetch::page("http://a.example/", "")
                .to("http://a.example/1")
                .to("http://b.example/")
                .to("http://c.example/x"),
            Fetch::page("http://a.example/1", "").to("http://a.example/"),
            Fetch::page("http://b.example/", "").to("http://a.example/"),
        ],
        &[],
    );
    let rows: Vec<String> = table(&report, "hosts").into_iter().map(|row| row.join(" ")).collect();
    assert_eq!(rows, ["a.example 2 3 3 2", "b.example 1 1 1 1"]);
}

#[test]
fn a_page_of_script_titles_shows_them_as_text() {
    let (_dir, report) = links(
        &[Fetch::page("http://a.example/", "").title("</title><script>alert(1)</script>").link(
            "a",
            "http://a.example/\u{2028}",
            Some("\"><img src=x onerror=alert(1)>"),
        )],
        &[],
    );
    let html = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !html.contains("<img"));
}

#[test]
fn redirects_orphans_and_third_parties_are_listed() {
    let (_dir, report) = links(
        &[
            Fetch::page("http://www.a.example/", "")
                .to("http://www.a.example/old")
                .link("script", "http://cdn.example.org/x.js", None)
                .link("img", "http://img.example.org/x.png", None)
                .link("a", "http://b.a.example/", None),
            Fetch::page("http://www.a.example/new", "").link("img", "http://img.example.org/y.png", None),
            Fetch::page("http://www.a.example/lonely", ""),
            Fetch::redirect("http://www.a.example/old", "http://www.a.example/older").partition(1),
            Fetch::redirect("http://www.a.example/older", "http://www.a.example/new"),
            // Nobody links to it.
            Fetch::redirect("http://www.a.example/seed", "http://www.a.example/gone").partition(2),
            Fetch::new("http://www.a.example/gone", 410),
            Fetch::redirect("http://www.a.example/x", "http://www.a.example/y"),
            Fetch::redirect("http://www.a.example/y", "http://www.a.example/x"),
        ],
        &["--export", "edges"],
    );
    let short = |name: &str| -> Vec<String> {
        table(&report, name).into_iter().map(|row| row.join(" ").replace("http://www.a.example/", "/")).collect()
    };
    let redirects = short("redirects");
    assert_eq!(redirects[..3], ["/old /new 2 200", "/older /new 1 200", "/seed /gone 1 410"]);
    assert!(redirects[3].starts_with("/x ") && redirects[3].ends_with(" 20 ∅"), "{redirects:?}");
    assert_eq!(short("orphans"), ["/", "/lonely"]);
    assert_eq!(short("third_parties"), ["a.example example.org 2 img,script"]);
    let edges = std::fs::read_to_string(report.join("edges.tsv")).unwrap();
    assert_eq!(edges, "http://www.a.example/\thttp://www.a.example/new\n");
}
