//! `etl backfill`: several days and steps, stopped and continued, failing days, locks.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use archive::{DataDir, Lock};
use mongodb::bson::doc;

use crate::night::*;
use crate::support::*;

const DAYS: [&str; 3] = ["2026-11-21", "2026-11-22", "2026-11-23"];

/// Three days of pages on the bus, none of them staged.
fn three_days() -> World {
    let world = World::new();
    for n in 0..3 {
        world.at(NOON + n * DAY);
        for partition in [1, 4] {
            let page =
                |i| artefact(&format!("http://example.org/{n}/{partition}/{i}"), format!("<p>{n} {i}<a href=/>up</a>"));
            world.append(partition, (0..5).map(page).collect());
        }
    }
    world.at(NOON + 3 * DAY);
    world
}

fn backfill(world: &World, url: &str, more: &[&str]) -> std::process::Command {
    let mut command = world.etl(&["backfill", "--from", DAYS[0], "--to", DAYS[2], "--mongodb", url]);
    command.args(["--collections", "artefacts,pages,bodies,links"]).args(more);
    command
}

fn run(world: &World, url: &str, more: &[&str]) -> Output {
    backfill(world, url, more).output().unwrap()
}

/// Lines of the tables that a command printed, without the distances between columns.
fn lines(output: &Output) -> Vec<String> {
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn forced_what_is_extracted_is_extracted_again() {
    use std::os::unix::fs::MetadataExt;
    let world = three_days();
    world.ok(&["stage", "--once"]);
    world.ok(&["extract"]);
    let files = || -> Vec<u64> {
        let folder = world.path().join(format!("pages/day={}", DAYS[1]));
        let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
        entries.sort_by_key(|entry| entry.file_name());
        entries.iter().map(|entry| entry.metadata().unwrap().ino()).collect()
    };
    let before = files();
    let span = ["backfill", "--from", DAYS[0], "--to", DAYS[2], "--steps", "extract"];
    world.ok(&span);
    assert!(!before.is_empty() && files() == before, "nothing was to be done");
    world.ok(&[&span[..], &["--force"]].concat());
    let after = files();
    // a file that takes the place of another cannot have its number
    assert!(
        before.len() == after.len() && before.iter().zip(&after).all(|(old, new)| old != new),
        "{before:?} {after:?}"
    );
}

#[test]
fn days_are_planned_staged_extracted_and_uploaded_and_then_nothing_is_left() {
    let Some(server) = server("days_are_planned_staged_extracted_and_uploaded") else { return };
    let world = three_days();
    // all but the end of the last day is staged, and the first day is extracted
    world.at(NOON + 2 * DAY);
    world.ok(&["stage", "--once"]);
    world.ok(&["extract", "--day", DAYS[0]]);
    world.at(NOON + 3 * DAY);

    let plan = run(&world, &server.url(), &["--dry-run"]);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
    let table = lines(&plan);
    assert_eq!(table[0], "day step state rows bytes");
    assert_eq!(
        (table[1].as_str(), table[2].as_str()),
        ("2026-11-21 stage done", "2026-11-21 extract done"),
        "{table:?}"
    );
    // 10 fetches, 10 pages, 10 bodies, 10 links are to be sent of the day that is extracted
    let upload = table.iter().find(|line| line.starts_with("2026-11-21 upload missing 40 ")).unwrap();
    assert!(upload.ends_with('B') || upload.contains("KiB") || upload.contains("kB"), "{upload}");
    assert!(table.contains(&"2026-11-23 stage missing".to_owned()), "{table:?}");
    assert!(table.contains(&"6 steps are to be done".to_owned()), "{table:?}");
    assert!(
        server.look().find("pages", doc! {}).is_empty() && files(&world.path().join("pages")).len() == 2,
        "a dry run does nothing"
    );

    let done = run(&world, &server.url(), &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let table = lines(&done);
    let of = |day: &str, words: &str| table.iter().any(|line| line.starts_with(&format!("{day} {words} ")));
    assert!(of(DAYS[0], "upload") && of(DAYS[1], "extract, upload"), "{table:?}");
    assert!(of(DAYS[2], "stage, extract, upload"), "{table:?}");
    assert_equal(world.path(), &server.look());
    for day in DAYS {
        assert_eq!(ledger(&world, day)["state"], "verified");
    }

    let before = server.look().everything();
    let again = run(&world, &server.url(), &["--json"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert!(
        report["days"].as_array().unwrap().iter().all(|day| day["steps"].as_array().unwrap().is_empty()),
        "{report}"
    );
    assert_eq!(server.look().everything(), before);
}

#[test]
fn interrupted_and_killed_it_is_continued() {
    let Some(mut server) = server("interrupted_and_killed_it_is_continued") else { return };
    let world = three_days();
    let url = server.url();
    // while the server is away, an upload waits: there it is interrupted, and there it is killed
    server.kill();
    for signal in ["-INT", "-TERM", "-KILL"] {
        let mut child = backfill(&world, &url, &[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut plan = BufReader::new(child.stdout.take().unwrap());
        plan.read_line(&mut String::new()).unwrap();
        wait_for(|| !files(&world.path().join("pages")).is_empty());
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), if signal == "-KILL" { None } else { Some(130) }, "{signal}");
    }
    server.start();
    let done = run(&world, &url, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    assert_equal(world.path(), &server.look());
    assert_eq!(world.etl(&["status"]).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_day_that_fails_does_not_stop_the_others() {
    let Some(server) = server("a_day_that_fails_does_not_stop_the_others") else { return };
    let world = three_days();
    world.ok(&["stage", "--once"]);
    world.ok(&["extract"]);
    // the second day is damaged, and the nightly run has the third
    let damaged = files(&world.path().join("artefacts").join(format!("day={}", DAYS[1]))).remove(0);
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[20..120].fill(0xa5);
    std::fs::write(&damaged, bytes).unwrap();
    let lock = Lock::take(&DataDir::new(world.path()), &format!("day-{}", DAYS[2])).unwrap();
    let output = run(&world, &server.url(), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let table = lines(&output);
    let failed = |day: &str| table.iter().rfind(|line| line.starts_with(day)).unwrap().clone();
    assert_eq!(ledger(&world, DAYS[0])["state"], "verified");
    assert!(failed(DAYS[1]).contains("etl verify --archive"), "{table:?}");
    assert!(failed(DAYS[2]).contains(&format!("process {}", std::process::id())), "{table:?}");
    drop(lock);

    assert_eq!(world.etl(&["verify", "--archive"]).output().unwrap().status.code(), Some(0));
    let output = run(&world, &server.url(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_equal(world.path(), &server.look());
}

#[test]
fn miners_run_as_their_executable_and_a_report_that_is_there_is_not_made_again() {
    let mine = std::path::Path::new(env!("CARGO_BIN_EXE_etl")).with_file_name("mine");
    if !mine.is_file() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "mine is not built");
        eprintln!("not run: miners_run_as_their_executable: mine is not built (cargo build --release --workspace)");
        return;
    }
    let world = World::new();
    // the day between has no record
    for n in [0, 2] {
        world.at(NOON + n * DAY);
        let page =
            |i| artefact(&format!("http://example.org/{n}/{i}"), format!("<p>The word of day {n} is marmalade."));
        world.append(4, (0..5).map(page).collect());
    }
    world.at(NOON + 3 * DAY);
    let args = ["backfill", "--from", DAYS[0], "--to", DAYS[2], "--steps", "stage,extract,mine:terms,mine:links"];
    let plan = world.etl(&[&args[..], &["--dry-run"]].concat()).output().unwrap();
    assert!(lines(&plan).contains(&format!("{} mine:terms missing", DAYS[0])), "{}", text(&plan));
    let done = world.etl(&args).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    let shown = lines(&done);
    let of = |day: &str| shown.iter().rfind(|line| line.starts_with(day)).unwrap();
    assert!(of(DAYS[0]).contains("mine:terms, mine:links"), "{shown:?}");
    let reports = |day: &str| files(&world.path().join(format!("reports/terms/day={day}")));
    for day in [DAYS[0], DAYS[2]] {
        let made = reports(day);
        assert!(made.iter().any(|file| file.ends_with("_SUCCESS")), "{made:?}");
        let table = made.iter().find(|file| file.ends_with("terms.parquet")).unwrap();
        let word = rows(table).into_iter().find(|row| string(row, "term") == "marmalade").unwrap();
        assert_eq!((int(&word, "tf"), int(&word, "df")), (5, 5));
    }
    let before: Vec<_> = DAYS.into_iter().map(reports).collect();
    let again = world.etl(&[&args[..], &["--json"]].concat()).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    let last: serde_json::Value =
        serde_json::from_str(String::from_utf8(again.stdout).unwrap().lines().last().unwrap()).unwrap();
    assert!(last["days"].as_array().unwrap().iter().all(|day| day["steps"].as_array().unwrap().is_empty()), "{last}");
    assert_eq!(DAYS.into_iter().map(reports).collect::<Vec<_>>(), before);
    let status = world.ok(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let first = status["days"].as_array().unwrap().iter().find(|day| day["day"] == DAYS[0]).unwrap();
    assert_eq!(first["mined"], serde_json::json!(["links", "terms"]), "{status}");
}

#[test]
fn steps_of_other_programs_and_wrong_usage_are_told() {
    let world = three_days();
    let output =
        world.etl(&["backfill", "--from", DAYS[0], "--to", DAYS[1], "--steps", "stage,mine:nosuch"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(text(&output).contains("mine:nosuch: ") && !world.segments().is_empty(), "{}", text(&output));
    for wrong in [
        &["backfill", "--from", DAYS[1], "--to", DAYS[0], "--steps", "stage"][..],
        &["backfill", "--from", DAYS[0], "--to", DAYS[1], "--steps", "dance"],
        // no server is named
        &["backfill", "--from", DAYS[0], "--to", DAYS[1]],
    ] {
        let output = world.etl(wrong).env_remove("KAFKASPIDER_MONGODB").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", text(&output));
    }
}
