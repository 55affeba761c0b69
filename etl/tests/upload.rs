//! `etl upload` and `etl verify --day` as a user runs them, against FerretDB.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/night.rs"]
mod night;
mod support;

use std::fs::File;
use std::sync::Arc;

use arrow::array::{AsArray, BinaryArray, RecordBatch};
use mongodb::bson::{Bson, doc};
use night::*;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::FileReader;
use support::*;

#[test]
fn a_day_is_uploaded_field_by_field_and_again_changes_nothing() {
    let Some(server) = server("a_day_is_uploaded_field_by_field_and_again_changes_nothing") else { return };
    let world = yesterday(30);
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
    let look = server.look();
    assert_equal(world.path(), &look);
    // 33 fetches; 32 distinct bodies of which one is empty
    assert_eq!(look.find("artefacts", doc! {}).len(), 33);
    assert_eq!(look.find("bodies", doc! {}).len(), 32);
    let page = look.find("pages", doc! { "url": "http://example.org/3/4" }).remove(0);
    assert_eq!(page.get_str("title").unwrap(), "Page 4");
    assert_eq!(page.get_datetime("day").unwrap().timestamp_millis(), 1_795_219_200_000);
    let artefact = look.one("artefacts", page.get_str("_id").unwrap());
    let headers = artefact.get_array("headers").unwrap();
    assert_eq!(headers[1], Bson::Document(doc! { "name": "X-Test", "value": "a: b" }));
    let indexes = look.run(doc! { "listIndexes": "artefacts" });
    let indexes = format!("{indexes}");
    for name in ["url", "host_fetched_at", "day_segment", "body"] {
        assert!(indexes.contains(name), "{indexes}");
    }

    let entry = ledger(&world, TODAY);
    assert_eq!(entry["state"], "verified");
    let mirror = look.find("ledger", doc! {}).remove(0);
    assert_eq!(mirror.get_str("state").unwrap(), "verified");
    assert_eq!(mirror.get_array("segments").unwrap().len(), entry["segments"].as_array().unwrap().len());

    let before = look.everything();
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["segments"].as_u64(), report["state"].as_str()), (0, Some(0), Some("verified")));
    assert_eq!(ledger(&world, TODAY), entry, "a run that had nothing to do changed the ledger");
    assert_eq!(look.everything(), before);
    let (code, report) = upload(&world, &server.url(), &["--force"]);
    assert_eq!((code, report["inserted"].as_u64()), (0, Some(0)), "{report}");
    assert_eq!(look.everything(), before);
    let (code, report) = verify(&world, &server.url(), &["--deep"]);
    assert_eq!((code, report["differences"].as_array().unwrap().len()), (0, 0), "{report}");
}

#[test]
fn documents_changed_added_or_removed_by_hand_are_named_and_put_back() {
    let Some(server) = server("documents_changed_added_or_removed_by_hand_are_named_and_put_back") else { return };
    let world = yesterday(30);
    assert_eq!(upload(&world, &server.url(), &[]).0, 0);
    let look = server.look();
    let id = |i: usize| {
        look.find("pages", doc! { "url": format!("http://example.org/0/{i}") })[0].get_str("_id").unwrap().to_owned()
    };
    let (removed, revised, changed) = (id(0), id(1), id(2));
    let mut added = look.one("pages", &id(3));
    added.insert("_id", "by-hand");
    look.remove("pages", &removed);
    look.change("pages", &revised, doc! { "rev": "0".repeat(32) });
    look.change("pages", &changed, doc! { "title": "Another" });
    look.add("pages", added);
    let body = look.find("bodies", doc! {})[5].clone();
    let body_id = body.get_str("_id").unwrap().to_owned();
    look.remove("bodies", &body_id);

    let named = |report: &serde_json::Value| -> Vec<(String, String)> {
        let list = report["differences"].as_array().unwrap().iter();
        let text = |d: &serde_json::Value, key: &str| d[key].as_str().unwrap().to_owned();
        let mut named: Vec<_> = list.map(|d| (text(d, "what"), text(d, "id"))).collect();
        named.sort();
        named
    };
    let pair = |what: &str, id: &str| (what.to_owned(), id.to_owned());
    let (code, report) = verify(&world, &server.url(), &[]);
    let mut want =
        vec![pair("removed", &removed), pair("changed", &revised), pair("added", "by-hand"), pair("removed", &body_id)];
    want.sort();
    assert_eq!((code, named(&report)), (3, want.clone()), "{report}");
    let (code, report) = verify(&world, &server.url(), &["--deep"]);
    want.push(pair("changed", &changed));
    want.sort();
    assert_eq!((code, named(&report)), (3, want), "{report}");
    let fields = report["differences"].as_array().unwrap().iter().find(|d| d["id"] == changed.as_str()).unwrap();
    assert_eq!(fields["fields"], serde_json::json!(["title"]));

    // what is missing comes back by itself; what was changed by hand is a reject until --force
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["state"].as_str()), (3, Some("partly")), "{report}");
    let rejects = files(&world.path().join("rejects"));
    let row = &rows(&rejects[0])[0];
    assert_eq!(
        (string(row, "collection"), string(row, "document"), int(row, "code")),
        ("pages".into(), revised.clone(), 11000)
    );
    look.one("pages", &removed);
    look.one("bodies", &body_id);
    look.remove("pages", "by-hand");
    let (code, report) = upload(&world, &server.url(), &["--force"]);
    assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
    assert_equal(world.path(), &look);
    assert!(files(&world.path().join("rejects")).is_empty(), "rejects of an earlier run stay");
}

#[test]
fn a_day_that_is_not_complete_is_refused_or_uploaded_in_part() {
    let Some(server) = server("a_day_that_is_not_complete_is_refused_or_uploaded_in_part") else { return };
    let world = World::new();
    world.append(0, artefacts(3));
    world.ok(&["stage", "--once"]);
    let output = run_upload(&world, &server.url(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("2026-11-21 is not complete") && text(&output).contains("etl stage --once"),
        "{}",
        text(&output)
    );
    let (code, report) = upload(&world, &server.url(), &["--partial"]);
    assert_eq!((code, report["documents"].as_u64()), (0, Some(3)), "{report}");
    assert_eq!(ledger(&world, TODAY)["partial"], true);
    world.append(0, artefacts(2));
    finish_day(&world, NOON);
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
    assert_eq!(ledger(&world, TODAY)["partial"], false);
    assert_equal(world.path(), &server.look());
}

#[test]
fn staged_but_not_extracted_says_what_to_run() {
    let world = World::new();
    world.append(0, vec![artefact("http://example.org/", "<p>hello")]);
    world.at(NOON + DAY);
    world.ok(&["stage", "--once"]);
    let output = run_upload(&world, "mongodb://127.0.0.1:9/night", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("etl extract --day 2026-11-21"), "{}", text(&output));
    // nothing is asked of the server
    let text = world.ok(&["upload", "--day", TODAY, "--to", "mongodb://127.0.0.1:9/night", "--dry-run"]);
    assert!(text.contains("artefacts") && text.contains("not extracted"), "{text}");
}

#[test]
fn documents_that_a_server_cannot_take_are_rejected_by_name_and_the_rest_is_there() {
    let Some(server) = server("documents_that_a_server_cannot_take_are_rejected_by_name_and_the_rest_is_there") else {
        return;
    };
    let world = World::new();
    world.append(0, artefacts(4));
    // headers of 17 MB cannot come from the spider, but they can stand in the archive
    let mut large = artefact("http://example.org/large", "small");
    large.http_headers = bus::payload::HttpHeaders(format!("X-Large: {}", "x".repeat(15 << 20)).into());
    let mut second = large.clone();
    second.id = uuid::Uuid::now_v7();
    second.http_headers =
        bus::payload::HttpHeaders((0..500_000).map(|i| format!("h{i}: v\r\n")).collect::<String>().into());
    world.append(0, vec![large, second.clone()]);
    finish_day(&world, NOON);
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["rejected"].as_u64()), (3, Some(1)), "{report}");
    let rejects = files(&world.path().join("rejects"));
    let row = &rows(&rejects[0])[0];
    assert_eq!((string(row, "document"), int(row, "code")), (second.id.to_string(), 10334));
    assert_eq!(server.look().find("artefacts", doc! {}).len(), 5);
    // run again it says so again, and changes nothing
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["rejected"].as_u64(), report["inserted"].as_u64()), (3, Some(1), Some(0)), "{report}");
    assert_eq!(verify(&world, &server.url(), &[]).0, 0, "what was rejected is known");
}

#[test]
fn nothing_of_a_segment_in_which_one_bit_flipped_is_sent() {
    let Some(server) = server("nothing_of_a_segment_in_which_one_bit_flipped_is_sent") else { return };
    let world = yesterday(30);
    let path = world.segments().into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let data: usize = facts(&path)["data_bytes"].parse().unwrap();
    let bodies: Vec<String> = rows(&path).iter().map(|row| string(row, "body_sha256")).collect();
    for at in (0..data).step_by(data / 10).chain([data - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let output = run_upload(&world, &server.url(), &["--no-verify"]);
        assert_eq!(output.status.code(), Some(3), "{at}: {}", text(&output));
        let said = text(&output);
        assert!(said.contains("is damaged: its first") && said.contains("etl verify --archive"), "{at}: {said}");
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(server.look().find("artefacts", doc! { "segment": name }).is_empty(), "byte {at} of {data}");
        let sent = server.look().find("bodies", doc! {});
        assert!(!sent.iter().any(|body| bodies.contains(&body.get_str("_id").unwrap().to_owned())), "byte {at}");
    }
    std::fs::write(&path, &whole).unwrap();
    let (code, report) = upload(&world, &server.url(), &[]);
    assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
    assert_equal(world.path(), &server.look());
}

/// Early versions wrote no hash of the bytes; each body is compared with its own then.
#[test]
fn a_body_that_is_not_its_own_is_not_sent_where_the_footer_has_no_hash() {
    let Some(server) = server("a_body_that_is_not_its_own_is_not_sent_where_the_footer_has_no_hash") else { return };
    let world = yesterday(30);
    for path in world.segments() {
        let mut facts = open(&path).metadata().file_metadata().key_value_metadata().unwrap().clone();
        facts.retain(|fact| !fact.key.contains("data_"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
        let batch = reader.map(Result::unwrap).next().unwrap();
        let (place, _) = batch.schema().column_with_name("body").unwrap();
        let other = BinaryArray::from_iter_values(batch.column(place).as_binary::<i32>().iter().map(|body| {
            let body = String::from_utf8_lossy(body.unwrap());
            body.replace("page 3 of", "page 4 of").into_bytes()
        }));
        let mut columns = batch.columns().to_vec();
        columns[place] = Arc::new(other);
        let batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        facts.into_iter().for_each(|fact| writer.append_key_value_metadata(fact));
        writer.close().unwrap();
    }
    let output = run_upload(&world, &server.url(), &["--no-verify"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("a body is not the one of SHA-256"), "{}", text(&output));
}

#[test]
fn passwords_are_taken_from_files_only_and_never_shown() {
    let world = World::new();
    world.append(0, artefacts(1));
    finish_day(&world, NOON);
    let output = run_upload(&world, "mongodb://ann:hunter2@127.0.0.1:9/night", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("KAFKASPIDER_MONGODB_PASSWORD") && !text(&output).contains("hunter2"));
    let file = world.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let flags = ["--mongodb-password-file", file.to_str().unwrap(), "--retry-for", "1s", "--timeout", "1s", "-vv"];
    let output = world
        .etl(&["upload", "--day", TODAY, "--to", "mongodb://ann@127.0.0.1:9/night", "--collections", "artefacts"])
        .args(flags)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("mongodb://127.0.0.1:9/night was away"), "{}", text(&output));
    assert!(!text(&output).contains("hunter2"), "{}", text(&output));
}

#[test]
fn a_second_upload_of_the_day_ends_at_once_and_names_the_holder() {
    let world = World::new();
    world.append(0, artefacts(1));
    finish_day(&world, NOON);
    let _lock = archive::Lock::take(&archive::DataDir::new(world.path()), "day-2026-11-21").unwrap();
    let output = run_upload(&world, "mongodb://127.0.0.1:9/night", &[]);
    assert_eq!(output.status.code(), Some(75));
    assert!(text(&output).contains(&format!("process {}", std::process::id())), "{}", text(&output));
}

#[test]
fn on_postgresql_it_is_the_same_and_text_that_it_refuses_is_rejected_by_name() {
    let Some((ferret, cluster, _dir)) = server_on_postgresql("on_postgresql_it_is_the_same") else { return };
    let url = format!("mongodb://127.0.0.1:{}/night", ferret.port());
    let world = World::new();
    fill(&world, 30);
    finish_day(&world, NOON);
    let (code, report) = upload(&world, &url, &[]);
    assert_eq!((code, report["state"].as_str()), (0, Some("verified")), "{report}");
    let look = Look::at(&url);
    assert_equal(world.path(), &look);
    let before = look.everything();
    assert_eq!(upload(&world, &url, &["--force"]).0, 0);
    assert_eq!(look.everything(), before);
    assert_eq!(verify(&world, &url, &["--deep", "--sample", "20"]).0, 0);

    // PostgreSQL stores no NUL in text
    let world = World::new();
    let mut nul = artefact("http://example.org/nul", "<p>x");
    nul.http_headers = bus::payload::HttpHeaders("X-Nul: a\0b".into());
    let id = nul.id.to_string();
    world.append(0, artefacts(40));
    world.append(0, vec![nul]);
    finish_day(&world, NOON);
    let (code, report) = upload(&world, &url.replace("/night", "/nul"), &[]);
    assert_eq!((code, report["rejected"].as_u64()), (3, Some(1)), "{report}");
    let rejects = files(&world.path().join("rejects"));
    assert_eq!(string(&rows(&rejects[0])[0], "document"), id);
    drop(ferret);
    drop(cluster);
}
