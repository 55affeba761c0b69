//! `etl stage` as a user runs it: what it writes, when segments end, and how a run goes on where another one ended.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use archive::{DataDir, Day, Mark};
use parquet::file::reader::FileReader;
use support::*;

#[test]
fn what_is_on_the_bus_is_staged_once_and_only_once() {
    let world = World::new();
    world.append(3, artefacts(5));
    world.append(9, artefacts(2));
    let summary: serde_json::Value = serde_json::from_str(&world.ok(&["stage", "--once", "--json"])).unwrap();
    assert_eq!((summary["records"].as_u64(), summary["segments"].as_u64()), (Some(7), Some(2)));

    let names: Vec<String> =
        world.segments().iter().map(|p| p.strip_prefix(world.path()).unwrap().display().to_string()).collect();
    assert_eq!(
        names,
        [
            "artefacts/day=2026-11-21/artefacts-p003-00000000000000000000-00000000000000000005.parquet",
            "artefacts/day=2026-11-21/artefacts-p009-00000000000000000000-00000000000000000002.parquet"
        ]
    );
    assert_eq!(world.committed()[3], 5);
    let before = world.segments();
    let summary: serde_json::Value = serde_json::from_str(&world.ok(&["stage", "--once", "--json"])).unwrap();
    assert_eq!((summary["records"].as_u64(), summary["segments"].as_u64()), (Some(0), Some(0)));
    assert_eq!(world.segments(), before);

    world.append(3, artefacts(1));
    world.ok(&["stage", "--once"]);
    assert_eq!(world.staged()[&3].iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert!(std::fs::read_dir(world.path().join("tmp")).unwrap().next().is_none(), "unfinished files are left");
}

#[test]
fn rows_hold_what_the_record_said() {
    let world = World::new();
    let full = artefact("http://docs.example.co.uk:8080/a?b=1", "<p>h\u{e9}llo\0");
    let mut failed = artefact("https://example.org/gone", "");
    (failed.status, failed.error, failed.content_type, failed.via, failed.remote) =
        (None, Some("dns".into()), None, None, None);
    failed.http_headers = Default::default();
    (failed.depth, failed.hops, failed.elapsed_ms, failed.truncated) = (3, 2, 0, true);
    world.append(0, vec![full.clone(), failed.clone()]);
    world.ok(&["stage", "--once"]);
    let path = &world.segments()[0];
    let rows = rows(path);
    let row = &rows[0];
    assert_eq!(string(row, "id"), full.id.to_string());
    assert_eq!(string(row, "url"), "http://docs.example.co.uk:8080/a?b=1");
    assert_eq!((string(row, "host"), string(row, "site")), ("docs.example.co.uk:8080".into(), "example.co.uk".into()));
    assert_eq!(field(row, "fetched_at").to_string(), "2026-11-21 12:00:00.000007 +00:00");
    assert_eq!(field(row, "appended_at").to_string(), "2026-11-21 12:00:00.000000 +00:00");
    assert_eq!((int(row, "status"), int(row, "depth"), int(row, "elapsed_ms")), (200, 1, 12));
    assert_eq!(
        (string(row, "content_type"), string(row, "charset")),
        ("text/html; charset=utf-8".into(), "utf-8".into())
    );
    assert_eq!(
        field(row, "headers").to_string(),
        r#"[{name: "Content-Type", value: "text/html; charset=utf-8"}, {name: "X-Test", value: "a: b"}]"#
    );
    let parquet::record::Field::Bytes(body) = field(row, "body") else { panic!("{row}") };
    assert_eq!(body.data(), full.body);
    assert_eq!((string(row, "body_sha256"), int(row, "body_bytes")), (full.sha256, full.body.len() as i64));
    let row = &rows[1];
    for absent in ["status", "content_type", "charset", "via", "remote"] {
        assert!(is_null(row, absent), "{absent} of {row}");
    }
    assert_eq!((string(row, "error"), int(row, "hops"), int(row, "body_bytes")), ("dns".into(), 2, 0));
    assert_eq!(field(row, "truncated").to_string(), "true");

    let facts = facts(path);
    assert_eq!(facts["cluster"], world.bus.cluster());
    assert_eq!(facts["topic_id"], world.bus.topic_id("artefacts").unwrap());
    assert_eq!(facts["archive"], DataDir::new(world.path()).archive_id().unwrap());
    for (key, want) in
        [("topic", "artefacts"), ("partition", "0"), ("from", "0"), ("next", "2"), ("rows", "2"), ("schema", "1")]
    {
        assert_eq!(facts[key], want, "{key}");
    }
    assert_eq!((facts["min_time"].as_str(), facts["max_time"].as_str()), ("1795262400000", "1795262400000"));
    assert_eq!(facts["hash"].len(), 32);
}

#[test]
fn a_segment_ends_at_its_rows_and_at_its_bytes() {
    let world = World::new();
    world.append(0, artefacts(7));
    world.ok(&["stage", "--once", "--segment-rows", "3"]);
    let intervals = |world: &World| -> Vec<(String, String)> {
        world.segments().iter().map(|p| facts(p)).map(|f| (f["from"].clone(), f["next"].clone())).collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(intervals(&world), [pair("0", "3"), pair("3", "6"), pair("6", "7")]);

    let world = World::new();
    // Bodies that do not compress.
    let noise = |seed: u64| -> Vec<u8> {
        let mut x = seed + 1;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        };
        (0..100_000).map(|_| next()).collect()
    };
    world.append(0, (0..20).map(|i| artefact(&format!("http://example.org/{i}"), noise(i))).collect());
    world.ok(&["stage", "--once", "--segment-bytes", "500kB"]);
    let sizes: Vec<u64> = world.segments().iter().map(|p| p.metadata().unwrap().len()).collect();
    assert_eq!(sizes.len(), 4, "{sizes:?}");
    assert!(sizes.iter().all(|size| (500_000..630_000).contains(size)), "{sizes:?}");
    assert_eq!(world.staged()[&0].len(), 20);
}

#[test]
fn a_segment_never_spans_two_days() {
    let world = World::new();
    world.append(0, artefacts(2));
    world.at(NOON + DAY);
    world.append(0, artefacts(3));
    world.append(1, artefacts(1));
    world.ok(&["stage", "--once"]);
    let names: Vec<String> =
        world.segments().iter().map(|p| p.strip_prefix(world.path()).unwrap().display().to_string()).collect();
    assert_eq!(
        names,
        [
            "artefacts/day=2026-11-21/artefacts-p000-00000000000000000000-00000000000000000002.parquet",
            "artefacts/day=2026-11-22/artefacts-p000-00000000000000000002-00000000000000000005.parquet",
            "artefacts/day=2026-11-22/artefacts-p001-00000000000000000000-00000000000000000001.parquet"
        ]
    );
}

#[test]
fn a_day_is_marked_when_all_of_it_is_staged_also_where_it_is_empty() {
    let world = World::new();
    let data = DataDir::new(world.path());
    let day = |text: &str| text.parse::<Day>().unwrap();
    world.append(0, artefacts(2));
    world.ok(&["stage", "--once"]);
    assert_eq!(Mark::read(&data, day("2026-11-21")).unwrap(), []);
    world.at(NOON + 3 * DAY);
    world.append(0, artefacts(1));
    world.ok(&["stage", "--once"]);
    for (name, next) in [("2026-11-21", 2), ("2026-11-22", 2), ("2026-11-23", 2)] {
        let marks = Mark::read(&data, day(name)).unwrap();
        let offsets: Vec<i64> = marks.iter().map(|m| m.next).collect();
        assert_eq!(offsets, [next, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "{name}");
    }
    assert_eq!(Mark::read(&data, day("2026-11-24")).unwrap(), []);
}

#[test]
fn columns_are_those_of_the_schema_in_types_that_every_reader_has() {
    let world = World::new();
    world.append(0, vec![artefact("http://example.org/", "<a href=/x>x</a><script>1</script>")]);
    world.ok(&["stage", "--once"]);
    world.ok(&["extract"]);
    for set in archive::DataSet::ALL {
        let path = &files(&world.path().join(set.name()))[0];
        let reader = open(path);
        let schema = reader.metadata().file_metadata().schema().clone();
        let found: Vec<String> = schema.get_fields().iter().map(|f| describe(f)).collect();
        let want: Vec<String> = archive::schema::columns(set)
            .iter()
            .map(|c| {
                use archive::schema::Kind;
                let kind = match c.kind {
                    Kind::Text => "BYTE_ARRAY Some(String)",
                    Kind::Int => "INT64 None",
                    Kind::Bool => "BOOLEAN None",
                    Kind::Binary => "BYTE_ARRAY None",
                    Kind::Timestamp => {
                        "INT64 Some(Timestamp(TimestampType { is_adjusted_to_u_t_c: true, unit: MICROS }))"
                    }
                    Kind::Pairs => "list<element: name BYTE_ARRAY Some(String), value BYTE_ARRAY Some(String)>",
                };
                format!("{} {kind} {}", c.name, if c.nullable { "OPTIONAL" } else { "REQUIRED" })
            })
            .collect();
        assert_eq!(found, want, "{}", set.name());
        let url = reader.metadata().row_group(0).columns().iter().find(|c| c.column_path().string() == "url");
        if set == archive::DataSet::Artefacts {
            assert!(url.unwrap().bloom_filter_offset().is_some());
        }
        for column in reader.metadata().row_group(0).columns() {
            assert!(format!("{:?}", column.compression()).starts_with("ZSTD"), "{}", column.column_path());
        }
    }
}

fn describe(field: &parquet::schema::types::Type) -> String {
    let info = field.get_basic_info();
    let kind = if field.is_primitive() {
        format!("{} {:?}", field.get_physical_type(), info.logical_type_ref())
    } else {
        let element = &field.get_fields()[0].get_fields()[0];
        let parts: Vec<String> = element
            .get_fields()
            .iter()
            .map(|f| format!("{} {} {:?}", f.name(), f.get_physical_type(), f.get_basic_info().logical_type_ref()))
            .collect();
        format!("list<{}: {}>", element.name(), parts.join(", "))
    };
    format!("{} {kind} {}", field.name(), info.repetition())
}
