//! Names: segments, sources, days and spans print and parse, in one spelling only.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use archive::{DataSet, Day, SegmentName, Source, Span};
use proptest::prelude::*;

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        (0_u32..2000).prop_map(Source::Partition),
        any::<u32>().prop_map(Source::Partition),
        any::<u32>().prop_map(|hash| Source::Import(format!("{hash:08x}"))),
    ]
}

fn segment() -> impl Strategy<Value = SegmentName> {
    let set = proptest::sample::select(DataSet::ALL.to_vec());
    let offset = || prop_oneof![0_i64..1000, 0_i64..=i64::MAX];
    (set, source(), offset(), offset()).prop_filter_map("an interval that is not empty", |(set, source, a, b)| {
        SegmentName::new(set, source, a.min(b), a.max(b)).ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_segment_name_parses_to_what_it_was(name in segment()) {
        let text = name.to_string();
        prop_assert_eq!(text.parse::<SegmentName>().unwrap(), name);
    }

    #[test]
    fn a_text_that_parses_prints_as_it_was(text in odd_name()) {
        if let Ok(name) = text.parse::<SegmentName>() {
            prop_assert_eq!(name.to_string(), text);
            prop_assert!(0 <= name.from && name.from < name.next);
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(text in any::<String>()) {
        prop_assert!(text.parse::<SegmentName>().is_err());
        prop_assert!(text.parse::<Span>().is_err());
        let _ = text.parse::<Source>().map(|source| source.to_string() == text);
    }

    #[test]
    fn names_of_a_partition_sort_as_their_offsets_do(
        a in segment(), b in segment()
    ) {
        let same = |name: &SegmentName| SegmentName { source: Source::Partition(3), data_set: DataSet::Pages, ..name.clone() };
        let (a, b) = (same(&a), same(&b));
        prop_assert_eq!(a.to_string().cmp(&b.to_string()), (a.from, a.next).cmp(&(b.from, b.next)));
    }

    #[test]
    fn a_time_lies_in_its_day(millis in prop_oneof![any::<i64>(), -60_000_000_000_000..250_000_000_000_000_i64]) {
        let day = Day::of_millis(millis);
        prop_assert_eq!(day.to_string().parse::<Day>().unwrap(), day);
        if (-62_000_000_000_000..253_000_000_000_000).contains(&millis) {
            prop_assert!(day.start_millis() <= millis && millis < day.end_millis());
            prop_assert_eq!(day.next().start_millis(), day.end_millis());
            prop_assert_eq!(day.next().previous(), day);
        }
    }

    #[test]
    fn a_span_parses_to_what_it_was(a in 0_i64..80_000, b in 0_i64..80_000) {
        let span = Span::new(Day::of_millis(a * 86_400_000), Day::of_millis(b * 86_400_000));
        prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
    }
}

/// Something like a segment's name, with something wrong now and then.
fn odd_name() -> impl Strategy<Value = String> {
    let set = prop_oneof![9 => "(artefacts|pages|links|scripts)", 1 => "[a-z]{0,6}"];
    let source = prop_oneof![4 => "p[0-9]{3,5}", 4 => "x[0-9a-f]{8}", 1 => "[px+][0-9a-fA-F+-]{0,9}"];
    let offset = || prop_oneof![9 => "00000000000000[0-9]{6}", 1 => "[0-9+ -]{0,21}"];
    let end = prop_oneof![9 => Just(".parquet".to_owned()), 1 => "[.a-z]{0,9}"];
    (set, source, offset(), offset(), end)
        .prop_map(|(set, source, from, next, end)| format!("{set}-{source}-{from}-{next}{end}"))
}

#[test]
fn a_segment_name_has_one_spelling() {
    let name = |text: &str| text.parse::<SegmentName>();
    let zero = "00000000000000000000";
    let ten = "00000000000000000010";
    assert!(name(&format!("artefacts-p003-{zero}-{ten}.parquet")).is_ok());
    assert!(name(&format!("links-x1a2b3c4d-{zero}-{ten}.parquet")).is_ok());
    assert!(name(&format!("links-p1000-{zero}-{ten}.parquet")).is_ok());
    for wrong in [
        format!("artefacts-p3-{zero}-{ten}.parquet"),
        format!("artefacts-p0003-{zero}-{ten}.parquet"),
        format!("artefacts-p+03-{zero}-{ten}.parquet"),
        format!("artefacts-p4294967296-{zero}-{ten}.parquet"),
        format!("artefacts-x1A2B3C4D-{zero}-{ten}.parquet"),
        format!("artefacts-x1a2b3c4-{zero}-{ten}.parquet"),
        format!("artefacts-p003-{ten}-{ten}.parquet"),
        format!("artefacts-p003-{ten}-{zero}.parquet"),
        format!("artefacts-p003-0-{ten}.parquet"),
        format!("artefacts-p003-{zero}-{ten}"),
        format!("artefacts-p003-{zero}-{ten}.parquet.tmp"),
        format!(".artefacts-p003-{zero}-{ten}.parquet"),
        format!("artefacts-p003-{zero}-{ten}-{ten}.parquet"),
        format!("artefacts-p003-{zero}-99999999999999999999.parquet"),
        format!("artefacts-p003--0000000000000000010-{ten}.parquet"),
        format!("Artefacts-p003-{zero}-{ten}.parquet"),
        format!("checks-p003-{zero}-{ten}.parquet"),
        String::new(),
        "-".repeat(10_000),
    ] {
        let error = name(&wrong).unwrap_err().to_string();
        assert!(error.contains("is not the name of a segment") && error.len() < 400, "{wrong}: {error}");
    }
}

#[test]
fn what_has_no_name_is_refused_before_it_is_written() {
    assert!(SegmentName::new(DataSet::Pages, Source::Partition(0), 5, 5).is_err());
    assert!(SegmentName::new(DataSet::Pages, Source::Partition(0), -1, 5).is_err());
    assert!(SegmentName::new(DataSet::Pages, Source::Import("../../etc".into()), 0, 5).is_err());
    assert!(SegmentName::new(DataSet::Pages, Source::Import("1A2B3C4D".into()), 0, 5).is_err());
}

#[test]
fn a_day_has_one_spelling() {
    for (text, millis) in [("1970-01-01", 0), ("2026-11-21", 1_795_219_200_000), ("1969-12-31", -86_400_000)] {
        let day: Day = text.parse().unwrap();
        assert_eq!(day.start_millis(), millis);
        assert_eq!(Day::of_millis(millis), day);
        assert_eq!(Day::of_millis(millis - 1), day.previous());
    }
    for wrong in
        ["", "2026-11-31", "2026-2-1", "26-11-21", "2026-11-21 ", "+2026-11-21", "20261121", "+12026-11-21", "x"]
    {
        assert!(wrong.parse::<Day>().is_err(), "{wrong}");
    }
    assert_eq!(Day::of_millis(i64::MAX).to_string(), "9999-12-31");
    assert_eq!(Day::of_millis(i64::MIN).to_string(), "0000-01-01");
    assert_eq!(Day::of_millis(i64::MAX).next(), Day::of_millis(i64::MAX));
}

#[test]
fn days_are_counted_over_the_end_of_a_year() {
    let day = |text: &str| text.parse::<Day>().unwrap();
    let days: Vec<String> = day("2023-12-30").to(day("2024-01-02")).map(|day| day.to_string()).collect();
    assert_eq!(days, ["2023-12-30", "2023-12-31", "2024-01-01", "2024-01-02"]);
    assert_eq!(day("2024-01-02").to(day("2024-01-01")).count(), 0);
    assert_eq!(day("9999-12-30").to(day("9999-12-31")).count(), 2);
    assert_eq!(day("2024-02-28").next(), day("2024-02-29"));
}

#[test]
fn a_span_has_one_spelling() {
    for right in ["day=2026-11-21", "from=2026-11-01,to=2026-11-21"] {
        assert_eq!(right.parse::<Span>().unwrap().to_string(), right);
    }
    for wrong in
        ["2026-11-21", "from=2026-11-21,to=2026-11-21", "from=2026-11-21,to=2026-11-01", "from=2026-11-21", ".."]
    {
        assert!(wrong.parse::<Span>().is_err(), "{wrong}");
    }
}
