//! What uploading costs, beside what such pipelines do today, and beside what the server bears.
//!
//! The documents of one day (HTML files below `--site`, staged and extracted) are uploaded
//!
//! * to a stub server that only acknowledges, by `etl upload --no-verify` and by bench/peer-upload/upload.py (pyarrow,
//!   zstandard, pymongo): documents per CPU-second of the client. The script runs in three ways: doing the same job (the same
//!   documents, which is checked field by field, the same indexes, the same checks of the segments; no ledger), without
//!   those checks, and making documents without `rev` and checking nothing, as scripts do that never compare what is there;
//! * to FerretDB on PostgreSQL (a cluster of its own, unless `--postgresql` names one; on SQLite where PostgreSQL is not
//!   installed), by `etl upload --no-verify` and by a bare loop of the same
//!   driver over the same documents, which are in memory before the clock starts: documents per second.
//!
//! Each three times (`--rounds`), in turn; of figures and of each round's ratios the median counts. Peak memory is upload's own.
//!
//! `cargo xtask bench upload [-- --site DIR --pages N --rounds N --python PYTHON --postgresql URL --against stub|ferretdb]`

#![allow(missing_docs, reason = "an executable")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]

#[path = "upload/stub.rs"]
mod stub;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bus::payload::{Artefact, HttpHeaders};
use bus::{Bus, Options, Output, topic};
use mongodb::bson::Bson;
use mongodb::bson::raw::RawDocumentBuf;
use sha2::{Digest, Sha256};
use xtask::services::ferretdb::{Ferret, Store, free_port, program};
use xtask::services::postgresql::Cluster;

/// What is uploaded to the stub: what `etl upload` sends unless told otherwise, and all that it can send.
const JOBS: [(&str, &str); 2] =
    [("without links", "artefacts,pages,bodies"), ("with links", "artefacts,pages,bodies,links")];

/// How the script is run.
struct Way {
    name: &'static str,
    flags: &'static [&'static str],
    /// It makes the same documents.
    same: bool,
}

const WAYS: [Way; 3] = [
    Way { name: "Python peer, the same job", flags: &["--check"], same: true },
    Way { name: "Python peer, without the checks", flags: &["--rev"], same: true },
    Way { name: "Python peer, documents without rev", flags: &[], same: false },
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut site, mut pages, mut python, mut postgresql, mut rounds) = (site(), 5_000, "python3".to_owned(), None, 3);
    let mut against = "both".to_owned();
    while let Some(flag) = arguments.next() {
        let value = arguments.next().expect("a value");
        match flag.as_str() {
            "--site" => site = value.into(),
            "--pages" => pages = value.parse().expect("a number"),
            "--python" => python = value,
            "--rounds" => rounds = value.parse().expect("a number"),
            "--postgresql" => postgresql = Some(value),
            "--against" if ["both", "stub", "ferretdb"].contains(&&*value) => against = value,
            _ => panic!("{flag} is not known"),
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let etl = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("etl");
    let bytes = fill(dir.path(), &etl, &site, pages);
    println!("{pages} pages of {} ({:.0} MB of HTML)", site.display(), bytes as f64 / 1e6);

    // documents per CPU-second against the stub
    let mut documents = Vec::new();
    for (job, collections) in JOBS {
        let (mut ours, mut theirs, mut peak) = (Vec::new(), WAYS.map(|_| Vec::new()), 0.0_f64);
        // what the bare loop sends is what upload has sent
        if against == "ferretdb" {
            let server = stub::start();
            upload(dir.path(), &etl, &format!("mongodb://127.0.0.1:{}/bench", server.port), collections);
            documents = server.documents();
            break;
        }
        for round in 0..rounds {
            let server = stub::start();
            let url = format!("mongodb://127.0.0.1:{}/bench", server.port);
            let report = upload(dir.path(), &etl, &url, collections);
            ours.push(report["sent"].as_f64().unwrap() / report["cpu_seconds"].as_f64().unwrap());
            peak = peak.max(report["peak_memory"].as_f64().unwrap());
            let sent = server.documents();
            for (way, theirs) in WAYS.iter().zip(&mut theirs) {
                let server = stub::start();
                let Some(report) = peer(dir.path(), &python, server.port, collections, way.flags) else { continue };
                theirs.push(report["documents"].as_f64().unwrap() / report["cpu_seconds"].as_f64().unwrap());
                if round == 0 && way.same {
                    assert_same(&sent, &server.documents());
                }
            }
            if job == JOBS[0].0 {
                documents = sent;
            }
        }
        println!(
            "stub, {job}: {:<34} {:>9.0} documents per CPU-second, peak memory {:.0} MB",
            "etl upload",
            median(&ours),
            peak / 1e6
        );
        if theirs[0].is_empty() {
            println!(
                "not run: the peer: {python} lacks pyarrow, zstandard or pymongo (--python names one that has them)"
            );
            continue;
        }
        for (way, theirs) in WAYS.iter().zip(&theirs) {
            println!(
                "stub, {job}: {:<34} {:>9.0} documents per CPU-second; ratio {:.2}",
                way.name,
                median(theirs),
                ratio(&ours, theirs)
            );
        }
    }

    // documents per second against FerretDB
    if against == "stub" {
        return;
    }
    let (mut ours, mut bare, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    let program = program().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // a cluster of our own, unless one is named; SQLite where PostgreSQL is not installed
    let cluster = if postgresql.is_none() { Cluster::start(folder.path(), true).ok() } else { None };
    let postgresql = postgresql.or_else(|| cluster.as_ref().map(|cluster| cluster.url().to_owned()));
    for round in 0..rounds {
        // who comes second finds a warmer machine
        for with_loop in [round % 2 == 1, round % 2 == 0] {
            let folder = dir.path().join(format!("server-{round}-{with_loop}"));
            std::fs::create_dir(&folder).unwrap();
            let store = postgresql.as_deref().map_or(Store::Sqlite(&folder), Store::Postgresql);
            let server = Ferret::start(&program, free_port().unwrap(), &store, &dir.path().join("log")).unwrap();
            let url = format!("mongodb://127.0.0.1:{}/bench{round}{}", server.port(), u8::from(with_loop));
            if with_loop {
                bare.push(documents.len() as f64 / raw_loop(&url, &documents));
            } else {
                let report = upload(dir.path(), &etl, &url, JOBS[0].1);
                ours.push(report["sent"].as_f64().unwrap() / report["seconds"].as_f64().unwrap());
                peak = peak.max(report["peak_memory"].as_f64().unwrap());
            }
        }
    }
    let ratio = ratio(&ours, &bare);
    let (ours, bare) = (median(&ours), median(&bare));
    let store = if postgresql.is_some() { "PostgreSQL" } else { "SQLite" };
    println!("FerretDB on {store}: etl upload  {ours:>7.0} documents/s, peak memory {:.0} MB", peak / 1e6);
    println!("FerretDB on {store}: bare loop   {bare:>7.0} documents/s; ratio {ratio:.2}");
}

/// The Rust documentation, as rustup or Debian has it, else that of Python.
fn site() -> PathBuf {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().map(|output| output.stdout);
    let sysroot = String::from_utf8(sysroot.unwrap_or_default()).unwrap_or_default();
    let rust = Path::new(sysroot.trim()).join("share/doc/rust/html");
    let known = [rust, "/usr/share/doc/rust-doc/html".into(), "/usr/share/doc/python3.11/html".into()];
    known.into_iter().find(|folder| folder.is_dir()).unwrap_or_default()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of the rounds' ratios: both sides of one were measured a second apart, on a machine that is now faster, now slower.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(&ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>())
}

/// Stages and extracts a day of pages; gives their bytes.
fn fill(data: &Path, etl: &Path, site: &Path, pages: usize) -> usize {
    let mut files = Vec::new();
    collect(site, &mut files);
    assert!(!files.is_empty(), "{} has no HTML files; --site names another folder", site.display());
    let bus = Bus::open(data.join("bus.db").to_str().unwrap(), &Options::default()).unwrap();
    bus.ensure(&[topic::artefacts(), topic::seals(), topic::dead_letters()]).unwrap();
    let mut total = 0;
    let mut batch = Vec::new();
    for i in 0..pages {
        let mut body = std::fs::read(&files[i % files.len()]).unwrap();
        // so that each body is another one
        body.extend_from_slice(format!("<!-- {i} -->").as_bytes());
        total += body.len();
        let headers =
            "Content-Type: text/html\r\nServer: bench\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nETag: \"1\"".to_owned();
        let artefact = Artefact {
            id: uuid::Uuid::now_v7(),
            source: "bench".into(),
            url: format!("http://example.org/{i}"),
            fetched_at: 1_795_262_400_000_000,
            crawl: "main".into(),
            status: Some(200),
            error: None,
            content_type: Some("text/html".into()),
            http_headers: HttpHeaders(headers.into()),
            sha256: hex::encode(Sha256::digest(&body)),
            body: body.into(),
            truncated: false,
            via: Some("http://example.org/".into()),
            depth: 1,
            hops: 0,
            elapsed_ms: 12,
            remote: Some("127.0.0.1:80".into()),
        };
        batch.push(Output { topic: topic::ARTEFACTS.into(), partition: 0, record: artefact.into_record() });
        if batch.len() == 50 || i + 1 == pages {
            bus.append(&std::mem::take(&mut batch)).unwrap();
        }
    }
    drop(bus);
    for step in [&["stage", "--once"][..], &["extract"]] {
        assert!(
            Command::new(etl)
                .args(step)
                .arg("--data")
                .arg(data)
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap()
                .success()
        );
    }
    total
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            files.push(path);
        }
    }
}

/// The day that was staged.
fn day(data: &Path) -> String {
    let folder = std::fs::read_dir(data.join("artefacts")).unwrap().next().unwrap().unwrap().file_name();
    folder.to_str().unwrap().trim_start_matches("day=").to_owned()
}

fn upload(data: &Path, etl: &Path, url: &str, collections: &str) -> serde_json::Value {
    let _ = std::fs::remove_dir_all(data.join("ledger"));
    let output = Command::new(etl)
        .args(["upload", "--partial", "--no-verify", "--json", "--day", &day(data), "--to", url])
        .args(["--collections", collections, "--data"])
        .arg(data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Both sent the same documents, field by field, in whatever order; but for compressed bytes, which versions of zstd make
/// otherwise.
fn assert_same(ours: &[(String, RawDocumentBuf)], theirs: &[(String, RawDocumentBuf)]) {
    let sorted = |documents: &[(String, RawDocumentBuf)]| {
        let fields = |document: &RawDocumentBuf| {
            let mut document = mongodb::bson::Document::try_from(document.clone()).unwrap();
            document.remove("body");
            // Python's driver writes a small number as one of 32 bits
            let wide = |value| match value {
                Bson::Int32(n) => Bson::Int64(n.into()),
                other => other,
            };
            document.into_iter().map(|(name, value)| (name, wide(value))).collect::<BTreeMap<_, _>>()
        };
        let key = |document: &RawDocumentBuf| document.get_str("_id").unwrap().to_owned();
        let all = documents.iter().map(|(collection, d)| ((collection.clone(), key(d)), fields(d)));
        all.collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (sorted(ours), sorted(theirs));
    assert_eq!((a.len(), ours.len()), (b.len(), theirs.len()), "the peer sent other documents");
    for ((id, ours), theirs) in a.iter().zip(b.values()) {
        assert_eq!(ours, theirs, "{id:?} of the peer is another document");
    }
}

fn peer(data: &Path, python: &str, port: u16, collections: &str, flags: &[&str]) -> Option<serde_json::Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/peer-upload/upload.py");
    let day = day(data);
    let mut segments = Vec::new();
    // bodies come from the same files as artefacts
    for set in collections.split(',').filter(|name| *name != "bodies") {
        let folder = data.join(set).join(format!("day={day}"));
        segments.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    let output = Command::new(python)
        .arg(script)
        .args(flags)
        .args([&format!("mongodb://127.0.0.1:{port}/bench"), &day])
        .args(segments)
        .output()
        .ok()?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

/// Inserts documents that are in memory, in batches of a thousand, four at a time, into collections that have the indexes
/// that an upload makes; gives the seconds.
fn raw_loop(url: &str, documents: &[(String, RawDocumentBuf)]) -> f64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = mongodb::Client::with_uri_str(url).await.unwrap();
        let db = client.default_database().unwrap();
        let mut batches: Vec<(String, Vec<RawDocumentBuf>)> = Vec::new();
        for (collection, document) in documents {
            match batches.last_mut() {
                Some((last, batch)) if last == collection && batch.len() < 1_000 => batch.push(document.clone()),
                _ => batches.push((collection.clone(), vec![document.clone()])),
            }
        }
        // as an upload's own time, this has the making of the indexes in it
        let started = Instant::now();
        for collection in ["artefacts", "pages"] {
            for (name, keys) in [
                ("day_segment", &["day", "segment"][..]),
                ("url", &["url"]),
                ("host_fetched_at", &["host", "fetched_at"]),
                ("body", &["body_sha256"]),
            ] {
                let key: mongodb::bson::Document = keys.iter().map(|key| ((*key).to_owned(), Bson::Int32(1))).collect();
                let index = mongodb::bson::doc! { "key": key, "name": name };
                db.run_command(mongodb::bson::doc! { "createIndexes": collection, "indexes": [index] }).await.unwrap();
            }
        }
        let mut tasks = tokio::task::JoinSet::new();
        for (collection, batch) in batches {
            while tasks.len() >= 4 {
                tasks.join_next().await.unwrap().unwrap();
            }
            let collection = db.collection::<RawDocumentBuf>(&collection);
            tasks.spawn(async move {
                collection.insert_many(batch).ordered(false).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        started.elapsed().as_secs_f64()
    })
}
