//! `mine keywords`.

use crate::support::{Fetch, report, table, write};

fn three_pages() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write(
        &root,
        &[
            Fetch::page("http://a.example/1", "bus bus log"),
            Fetch::page("http://a.example/2", "log web").partition(1),
            Fetch::page("http://a.example/3", ""),
            Fetch::new("http://a.example/4", 404),
        ],
    );
    (dir, root)
}

#[test]
fn weights_are_smooth_idf_natural_tf_and_rows_of_length_one() {
    let (_dir, root) = three_pages();
    let rows = table(&report(&root, &["keywords"]), "keywords");
    let names: Vec<[&str; 4]> =
        rows.iter().map(|row| [&row[0], &row[1], &row[2], &row[3]].map(|s| s.as_str())).collect();
    assert_eq!(
        names,
        [
            ["http://a.example/1", "bus", "2", "1"],
            ["http://a.example/1", "log", "1", "2"],
            ["http://a.example/2", "web", "1", "1"],
            ["http://a.example/2", "log", "1", "2"],
        ]
    );
    // Three pages: idf(bus) = ln(4 / 2) + 1, idf(log) = ln(4 / 3) + 1.
    let (bus, log) = (2.0 * (2f64.ln() + 1.0), (4f64 / 3.0).ln() + 1.0);
    let length = (bus * bus + log * log).sqrt();
    let weight = |row: usize| rows[row][4].parse::<f64>().unwrap();
    assert!((weight(0) - bus / length).abs() < 1e-6 && (weight(1) - log / length).abs() < 1e-6, "{rows:?}");
}

#[test]
fn top_keeps_the_highest_of_each_page() {
    let (_dir, root) = three_pages();
    let rows = table(&report(&root, &["keywords", "--top", "1"]), "keywords");
    assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["bus", "web"]);
}

#[test]
fn bm25_follows_its_formula() {
    let (_dir, root) = three_pages();
    let rows = table(&report(&root, &["keywords", "--scheme", "bm25", "--k1", "1.5", "--b", "0.5"]), "keywords");
    // n = 3, mean length 5/3: the first page has 3 words, of which bus twice.
    let idf = (1.0 + (3.0 - 1.0 + 0.5) / 1.5f64).ln();
    let wanted = idf * 2.0 * 2.5 / (2.0 + 1.5 * (0.5 + 0.5 * 3.0 / (5.0 / 3.0)));
    assert!((rows[0][4].parse::<f64>().unwrap() - wanted).abs() < 1e-6, "{rows:?} {wanted}");
}
