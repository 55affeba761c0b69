//! The catalogue: what counts, what is superseded, what is missing or there twice, and what does not belong.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use archive::{Catalogue, DataDir, DataSet, Day, SegmentName, Source};
use proptest::prelude::*;
use tempfile::TempDir;

struct Archive {
    _folder: TempDir,
    data: DataDir,
}

impl Archive {
    fn new() -> Archive {
        let folder = tempfile::tempdir().unwrap();
        Archive { data: DataDir::new(folder.path()), _folder: folder }
    }

    fn put(&self, set: DataSet, day: &str, partition: u32, from: i64, next: i64) -> &Archive {
        let name = SegmentName::new(set, Source::Partition(partition), from, next).unwrap();
        let path = self.data.segment(day.parse().unwrap(), &name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "12345").unwrap();
        self
    }

    fn read(&self) -> Catalogue {
        Catalogue::read(&self.data).unwrap()
    }
}

/// Intervals of the segments of a data set that count, with day and partition.
fn held(catalogue: &Catalogue, set: DataSet) -> Vec<(String, String, i64, i64)> {
    let segments = catalogue.segments(set, None, None).into_iter();
    segments.map(|s| (s.day.to_string(), s.name.source.to_string(), s.name.from, s.name.next)).collect()
}

fn file(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

const D1: &str = "2026-11-21";
const D2: &str = "2026-11-22";
use DataSet::{Artefacts, Links, Pages};

#[test]
fn no_directory_is_an_empty_archive() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::read(&DataDir::new(folder.path().join("none"))).unwrap();
    assert!(catalogue.days.is_empty() && catalogue.strangers.is_empty());
    assert!(!folder.path().join("none").exists());
}

#[test]
fn segments_come_by_day_source_and_offset() {
    let archive = Archive::new();
    archive
        .put(Artefacts, D2, 0, 10, 20)
        .put(Artefacts, D1, 1, 5, 9)
        .put(Artefacts, D1, 0, 5, 10)
        .put(Artefacts, D1, 0, 0, 5);
    let catalogue = archive.read();
    let expected = [(D1, "p000", 0, 5), (D1, "p000", 5, 10), (D1, "p001", 5, 9), (D2, "p000", 10, 20)];
    assert_eq!(
        held(&catalogue, Artefacts),
        expected.map(|(day, source, a, b)| (day.to_owned(), source.to_owned(), a, b))
    );
    assert_eq!(catalogue.segments(Artefacts, None, None)[0].bytes, 5);
    assert!(catalogue.gaps(Artefacts).is_empty() && catalogue.overlaps(Artefacts).is_empty());
    assert!(catalogue.segments(Pages, None, None).is_empty());
    let day = |text: &str| Some(text.parse::<Day>().unwrap());
    assert_eq!(catalogue.segments(Artefacts, day(D2), None).len(), 1);
    assert_eq!(catalogue.segments(Artefacts, None, day(D1)).len(), 3);
    assert_eq!(catalogue.segments(Artefacts, day(D1), day(D2)).len(), 4);
    assert_eq!(catalogue.segments(Artefacts, day(D2), day(D1)).len(), 0);
}

#[test]
fn a_segment_that_contains_others_stands_in_their_place() {
    let archive = Archive::new();
    archive.put(Artefacts, D1, 0, 0, 10).put(Artefacts, D1, 0, 10, 20).put(Artefacts, D1, 0, 22, 30);
    archive.put(Artefacts, D1, 0, 0, 30).put(Artefacts, D1, 1, 0, 10);
    let catalogue = archive.read();
    assert_eq!(held(&catalogue, Artefacts).len(), 2);
    assert_eq!(catalogue.superseded(Artefacts).len(), 3);
    assert!(catalogue.overlaps(Artefacts).is_empty() && catalogue.gaps(Artefacts).is_empty());
}

#[test]
fn a_partial_overlap_is_an_error_that_names_both() {
    let archive = Archive::new();
    archive.put(Artefacts, D1, 0, 0, 10).put(Artefacts, D1, 0, 8, 20);
    let catalogue = archive.read();
    assert_eq!(held(&catalogue, Artefacts).len(), 2);
    let overlaps = catalogue.overlaps(Artefacts);
    assert_eq!(overlaps.len(), 1);
    assert!(file(&overlaps[0].a).contains("0000-00000000000000000010") && file(&overlaps[0].b).contains("0008-"));
    assert_eq!(catalogue.days.values().next().unwrap()[&Artefacts].overlaps, overlaps);
}

#[test]
fn two_days_never_hold_the_same_offsets() {
    let archive = Archive::new();
    archive.put(Artefacts, D1, 0, 0, 30).put(Artefacts, D2, 0, 10, 20);
    let catalogue = archive.read();
    assert_eq!(catalogue.overlaps(Artefacts).len(), 1);
    assert!(catalogue.superseded(Artefacts).is_empty());
    assert!(catalogue.days.values().all(|sets| sets[&Artefacts].overlaps.is_empty()));
}

#[test]
fn gaps_are_found_within_and_between_days() {
    let archive = Archive::new();
    archive.put(Artefacts, D1, 0, 5, 10).put(Artefacts, D1, 0, 12, 20).put(Artefacts, D2, 0, 25, 30);
    archive.put(Artefacts, D2, 1, 100, 110);
    let gaps: Vec<_> =
        archive.read().gaps(Artefacts).into_iter().map(|gap| (gap.source.to_string(), gap.from, gap.next)).collect();
    assert_eq!(gaps, [("p000".to_owned(), 10, 12), ("p000".to_owned(), 20, 25)]);
}

#[test]
fn what_is_not_covered_is_still_to_extract() {
    let archive = Archive::new();
    // extracted, extracted in part, extracted in pieces, extracted on another day, extracted in a larger piece
    archive.put(Artefacts, D1, 0, 0, 10).put(Pages, D1, 0, 0, 10);
    archive.put(Artefacts, D1, 1, 0, 10).put(Pages, D1, 1, 0, 9);
    archive.put(Artefacts, D1, 2, 0, 10).put(Pages, D1, 2, 0, 4).put(Pages, D1, 2, 4, 10);
    archive.put(Artefacts, D1, 3, 0, 10).put(Pages, D2, 3, 0, 10);
    archive.put(Artefacts, D1, 4, 5, 10).put(Pages, D1, 4, 0, 20);
    archive.put(Artefacts, D1, 5, 0, 10).put(Pages, D1, 5, 0, 4).put(Pages, D1, 5, 5, 10);
    let catalogue = archive.read();
    let sources = |by| -> Vec<String> {
        catalogue.uncovered(Artefacts, by, None, None).iter().map(|s| s.name.source.to_string()).collect()
    };
    assert_eq!(sources(Pages), ["p001", "p003", "p005"]);
    assert_eq!(sources(Links).len(), 6);
    let pieces = catalogue.segments(Artefacts, None, None)[2];
    assert_eq!(catalogue.covering(pieces, Pages).len(), 2);
}

#[test]
fn strangers_are_listed_and_leftovers_are_not() {
    let archive = Archive::new();
    archive.put(Artefacts, D1, 0, 0, 10);
    let root = archive.data.root();
    let day = root.join("artefacts").join(format!("day={D1}"));
    let pages = "pages-p000-00000000000000000000-00000000000000000010.parquet";
    std::fs::write(day.join(pages), "").unwrap();
    std::fs::write(day.join("notes.txt"), "").unwrap();
    std::fs::write(day.join(".artefacts-p000-x.4711-0.tmp"), "").unwrap();
    std::fs::create_dir(day.join("artefacts-p001-00000000000000000000-00000000000000000010.parquet")).unwrap();
    std::os::unix::fs::symlink("nowhere", day.join("artefacts-p002-00000000000000000000-00000000000000000010.parquet"))
        .unwrap();
    std::fs::create_dir(root.join("artefacts/day=2026-13-01")).unwrap();
    std::fs::create_dir(root.join("artefacts/lost+found")).unwrap();
    std::fs::write(root.join("artefacts/day=2026-11-23"), "").unwrap();
    std::fs::create_dir(root.join("elsewhere")).unwrap();
    #[cfg(target_os = "linux")]
    std::fs::write(day.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.parquet")), "")
        .unwrap();
    let catalogue = archive.read();
    assert_eq!(held(&catalogue, Artefacts).len(), 1);
    let strangers: Vec<_> = catalogue.strangers.iter().map(|path| file(path)).collect();
    assert_eq!(strangers.len(), 8, "{strangers:?}");
    assert!(!strangers.iter().any(|name| name.contains(".tmp") || name == "elsewhere"));
}

#[test]
fn a_day_that_cannot_be_listed_is_an_error_and_not_an_empty_day() {
    let archive = Archive::new();
    std::fs::create_dir_all(archive.data.root()).unwrap();
    std::fs::write(archive.data.root().join("pages"), "a file where a folder belongs").unwrap();
    let error = Catalogue::read(&archive.data).unwrap_err().to_string();
    assert!(error.starts_with("cannot list ") && error.contains("/pages: "), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the plain definition, on every offset.
    #[test]
    fn intervals_are_judged_as_a_set_of_offsets_would_be(
        segments in proptest::collection::vec((0_u8..2, 0_u32..2, 0_i64..24, 1_i64..12), 0..10)
    ) {
        let archive = Archive::new();
        let mut all = std::collections::BTreeSet::new();
        for (day, partition, from, length) in segments {
            archive.put(Artefacts, if day == 0 { D1 } else { D2 }, partition, from, from + length);
            all.insert((day, partition, from, from + length));
        }
        let catalogue = archive.read();
        let inside = |a: &(u8, u32, i64, i64)| {
            all.iter().any(|b| a != b && (a.0, a.1) == (b.0, b.1) && b.2 <= a.2 && a.3 <= b.3)
        };
        let counted: Vec<_> = all.iter().filter(|one| !inside(one)).collect();
        prop_assert_eq!(catalogue.segments(Artefacts, None, None).len(), counted.len());
        prop_assert_eq!(catalogue.superseded(Artefacts).len(), all.len() - counted.len());
        let clash = counted.iter().enumerate().any(|(n, a)| {
            counted[n + 1..].iter().any(|b| a.1 == b.1 && a.2 < b.3 && b.2 < a.3)
        });
        prop_assert_eq!(!catalogue.overlaps(Artefacts).is_empty(), clash);
        for partition in 0..2 {
            let holds = |offset: i64| all.iter().any(|one| one.1 == partition && one.2 <= offset && offset < one.3);
            let first = (0..48).find(|offset| holds(*offset)).unwrap_or(0);
            let last = (0..48).rfind(|offset| holds(*offset)).unwrap_or(0);
            let missing: Vec<i64> = (first..last).filter(|offset| !holds(*offset)).collect();
            let gaps = catalogue.gaps(Artefacts).into_iter().filter(|gap| gap.source == Source::Partition(partition));
            prop_assert_eq!(gaps.flat_map(|gap| gap.from..gap.next).collect::<Vec<_>>(), missing);
        }
    }
}
