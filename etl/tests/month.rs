//! A month of nights, with everything that goes wrong in one: days without records, a partition that comes late, a server
//! that is away, a full disk, a damaged segment, records that expired before they were staged, and kills at random.
//!
//! At the end `etl status` has nothing to do but to tell the recorded losses, the database equals the archive field by field,
//! nothing is there twice, and doing everything again changes nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/night.rs"]
mod night;
mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use archive::Day;
use mongodb::bson::doc;
use night::*;
use support::*;
use xtask::services::postgresql::Cluster;

const DAYS: i64 = 30;
const COLLECTIONS: &str = "artefacts,pages,bodies,links";

/// The day of a night, counted from 0.
fn day(n: i64) -> String {
    Day::of_millis(NOON + n * DAY).to_string()
}

/// Memory that an upload may use.
const MEMORY: u64 = 256_000_000;

/// The commands of a night, as cron/ has them; the exit codes.
fn night(world: &World, url: &str, n: i64) -> Vec<i32> {
    let date = day(n);
    let patience = if n == 7 { "1s" } else { "60s" };
    let upload =
        ["upload", "--json", "--day", &date, "--to", url, "--collections", COLLECTIONS, "--retry-for", patience];
    let run = |args: &[&str]| {
        let output = world.etl(args).output().unwrap();
        let code = output.status.code().unwrap_or(-1);
        if code != 0 {
            println!("night {n}, {args:?}: {}", text(&output));
        }
        if let Ok(report) = serde_json::from_slice::<serde_json::Value>(&output.stdout)
            && let Some(peak) = report["peak_memory"].as_u64()
        {
            assert!(peak <= MEMORY, "night {n}: {report}");
            if report["sent"].as_u64() > Some(10_000) {
                println!("night {n}: {} documents in {} s, peak memory {peak}", report["sent"], report["seconds"]);
            }
        }
        code
    };
    [&["stage", "--once"][..], &["extract"][..], &upload[..]].into_iter().map(run).collect()
}

fn backfill(world: &World, url: &str, from: i64, to: i64) -> std::process::Output {
    let (from, to) = (day(from), day(to));
    let args =
        ["backfill", "--from", &from, "--to", &to, "--mongodb", url, "--collections", COLLECTIONS, "--retry-for", "5s"];
    world.etl(&args).output().unwrap()
}

/// Every file of the archive with its content, but for locks.
fn contents(data: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for folder in ["artefacts", "pages", "links", "scripts", "marks", "ledger", "quarantine"] {
        all.extend(files(&data.join(folder)).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())));
    }
    all
}

/// Makes a data directory on a small disk of its own where that is allowed.
fn small_disk() -> (tempfile::TempDir, Option<Mounted>) {
    let dir = tempfile::tempdir().unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1g", "tmpfs"]).arg(dir.path()).stderr(Stdio::null());
    let mounted = mount.status().is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("not run: the full disk of a month: mounting a tmpfs needs root");
        assert!(std::env::var("CI").as_deref() != Ok("true"));
    }
    let path = dir.path().to_owned();
    (dir, mounted.then_some(Mounted(path)))
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Pages of a night on the bus.
fn crawl(world: &World, n: i64, pages: usize) {
    for i in 0..pages {
        let body =
            format!("<html><title>Page {i}</title><p>On day {n} this is page {i}.</p><a href=/{}>next</a>", i + 1);
        world.append(i as u32 % 16, vec![artefact(&format!("http://example.org/{n}/{i}"), body)]);
    }
}

#[test]
fn a_month_ends_whole_whatever_went_wrong_in_it() {
    let is_long = std::env::var_os("KAFKASPIDER_LONG").is_some();
    let large = if is_long { 100_000 } else { 1_000 };
    let store = tempfile::tempdir().unwrap();
    // without a server that finds a day, each night reads all of the large one again
    let cluster = if is_long { Cluster::start(store.path(), false).ok() } else { None };
    let Some(mut server) = server_on(cluster, "a_month_ends_whole_whatever_went_wrong_in_it") else { return };
    let (dir, mounted) = small_disk();
    let world = World::in_dir(dir);
    let url = server.url();

    // expired before anybody staged it: a partition's first records are older than the bus keeps them
    world.at(NOON - 32 * DAY);
    world.append(11, artefacts(3));
    world.at(NOON);
    while world.bus.maintain().unwrap() {}

    let mut random = 7_u64;
    let mut kills = 0;
    for n in 0..DAYS {
        world.at(NOON + n * DAY);
        match n {
            // days without a record
            4 | 5 | 17 => {}
            9 => crawl(&world, n, large),
            _ => crawl(&world, n, 20),
        }
        if n == 12 {
            // just before midnight, and staged after it with the records of the next day
            world.at(NOON + n * DAY + DAY / 2 - 1);
            world.append(2, vec![artefact("http://example.org/late", "<p>late")]);
            world.at(NOON + n * DAY + DAY / 2 + 1);
            world.append(2, vec![artefact("http://example.org/early", "<p>early")]);
        }
        world.at(NOON + n * DAY + 14 * DAY / 24);
        match n {
            7 => {
                server.kill();
                assert_eq!(night(&world, &url, n), [0, 0, 1]);
                server.start();
            }
            14 => {
                // damaged between staging and extraction
                world.ok(&["stage", "--once"]);
                let segment = files(&world.path().join(format!("artefacts/day={}", day(n)))).remove(0);
                let mut bytes = std::fs::read(&segment).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle - 60..middle].fill(0xa5);
                std::fs::write(&segment, bytes).unwrap();
                let checked = world.etl(&["verify", "--archive", "--dry-run"]).output().unwrap();
                assert_eq!(checked.status.code(), Some(3), "{}", text(&checked));
                let mended = world.etl(&["verify", "--archive"]).output().unwrap();
                assert_eq!(mended.status.code(), Some(0), "{}", text(&mended));
                assert!(text(&mended).contains("staged again from the bus"), "{}", text(&mended));
                assert_eq!(night(&world, &url, n), [0, 0, 0]);
            }
            20 if mounted.is_some() => {
                let filler = world.path().join("filler");
                let mut file = std::fs::File::create(&filler).unwrap();
                while file.write_all(&[0; 4096]).is_ok() {}
                drop(file);
                let codes = night(&world, &url, n);
                assert_eq!((codes[0], codes[2]), (1, 1), "a full disk is not told");
                std::fs::remove_file(filler).unwrap();
            }
            // ten kills at random, wherever the night is
            2 | 6 | 8 | 11 | 13 | 16 | 19 | 22 | 25 | 28 => {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (date, data) = (day(n), world.path().to_owned());
                let step: &[&str] = match n % 3 {
                    0 => &["stage", "--once"],
                    1 => &["extract"],
                    _ => &["upload", "--day", &date, "--to", &url, "--collections", COLLECTIONS],
                };
                if n % 3 != 0 {
                    world.ok(&["stage", "--once"]);
                }
                if n % 3 == 2 {
                    world.ok(&["extract"]);
                }
                let mut child = world.etl(step).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
                // after a random time that a night's step may take here
                #[allow(clippy::disallowed_methods, reason = "a kill at random is what this is for")]
                std::thread::sleep(std::time::Duration::from_micros((random >> 33) % 150_000));
                let _ = child.kill();
                let _ = child.wait();
                assert!(data.exists());
                kills += 1;
                assert_eq!(night(&world, &url, n), [0, 0, 0], "after a kill on day {n}");
            }
            _ => assert_eq!(night(&world, &url, n), [0, 0, 0], "day {n}"),
        }
    }
    assert_eq!(kills, 10);

    world.at(NOON + DAYS * DAY);
    let done = backfill(&world, &url, 0, DAYS - 1);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let status: serde_json::Value = serde_json::from_str(&world.ok(&["status", "--days", "40", "--json"])).unwrap();
    assert_eq!((status["late"].as_bool(), status["lost"].as_i64()), (Some(false), Some(3)), "{status}");
    for one in status["days"].as_array().unwrap() {
        assert!(one["next"].is_null(), "{one}");
    }
    let look = server.look();
    assert_equal(world.path(), &look);
    let rows: usize = world.staged_count();
    assert_eq!(look.find("artefacts", doc! {}).len(), rows);
    assert_eq!(rows, 25 * 20 + large + 20 + 2);
    for n in 0..DAYS {
        let date = day(n);
        let output = world.etl(&["verify", "--day", &date, "--mongodb", &url]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{date}: {}", text(&output));
    }

    // everything again changes nothing
    let (database, archive) = (look.everything(), contents(world.path()));
    let again = backfill(&world, &url, 0, DAYS - 1);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    for n in [0, 9, 14, DAYS - 1] {
        assert_eq!(night(&world, &url, n), [0, 0, 0]);
    }
    assert_eq!(world.etl(&["verify", "--archive"]).output().unwrap().status.code(), Some(0));
    let after = contents(world.path());
    let changed: Vec<_> =
        after.iter().filter(|(path, bytes)| archive.get(*path) != Some(bytes)).map(|(path, _)| path).collect();
    assert!(changed.is_empty() && after.len() == archive.len(), "{changed:?}");
    assert!(look.everything() == database, "the database changed");
    drop(world);
    drop(mounted);
}

trait Count {
    fn staged_count(&self) -> usize;
}

impl Count for World {
    /// Rows of all artefacts segments; [`World::staged`] wants no gaps, and here are losses.
    fn staged_count(&self) -> usize {
        let mut ids = std::collections::BTreeSet::new();
        let mut count = 0;
        for path in self.segments() {
            for row in rows(&path) {
                count += 1;
                ids.insert(string(&row, "id"));
            }
        }
        assert_eq!(ids.len(), count, "an id is there twice");
        count
    }
}
