//! `mine cluster`.

use std::collections::BTreeMap;

use crate::support::{Fetch, report, table, write};

const TOPICS: [[&str; 6]; 3] = [
    ["kernel", "driver", "module", "boot", "device", "memory"],
    ["garden", "flower", "seed", "soil", "water", "plant"],
    ["piano", "chord", "melody", "rhythm", "violin", "tempo"],
];

#[test]
fn pages_of_one_subject_come_together_and_the_subject_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let page = |n: usize| {
        let topic = TOPICS[n % 3];
        let words: Vec<&str> = (0..30).map(|i| topic[(i * 5 + i / 4 + n) % 6]).chain(["page", "text"]).collect();
        Fetch::page(&format!("http://a.example/{n}"), &words.join(" ")).partition((n % 4) as u32)
    };
    write(&root, &(0..45).map(page).collect::<Vec<_>>());
    let report = report(&root, &["cluster", "--k", "3"]);
    let mut subjects: BTreeMap<String, BTreeMap<usize, usize>> = BTreeMap::new();
    for row in table(&report, "assignments") {
        let number: usize = row[0].rsplit('/').next().unwrap().parse().unwrap();
        *subjects.entry(row[1].clone()).or_default().entry(number % 3).or_default() += 1;
        assert!((0.0..1.5).contains(&row[2].parse::<f64>().unwrap()));
    }
    assert_eq!(subjects.len(), 3);
    for row in table(&report, "clusters") {
        let subject = &subjects[&row[0]];
        assert_eq!(subject.len(), 1, "{subjects:?}");
        let (&topic, &count) = subject.iter().next().unwrap();
        assert_eq!(row[1], count.to_string());
        assert!(row[2].split(' ').all(|word| TOPICS[topic].contains(&word)), "{row:?}");
        let page: usize = row[4].rsplit('/').next().unwrap().parse().unwrap();
        assert_eq!(page % 3, topic);
    }
    let html = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert_eq!(html.matches("<circle").count(), 45, "every page is on the map");
}

#[test]
fn odd_archives_are_no_trouble() {
    let dir = tempfile::tempdir().unwrap();
    for (name, texts) in
        [("empty", vec!["", ""]), ("one", vec!["spider"]), ("equal", vec!["bus log", "bus log", "bus log"])]
    {
        let root = dir.path().join(name);
        let pages = texts.iter().enumerate().map(|(n, text)| Fetch::page(&format!("http://a.example/{n}"), text));
        write(&root, &pages.collect::<Vec<_>>());
        for flags in [&["cluster"][..], &["cluster", "--k", "5"]] {
            assert_eq!(table(&report(&root, flags), "assignments").len(), texts.len(), "{name}");
        }
    }
}
