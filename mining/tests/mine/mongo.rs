//! A database as the source: what `etl upload` brought to FerretDB gives the same reports, byte by byte, as the archive that it
//! came from.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use mongodb::bson::{Document, doc};
use xtask::services::ferretdb::{Ferret, Store, free_port, program};

use crate::support::{mine, report, stderr};

/// A server, an archive of two days, and the server's URL with both days in it.
struct World {
    dir: tempfile::TempDir,
    url: String,
    _server: Ferret,
}

impl World {
    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn etl(&self, arguments: &[&str]) {
        etl(&executable().unwrap(), &self.data(), arguments);
    }

    /// Runs a command of the database.
    fn run(&self, command: Document) -> Document {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = mongodb::Client::with_uri_str(&self.url).await.unwrap();
            client.database("mine").run_command(command).await.unwrap()
        })
    }
}

/// The uploader, which is built beside this crate's executable.
fn executable() -> Option<PathBuf> {
    Some(Path::new(env!("CARGO_BIN_EXE_mine")).with_file_name("etl")).filter(|path| path.is_file())
}

fn etl(executable: &Path, data: &Path, arguments: &[&str]) {
    let output = Command::new(executable).args(arguments).arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "etl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// None, with a line that says so, when something is missing; a failure where CI=true.
fn world(test: &str) -> Option<World> {
    let missing = |why: String| {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
        eprintln!("not run: {test}: {why}");
        None
    };
    let Some(etl_program) = executable() else {
        return missing("etl is not built: `cargo build --release --workspace --bin etl`".to_owned());
    };
    let program = match program() {
        Ok(program) => program,
        Err(error) => return missing(format!("FerretDB cannot be built: {error:#}")),
    };
    let dir = tempfile::tempdir().unwrap();
    let (store, data) = (dir.path().join("store"), dir.path().join("data"));
    std::fs::create_dir(&store).unwrap();
    let port = free_port().unwrap();
    let server = Ferret::start(&program, port, &Store::Sqlite(&store), &dir.path().join("log")).unwrap();
    let url = format!("mongodb://127.0.0.1:{port}/mine");
    for (day, base) in [("2026-11-20", "http://a.example/"), ("2026-11-21", "http://b.example/")] {
        let site = dir.path().join(day);
        std::fs::create_dir(&site).unwrap();
        for page in 0..40 {
            let words: Vec<String> = (0..50).map(|word| format!("word{}", (page / 3 * 7 + word * word) % 97)).collect();
            let links: String = (1..6).map(|step| format!("<a href={}.html>x</a> ", page * step % 45)).collect();
            let text = format!("<html lang=en><title>Page {page}</title><body><p>{} {links}", words.join(" "));
            std::fs::write(site.join(format!("{page}.html")), text).unwrap();
        }
        etl(&etl_program, &data, &["import", "--day", day, "--dir", site.to_str().unwrap(), "--base", base]);
    }
    etl(&etl_program, &data, &["extract"]);
    let world = World { dir, url, _server: server };
    for day in ["2026-11-20", "2026-11-21"] {
        let all = "artefacts,pages,bodies,links";
        world.etl(&["upload", "--partial", "--day", day, "--collections", all, "--mongodb", &world.url]);
    }
    Some(world)
}

/// What a report holds, its manifest aside.
fn files(report: &Path) -> Vec<(String, Vec<u8>)> {
    let paths = std::fs::read_dir(report).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, Vec<u8>)> = paths
        .filter(|path| path.file_name().unwrap() != "manifest.json")
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The hash that the segment's footer states, as text that is not packed.
fn assert_inputs_are_named_by_the_hash_of_their_rows(data: &Path, report: &Path) {
    let manifest: archive::Manifest =
        serde_json::from_slice(&std::fs::read(report.join("manifest.json")).unwrap()).unwrap();
    assert!(!manifest.inputs.is_empty());
    for input in &manifest.inputs {
        let hash = input.hash.as_ref().unwrap();
        assert!(hash.len() == 32 && input.sha256.is_empty(), "{input:?}");
        let segment = std::fs::read(data.join(&input.path)).unwrap();
        assert_eq!(input.bytes, segment.len() as u64);
        let stated = "kafkaspider.hash";
        let after = segment.windows(stated.len()).position(|bytes| bytes == stated.as_bytes()).unwrap();
        assert!(segment[after..].windows(32).any(|bytes| bytes == hash.as_bytes()), "{input:?}");
    }
}

#[test]
fn a_database_gives_the_same_reports_as_the_archive_that_was_uploaded() {
    let Some(world) = world("a_database_gives_the_same_reports_as_the_archive_that_was_uploaded") else { return };
    let data = world.data();
    for miner in [
        &["terms", "--min-count", "1"][..],
        &["keywords"],
        &["links", "--export", "edges"],
        &["cluster", "--k", "3"],
        &["duplicates", "--threshold", "0.5"],
        &["hosts"],
        &["languages"],
        &["keywords", "--day", "2026-11-21"],
    ] {
        let one = report(&data, miner);
        assert_inputs_are_named_by_the_hash_of_their_rows(&data, &one);
        let one = files(&one);
        let other = report(&data, &[miner, &["--source", &world.url]].concat());
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(other.join("manifest.json")).unwrap()).unwrap();
        let input = manifest["inputs"][0]["path"].as_str().unwrap();
        assert!(input.starts_with(&format!("{}/", world.url)), "{input}");
        for (a, b) in one.iter().zip(&files(&other)) {
            assert!(a == b, "{} of {miner:?} differs", a.0);
        }
    }
    for query in [
        "SELECT url, status, fetched_at, headers, body_bytes, body FROM artefacts ORDER BY url",
        "SELECT * FROM pages ORDER BY url",
        "SELECT src, kind, count(*) AS n FROM links GROUP BY src, kind ORDER BY src, kind",
        "SELECT count(*) AS n FROM keywords_keywords",
    ] {
        let ask = |more: &[&str]| {
            let output = mine(&data, &[&["sql", query, "--format", "json"], more].concat());
            assert!(output.status.success(), "{query}: {}", stderr(&output));
            String::from_utf8(output.stdout).unwrap()
        };
        let of_archive = ask(&[]);
        assert!(of_archive.lines().count() > 0 && of_archive == ask(&["--source", &world.url]), "{query}");
    }
    assert_eq!(std::fs::read_dir(data.join("tmp")).unwrap().count(), 0, "what was fetched stays behind");
}

#[test]
fn only_the_days_asked_for_are_read() {
    let Some(world) = world("only_the_days_asked_for_are_read") else { return };
    // A document of the other day that cannot be read.
    let page = doc! { "q": { "url": "http://a.example/3.html" }, "u": { "$set": { "words": "many" } } };
    let reply = world.run(doc! { "update": "pages", "updates": [page] });
    assert_eq!(reply.get("n").and_then(mongodb::bson::Bson::as_i32), Some(1), "{reply}");
    report(&world.data(), &["languages", "--source", &world.url, "--day", "2026-11-21"]);
    let output = mine(&world.data(), &["languages", "--source", &world.url]);
    let said = stderr(&output);
    let errors = said.lines().filter(|line| !line.contains("WARN")).count();
    assert_eq!((output.status.code(), errors), (Some(1), 1), "{said}");
    assert!(said.contains("is not known to be whole"), "the days were uploaded in part: {said}");
    assert!(said.contains("words") && said.contains("2026-11-20"), "{said}");
    let output = mine(&world.data(), &["languages", "--source", &world.url, "--day", "2026-11-22"]);
    assert!(stderr(&output).contains("2026-11-20 to 2026-11-21"), "{}", stderr(&output));
    // a day without pages that the ledger calls whole is empty
    let day = mongodb::bson::DateTime::from_millis(crate::support::day("2026-11-22").start_millis());
    let whole = doc! { "_id": "a", "day": day, "state": "verified", "partial": false, "collections": ["links"] };
    world.run(doc! { "insert": "ledger", "documents": [whole] });
    for miner in ["languages", "links", "terms"] {
        let report = report(&world.data(), &[miner, "--source", &world.url, "--day", "2026-11-22"]);
        assert!(report.parent().unwrap().ends_with("day=2026-11-22"), "{}", report.display());
    }
}

#[test]
fn a_database_without_pages_and_a_server_that_is_away_are_one_line() {
    let Some(world) = world("a_database_without_pages_and_a_server_that_is_away_are_one_line") else { return };
    let away = format!("mongodb://127.0.0.1:{}/mine", free_port().unwrap());
    let empty = world.url.replace("/mine", "/empty");
    for (url, word) in [(away, "127.0.0.1"), (empty, "etl upload")] {
        let output = mine(&world.data(), &["terms", "--source", &url]);
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(word), "{said}");
    }
    // Links are uploaded only when they are asked for: without them there is no graph.
    for day in ["2026-11-20", "2026-11-21"] {
        let url = world.url.replace("/mine", "/few");
        world.etl(&["upload", "--partial", "--day", day, "--mongodb", &url]);
    }
    let url = world.url.replace("/mine", "/few");
    let output = mine(&world.data(), &["links", "--source", &url]);
    assert!(!output.status.success() && stderr(&output).contains("--collections"), "{}", stderr(&output));
    assert!(mine(&world.data(), &["hosts", "--source", &url]).status.success());
}

/// Passes on what a client and a server say, until so many bytes came from the server: then all connections end, and new ones end
/// at once, as those of a server that has died.
struct Line {
    port: u16,
    passed: Arc<AtomicU64>,
}

impl Line {
    fn to(server: u16, most: u64) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, passed) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let (count, open) = (Arc::clone(&passed), Arc::new(Mutex::new(Vec::<TcpStream>::new())));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let mut streams = open.lock().unwrap();
                if count.load(Ordering::Relaxed) > most {
                    continue;
                }
                streams.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                let (mut asks, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || drop(std::io::copy(&mut asks, &mut asked)));
                let (count, open) = (Arc::clone(&count), Arc::clone(&open));
                std::thread::spawn(move || answers(server, client, most, &count, &open));
            }
        });
        Line { port, passed }
    }
}

fn answers(mut server: TcpStream, mut client: TcpStream, most: u64, count: &AtomicU64, open: &Mutex<Vec<TcpStream>>) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        if count.fetch_add(read as u64, Ordering::Relaxed) + read as u64 > most {
            open.lock().unwrap().iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
            return;
        }
        if client.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_dies_while_it_is_read_is_one_line_and_leaves_nothing() {
    let Some(world) = world("a_server_that_dies_while_it_is_read_is_one_line_and_leaves_nothing") else { return };
    let port: u16 = world.url.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let run = |most: u64| {
        let line = Line::to(port, most);
        let url = format!("mongodb://127.0.0.1:{}/mine?serverSelectionTimeoutMS=1000", line.port);
        let output = mine(&world.data(), &["links", "--source", &url]);
        (output, line.passed.load(Ordering::Relaxed))
    };
    let reports = world.data().join("reports");
    let (output, all) = run(u64::MAX);
    assert!(output.status.success() && all > 50_000, "{all} bytes: {}", stderr(&output));
    std::fs::remove_dir_all(&reports).unwrap();
    for eighth in 1..8 {
        let (output, _) = run(all * eighth / 8);
        let said = stderr(&output);
        let errors: Vec<&str> = said.lines().filter(|line| !line.contains("WARN")).collect();
        assert_eq!((output.status.code(), errors.len()), (Some(1), 1), "{eighth} of 8: {said}");
        assert!(errors[0].contains("127.0.0.1") && errors[0].contains("again"), "{said}");
        assert!(output.stdout.is_empty() && !reports.exists(), "{eighth} of 8: a report is left");
        assert_eq!(std::fs::read_dir(world.data().join("tmp")).unwrap().count(), 0, "what was fetched stays behind");
    }
    // The same server, alive again.
    report(&world.data(), &["links", "--source", &world.url]);
}
