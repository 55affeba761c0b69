//! `etl import --dir`: a folder as a site.

#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use support::{World, files, int, is_null, rows, string, text};

fn site(dir: &Path) {
    for (name, body) in [
        ("index.html", "<title>Start</title><a href=\"sub/\">sub</a>"),
        ("sub/index.html", "<title>Sub</title>"),
        ("sub/page one.html", "<title>One</title>"),
        ("style.css", "a {}"),
        ("README", "no ending"),
    ] {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body).unwrap();
    }
}

fn import(world: &World, dir: &Path, more: &[&str]) -> String {
    let dir = dir.to_str().unwrap();
    world.ok(&[&["import", "--dir", dir, "--base", "http://docs.example/m"], more].concat())
}

#[test]
fn files_become_artefacts_under_their_urls() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    import(&world, dir.path(), &["--day", "2026-11-20"]);
    let segments = world.segments();
    assert_eq!(segments.len(), 1);
    let name = segments[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        name.starts_with("artefacts-x") && name.ends_with("-00000000000000000000-00000000000000000007.parquet"),
        "{name}"
    );
    assert!(segments[0].to_string_lossy().contains("day=2026-11-20"));
    let rows = rows(&segments[0]);
    let seen: Vec<(String, i64)> = rows.iter().map(|row| (string(row, "url"), int(row, "status"))).collect();
    let seen: Vec<(&str, i64)> =
        seen.iter().map(|(url, status)| (url.strip_prefix("http://docs.example/m/").unwrap(), *status)).collect();
    assert_eq!(
        seen,
        [
            ("", 301),
            ("README", 200),
            ("index.html", 200),
            ("style.css", 200),
            ("sub/", 301),
            ("sub/index.html", 200),
            ("sub/page%20one.html", 200),
        ]
    );
    assert!(is_null(&rows[1], "content_type"));
    assert_eq!(string(&rows[3], "content_type"), "text/css");
    assert_eq!(int(&rows[2], "body_bytes"), 42);
    world.ok(&["extract"]);
    let pages = files(&world.path().join("pages"));
    assert_eq!(support::rows(&pages[0]).len(), 3);
}

#[test]
fn importing_twice_adds_nothing_and_a_change_is_an_import_of_its_own() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    import(&world, dir.path(), &["--day", "2026-11-20"]);
    let before = world.segments();
    // On another day too.
    let said = import(&world, dir.path(), &["--json"]);
    assert!(said.contains("\"rows\":0") && said.contains("\"there\":7"), "{said}");
    assert_eq!(world.segments(), before);
    std::fs::write(dir.path().join("style.css"), "b {}").unwrap();
    assert!(import(&world, dir.path(), &["--dry-run"]).contains("would import 7"));
    assert_eq!(world.segments(), before);
    import(&world, dir.path(), &[]);
    assert_eq!(world.segments().len(), 2);
    // The same files under another name of the crawl are another import.
    import(&world, dir.path(), &["--crawl", "other"]);
    assert_eq!(world.segments().len(), 3);
}

#[test]
fn an_interrupted_import_is_finished_by_the_next() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    import(&world, dir.path(), &["--day", "2026-11-20"]);
    let whole = rows(&world.segments()[0]).iter().map(|row| string(row, "id")).collect::<Vec<_>>();
    // What a crash leaves before the rename: nothing under the name, and a folder that nobody holds.
    std::fs::remove_file(&world.segments()[0]).unwrap();
    let left = world.path().join("tmp/import-1");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("00000000000000000000.unfinished"), "half").unwrap();
    import(&world, dir.path(), &["--day", "2026-11-21"]);
    assert_eq!(rows(&world.segments()[0]).iter().map(|row| string(row, "id")).collect::<Vec<_>>(), whole);
    assert!(!left.exists());
}

#[test]
fn what_is_wrong_is_said_and_what_can_be_read_is_imported() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    std::os::unix::fs::symlink("nowhere", dir.path().join("dangling.html")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("outside.txt")).unwrap();
    let path = dir.path().to_str().unwrap();
    let output = world.etl(&["import", "--dir", path, "--base", "http://docs.example/"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(said.contains("dangling.html") && said.contains("--follow-links"), "{said}");
    assert_eq!(rows(&world.segments()[0]).len(), 7);
    for (dir, base, code) in [
        (path, "ftp://x/", 2),
        (path, "docs", 2),
        ("/no/such/folder", "http://x/", 1),
        ("/etc/hostname", "http://x/", 1),
    ] {
        let output = world.etl(&["import", "--dir", dir, "--base", base]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{dir} {base}: {}", text(&output));
    }
}
