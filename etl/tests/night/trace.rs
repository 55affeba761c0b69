//! `etl trace`: one URL along the line.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bus::payload::{State, UrlState};
use bus::topic::{self, partition_of};
use parquet::arrow::ArrowWriter;

use crate::night::*;
use crate::support::*;

const URL: &str = "http://example.org/a";

/// A world in which one URL has been everywhere but in a database.
fn world() -> World {
    let world = World::new();
    world.bus.ensure(&[topic::frontier("main")]).unwrap();
    let partition = partition_of(b"example.org", 16);
    let body = "<html><title>The page</title><p>Some words.</p><a href=/b>b</a> <a href=/c>c</a>";
    let other = "<html><title>Other</title><a href=/a>a</a>";
    world.append(partition, vec![artefact("http://example.org/b", other), artefact(URL, body)]);
    for (state, status) in [(State::Pending, None), (State::Fetched, Some(200))] {
        let state = UrlState { state, status, depth: 1, etag: Some("\"7\"".into()), ..UrlState::default() };
        world.bus.append(&[state.to_output("main", URL, partition)]).unwrap();
    }
    finish_day(&world, NOON);
    report(world.path(), &[URL, "http://example.org/b", URL]);
    world
}

/// A finished report whose table has these cells.
fn report(data: &Path, urls: &[&str]) {
    let run = data.join("reports/links/day=2026-11-21/run=0193");
    std::fs::create_dir_all(&run).unwrap();
    let urls: ArrayRef = Arc::new(StringArray::from(urls.to_vec()));
    let ranks: ArrayRef = Arc::new(Int64Array::from_iter_values(0..urls.len() as i64));
    let batch = RecordBatch::try_from_iter([("url", urls), ("rank", ranks)]).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(run.join("pages.parquet")).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    std::fs::write(run.join("_SUCCESS"), "").unwrap();
}

fn traced(world: &World, args: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = world.etl(&["trace", "--json"]).args(args).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output))))
}

#[test]
fn a_url_is_told_from_the_frontier_to_the_reports() {
    let Some(server) = server("a_url_is_told_from_the_frontier_to_the_reports") else { return };
    let world = world();
    assert_eq!(upload(&world, &server.url(), &[]).0, 0);
    // it need not be canonical
    let (code, all) = traced(&world, &["HTTP://Example.org:80/a#part", "--mongodb", &server.url()]);
    assert_eq!((code, all["url"].as_str()), (Some(0), Some(URL)));
    let frontier = &all["frontier"];
    assert_eq!((frontier["state"].as_str(), frontier["status"].as_i64()), (Some("fetched"), Some(200)), "{frontier}");
    assert_eq!((frontier["offset"].as_i64(), frontier["etag"].as_str()), (Some(1), Some("\"7\"")), "{frontier}");

    let (on_bus, archived, page) = (&all["bus"][0], &all["archive"][0], &all["pages"][0]);
    assert_eq!((on_bus["offset"].as_i64(), on_bus["status"].as_i64()), (Some(1), Some(200)), "{on_bus}");
    assert_eq!((archived["offset"].as_i64(), archived["day"].as_str()), (Some(1), Some(TODAY)), "{archived}");
    assert_eq!(on_bus["id"], archived["id"]);
    let segment = world.segments()[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(archived["segment"].as_str(), Some(segment.as_str()));
    assert_eq!((page["title"].as_str(), page["links_out"].as_i64()), (Some("The page"), Some(2)), "{page}");
    assert_eq!(page["id"], archived["id"]);
    for key in ["bus", "archive", "pages"] {
        assert_eq!(all[key].as_array().unwrap().len(), 1, "{all}");
    }

    let documents = all["database"]["documents"].as_array().unwrap();
    let of = |name: &str| documents.iter().filter(move |d| d["collection"] == name).collect::<Vec<_>>();
    for name in ["artefacts", "pages"] {
        assert_eq!((of(name).len(), &of(name)[0]["id"]), (1, &archived["id"]), "{documents:?}");
    }
    assert_eq!((of("bodies").len(), &of("bodies")[0]["id"]), (1, &archived["body_sha256"]), "{documents:?}");
    let links: Vec<_> = of("links").iter().map(|d| (d["direction"].as_str().unwrap(), d["count"].as_i64())).collect();
    assert_eq!(links, [("from it", Some(2)), ("to it", Some(1))]);

    let reports = all["reports"].as_array().unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0]["miner"].as_str(), reports[0]["cells"].as_i64()), (Some("links"), Some(2)), "{reports:?}");

    let shown = world.ok(&["trace", URL, "--mongodb", &server.url()]);
    for words in
        ["state fetched", &segment, "title The page", "collection bodies", "miner links", "table pages.parquet"]
    {
        assert!(shown.contains(words), "{words} is missing:\n{shown}");
    }
}

#[test]
fn what_cannot_be_asked_does_not_hide_the_rest() {
    let world = world();
    // no server there, and a damaged segment beside the one that counts
    let away = ["--mongodb", "mongodb://127.0.0.1:9/night", "--retry-for", "1s", "--timeout", "1s"];
    let damaged =
        world.segments()[0].with_file_name("artefacts-p015-00000000000000000000-00000000000000000001.parquet");
    std::fs::write(damaged, "PAR1 no more").unwrap();
    let (code, all) = traced(&world, &[&[URL][..], &away].concat());
    assert_eq!((code, all["archive"].as_array().unwrap().len()), (Some(3), 1), "{all}");
    assert!(all["database"]["error"].as_str().unwrap().contains("was away"), "{all}");
    assert_eq!(all["reports"].as_array().unwrap().len(), 1);
    let output = world.etl(&["trace", URL]).args(away).output().unwrap();
    assert!(
        text(&output).contains("etl verify --archive") && text(&output).contains("not answered"),
        "{}",
        text(&output)
    );
}

#[test]
fn an_unknown_url_says_so_and_what_is_no_url_is_wrong_usage() {
    let world = world();
    let shown = world.ok(&["trace", "http://example.org/never"]);
    assert!(shown.contains("nothing is known of it") && shown.contains("spider explain"), "{shown}");
    assert!(shown.contains("database: not asked; --mongodb names one"), "{shown}");
    assert_eq!(world.etl(&["trace", "no url"]).output().unwrap().status.code(), Some(2));
    // no bus there, and another crawl: the archive still knows it, and nothing is made
    let empty = tempfile::tempdir().unwrap();
    let bus = empty.path().join("bus.db");
    let output = world.etl_at(world.path(), &bus, &["trace", URL, "--json", "--crawl", "other"]).output().unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(all["frontier"].is_null() && all["archive"].as_array().unwrap().len() == 1, "{all}");
    assert!(!bus.exists());
}
