//! What the tests of the night share: servers of the MongoDB protocol, a day that is staged and extracted, and a look into
//! the database with commands of our own.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mongodb::bson::{Bson, Document, doc};
use xtask::services::ferretdb::{Ferret, Store, free_port, program};
use xtask::services::postgresql::Cluster;

use crate::support::{DAY, NOON, World, artefact, artefacts, text};

/// The day on which tests begin.
pub const TODAY: &str = "2026-11-21";

/// A FerretDB on SQLite; none, with a line that says so, when it cannot be built; a failure where CI=true.
pub fn server(test: &str) -> Option<Server> {
    server_on(None, test)
}

/// As [`server`], on PostgreSQL where there is a cluster: it looks a day up, SQLite reads everything.
pub fn server_on(cluster: Option<Cluster>, test: &str) -> Option<Server> {
    let program = match program() {
        Ok(program) => program,
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} needs FerretDB: {error:#}");
            eprintln!("not run: {test}: FerretDB cannot be built: {error:#}");
            return None;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("sqlite")).unwrap();
    let mut server = Server { program, dir, port: free_port().unwrap(), cluster, ferret: None };
    server.start();
    Some(server)
}

/// A server with its store.
pub struct Server {
    program: PathBuf,
    dir: tempfile::TempDir,
    pub port: u16,
    cluster: Option<Cluster>,
    ferret: Option<Ferret>,
}

impl Server {
    /// Starts it on its port and store.
    pub fn start(&mut self) {
        let (sqlite, log) = (self.dir.path().join("sqlite"), self.dir.path().join("log"));
        let store = match &self.cluster {
            Some(cluster) => Store::Postgresql(cluster.url()),
            None => Store::Sqlite(&sqlite),
        };
        self.ferret = Some(Ferret::start(&self.program, self.port, &store, &log).unwrap());
    }

    /// Kills it, as a crash does.
    pub fn kill(&mut self) {
        if let Some(ferret) = self.ferret.take() {
            ferret.kill();
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/night", self.port)
    }

    /// A look into it.
    pub fn look(&self) -> Look {
        Look::at(&self.url())
    }
}

/// A FerretDB on a PostgreSQL cluster of its own, in a folder; none, with a line that says so, when something is missing.
pub fn server_on_postgresql(test: &str) -> Option<(Ferret, Cluster, tempfile::TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let program = program()?;
        let cluster = Cluster::start(dir.path(), false)?;
        let log = dir.path().join("ferretdb.log");
        let ferret = Ferret::start(&program, free_port()?, &Store::Postgresql(cluster.url()), &log)?;
        anyhow::Ok((ferret, cluster))
    };
    match start() {
        Ok((ferret, cluster)) => Some((ferret, cluster, dir)),
        Err(why) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why:#}");
            eprintln!("not run: {test}: {why:#}");
            None
        }
    }
}

/// The database, seen with the driver alone.
pub struct Look {
    runtime: tokio::runtime::Runtime,
    db: mongodb::Database,
}

impl Look {
    pub fn at(url: &str) -> Look {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(mongodb::Client::with_uri_str(url)).unwrap();
        Look { runtime, db: client.database("night") }
    }

    /// Runs a command.
    pub fn run(&self, command: Document) -> Document {
        self.runtime.block_on(async { self.db.run_command(command).await }).unwrap()
    }

    /// All documents of a collection that fit, in order of their `_id`.
    pub fn find(&self, collection: &str, filter: Document) -> Vec<Document> {
        let mut found: Vec<Document> = self.runtime.block_on(async {
            let mut cursor = self.db.collection::<Document>(collection).find(filter).await.unwrap();
            let mut found = Vec::new();
            while cursor.advance().await.unwrap() {
                found.push(Document::try_from(cursor.current().to_owned()).unwrap());
            }
            found
        });
        found.sort_by_key(|d| d.get_str("_id").unwrap_or_default().to_owned());
        found
    }

    /// The one document of this `_id`.
    pub fn one(&self, collection: &str, id: &str) -> Document {
        let mut found = self.find(collection, doc! { "_id": id });
        assert_eq!(found.len(), 1, "{collection} {id}");
        found.remove(0)
    }

    /// Changes a document by hand.
    pub fn change(&self, collection: &str, id: &str, fields: Document) {
        let update = doc! { "q": { "_id": id }, "u": { "$set": fields } };
        let reply = self.run(doc! { "update": collection, "updates": [update] });
        assert_eq!(reply.get("n").and_then(Bson::as_i32), Some(1), "{reply}");
    }

    /// Removes a document by hand.
    pub fn remove(&self, collection: &str, id: &str) {
        let reply = self.run(doc! { "delete": collection, "deletes": [{ "q": { "_id": id }, "limit": 1 }] });
        assert_eq!(reply.get("n").and_then(Bson::as_i32), Some(1), "{reply}");
    }

    /// Adds a document by hand.
    pub fn add(&self, collection: &str, document: Document) {
        self.run(doc! { "insert": collection, "documents": [document] });
    }

    /// Everything that is there but for the ledger, by collection.
    pub fn everything(&self) -> Vec<(String, Vec<Document>)> {
        ["artefacts", "bodies", "links", "pages"]
            .into_iter()
            .map(|name| (name.to_owned(), self.find(name, doc! {})))
            .collect()
    }
}

/// A world with one day that is over, staged and extracted: HTML pages with links on several partitions, one redirect, one
/// failure, one body that comes twice.
pub fn yesterday(pages: usize) -> World {
    let world = World::new();
    fill(&world, pages);
    finish_day(&world, NOON);
    world
}

/// Puts pages onto the bus.
pub fn fill(world: &World, pages: usize) {
    for partition in [0, 3, 7] {
        let list = (0..pages / 3).map(|i| {
            let url = format!("http://example.org/{partition}/{i}");
            let next = i + 1;
            let body = format!(
                "<html lang=en><title>Page {i}</title><body><p>The text of page {i} of partition {partition} \u{e9}.</p>\
                 <a href=/{partition}/{next}>next</a> <a href=/>home</a>"
            );
            artefact(&url, body)
        });
        world.append(partition, list.collect());
    }
    let mut gone = artefact("http://example.org/gone", "");
    (gone.status, gone.error, gone.content_type) = (None, Some("dns".into()), None);
    gone.http_headers = Default::default();
    world.append(5, vec![gone]);
    let mut twins = artefacts(2);
    twins[1].body = twins[0].body.clone();
    twins[1].sha256 = twins[0].sha256.clone();
    world.append(5, twins);
}

/// Ends the day of a time: the clock goes to the next noon, everything is staged and extracted.
pub fn finish_day(world: &World, time: i64) {
    world.at(time + DAY);
    world.ok(&["stage", "--once"]);
    world.ok(&["extract"]);
}

/// Uploads; gives exit code and the JSON summary.
pub fn upload(world: &World, url: &str, more: &[&str]) -> (i32, serde_json::Value) {
    let output = run_upload(world, url, more);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    (output.status.code().unwrap(), json)
}

/// Uploads.
pub fn run_upload(world: &World, url: &str, more: &[&str]) -> Output {
    uploading(world, url, more).arg("--json").output().unwrap()
}

/// The command that uploads all there is of [`TODAY`].
pub fn uploading(world: &World, url: &str, more: &[&str]) -> Command {
    let all = "artefacts,pages,bodies,links";
    let mut command = world.etl(&["upload", "--day", TODAY, "--to", url, "--collections", all]);
    if !more.contains(&"--retry-for") {
        command.args(["--retry-for", "60s"]);
    }
    command.args(more);
    command
}

/// Verifies; gives exit code and JSON.
pub fn verify(world: &World, url: &str, more: &[&str]) -> (i32, serde_json::Value) {
    let output = world.etl(&["verify", "--day", TODAY, "--mongodb", url, "--json"]).args(more).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    (output.status.code().unwrap(), json)
}

/// The ledger's file of a day.
pub fn ledger(world: &World, day: &str) -> serde_json::Value {
    let folder = world.path().join("ledger/uploads").join(format!("day={day}"));
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// Proves that the database holds what the archive holds, field by field, read with the parquet crate and the driver alone.
pub fn assert_equal(data: &Path, look: &Look) {
    use parquet::record::Field;
    for (set, sets) in [("artefacts", ""), ("pages", ""), ("links", "/")] {
        let mut documents: std::collections::BTreeMap<String, Document> =
            look.find(set, doc! {}).into_iter().map(|d| (d.get_str("_id").unwrap().to_owned(), d)).collect();
        for path in crate::support::files(&data.join(set)) {
            for row in crate::support::rows(&path) {
                let mut id = crate::support::string(&row, "id");
                if sets == "/" {
                    id = format!("{id}/{}", crate::support::int(&row, "ordinal"));
                }
                let document = documents.remove(&id).unwrap_or_else(|| panic!("{set} {id} is not in the database"));
                assert_eq!(document.get_str("segment").unwrap(), path.file_name().unwrap().to_str().unwrap());
                for (name, field) in row.get_column_iter() {
                    if name == "body" || (name == "id" && sets.is_empty()) {
                        continue;
                    }
                    let there = document.get(name).unwrap_or_else(|| panic!("{set} {id} has no {name}"));
                    let same = match field {
                        Field::Null => there == &Bson::Null,
                        Field::Str(text) => there.as_str() == Some(text),
                        Field::Long(n) => there.as_i64() == Some(*n),
                        Field::Bool(b) => there.as_bool() == Some(*b),
                        Field::TimestampMicros(t) => {
                            there.as_datetime().map(|d| d.timestamp_millis()) == Some(t.div_euclid(1000))
                        }
                        Field::ListInternal(list) => there.as_array().is_some_and(|a| a.len() == list.elements().len()),
                        other => panic!("{name} is {other:?}"),
                    };
                    assert!(same, "{set} {id}: {name} is {there}, not {field}");
                }
            }
        }
        assert!(documents.is_empty(), "{set} has documents that the archive lacks: {:?}", documents.keys());
    }
    let bodies = look.find("bodies", doc! {});
    let mut wanted: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    for path in crate::support::files(&data.join("artefacts")) {
        wanted.extend(crate::support::rows(&path).iter().map(|row| crate::support::string(row, "body_sha256")));
    }
    let ids: std::collections::BTreeSet<String> = bodies.iter().map(|d| d.get_str("_id").unwrap().to_owned()).collect();
    assert_eq!(ids, wanted);
    for body in &bodies {
        let bytes = zstd::decode_all(body.get_binary_generic("body").unwrap().as_slice()).unwrap();
        use sha2::Digest;
        assert_eq!(hex::encode(sha2::Sha256::digest(&bytes)), body.get_str("_id").unwrap());
        assert_eq!(body.get_i64("bytes").unwrap(), bytes.len() as i64);
    }
}
