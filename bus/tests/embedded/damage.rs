//! What is wrong with a file is said in one line that names it and what to do.

use std::fs;
use std::io::{Seek, Write};
use std::path::Path;

use bus::{Bus, Options};

use crate::Embedded;
use crate::contract::process::Player;
use crate::contract::{Ground, all, crash, need_tool, output, topic};

fn refused(path: &Path) -> String {
    let text = Bus::open(path.to_str().unwrap(), &Options::default()).err().expect("it cannot be opened").to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn what_is_not_a_bus_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder.db")).unwrap();
    assert!(refused(&at("folder.db")).contains("is a folder; name a file in it"));
    fs::write(at("text.db"), "some text that is no database ".repeat(40)).unwrap();
    assert!(refused(&at("text.db")).contains("is not an embedded log"));
    fs::write(at("file"), "x").unwrap();
    assert!(refused(&at("file/bus.db")).contains("cannot be made"));
    let foreign = rusqlite::Connection::open(at("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE t (a); PRAGMA journal_mode").unwrap();
    let before = fs::read(at("foreign.db")).unwrap();
    assert!(refused(&at("foreign.db")).contains("is a database of another program; name another file"));
    assert_eq!(fs::read(at("foreign.db")).unwrap(), before);
    let there: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(there.len(), 4, "nothing is left beside them: {there:?}");
}

#[test]
fn a_bus_of_another_version_is_refused() {
    for (version, remedy) in [(2, "newer program"), (0, "older program")] {
        let ground = Embedded::fresh();
        drop(ground.open());
        let file = rusqlite::Connection::open(ground.url()).unwrap();
        file.pragma_update(None, "user_version", version).unwrap();
        drop(file);
        let text = refused(Path::new(&ground.url()));
        assert!(text.contains(&format!("version {version}")) && text.contains(remedy), "{text}");
    }
}

#[test]
fn urls_that_are_no_bus_are_refused() {
    for (url, reason) in [("", "empty"), ("http://localhost/", "path"), ("Kafka://a:1", "path")] {
        let text = Bus::open(url, &Options::default()).err().unwrap().to_string();
        assert!(text.contains(reason) && text.contains(url), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    // A path is a path, whatever SQLite would make of it.
    for name in ["file:x?mode=memory", ":memory:", "bus.db#prefix.", "a b\u{fc}%20.db"] {
        let path = folder.path().join(name);
        drop(Bus::open(path.to_str().unwrap(), &Options::default()).unwrap());
        assert!(path.is_file(), "{name}");
    }
}

#[test]
fn a_damaged_file_is_named_with_a_remedy() {
    let ground = Embedded::fresh();
    let bus = ground.open();
    topic(&bus, "t", 1);
    for n in 0..20 {
        bus.append(&[output("t", 0, &n.to_string(), vec![9; 60_000])]).unwrap();
    }
    drop(bus);
    let whole = fs::read(ground.url()).unwrap();
    let named = |text: String| {
        assert!(text.contains(&ground.url()) && text.contains("damaged"), "{text}");
        assert!(text.contains("put a copy of the file back") || text.contains("name another file"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    };
    let mut seen = 0;
    for (from, length) in [(0, 16), (16, 2), (100, 60)] {
        let mut file = fs::OpenOptions::new().write(true).open(ground.url()).unwrap();
        file.seek(std::io::SeekFrom::Start(from)).unwrap();
        file.write_all(&vec![0xa5; length]).unwrap();
        if let Err(e) = Bus::open(&ground.url(), &Options::default()) {
            named(e.to_string());
            seen += 1;
        }
        fs::write(ground.url(), &whole).unwrap();
    }
    assert!(seen >= 2);
    // Every page of records in turn, and the file cut short.
    let mut seen = 0;
    for page in 1..whole.len() / 65_536 {
        let mut damaged = whole.clone();
        damaged[page * 65_536..page * 65_536 + 4_096].fill(0xa5);
        fs::write(ground.url(), &damaged).unwrap();
        seen += usize::from(look(&ground).is_some_and(|text| {
            named(text);
            true
        }));
    }
    assert!(seen > 15, "damage was noticed in {seen} pages only");
    fs::write(ground.url(), &whole[..whole.len() / 2]).unwrap();
    named(look(&ground).expect("half of the file is missing"));
    fs::write(ground.url(), &whole).unwrap();
    assert_eq!(look(&ground), None);
}

/// Reads everything; the error when that is not possible.
fn look(ground: &Embedded) -> Option<String> {
    let read = || {
        let mut scan = Bus::open(&ground.url(), &Options::default())?.scan("t", 0, 0)?;
        while !scan.next_batch()?.is_empty() {}
        Ok::<_, bus::Error>(())
    };
    read().err().map(|e| e.to_string())
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    if !need_tool("setpriv", "a_folder_that_cannot_be_written_is_named") {
        return;
    }
    let folder =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let ground = Embedded(folder);
    crash::prepare(&ground.open(), 1);
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let complaint = |url: &str| {
        let mut player = Player::start_under(&nobody, "transfer", url);
        let line = player.line();
        player.end();
        line
    };
    // Where this test may not become another user, or that user cannot run it, there is nothing to see.
    let Some(text) = complaint(&ground.url()) else {
        return eprintln!("not run: a_folder_that_cannot_be_written_is_named: cannot become another user here");
    };
    assert!(text.contains(&ground.url()) && text.contains("check the permissions"), "{text}");
    let new = ground.0.path().join("new.db");
    let text = complaint(new.to_str().unwrap()).unwrap();
    assert!(text.contains("new.db") && text.contains("check that its folder"), "{text}");
    assert_eq!(all(&ground.open(), "in", 0).len(), 1);
}

#[test]
fn a_full_or_failing_disk_is_named_and_nothing_is_half_done() {
    if !need_tool("strace", "a_full_or_failing_disk_is_named_and_nothing_is_half_done") {
        return;
    }
    let template = Embedded::fresh();
    crash::prepare(&template.open(), crash::RECORDS);
    for (call, error, words) in
        [("pwrite64", "ENOSPC", "the disk is full; free some space"), ("fsync", "EIO", "check that its disk works")]
    {
        // From the n-th call on the disk takes nothing more.
        let mut said = 0;
        for n in (1..).step_by(if call == "pwrite64" { 5 } else { 1 }) {
            let ground = template.copy();
            let inject = format!("inject={call}:error={error}:when={n}+");
            let trace = format!("trace={call}");
            let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let mut player = Player::start_under(&strace, "transfer", &ground.url());
            let mut last = String::new();
            while let Some(line) = player.line() {
                last = line;
            }
            player.end();
            let context = format!("{call} fails from number {n} on");
            crash::check(&ground.open(), &context);
            if last == "done" {
                break;
            }
            assert!(last.starts_with("error") && last.contains(ground.0.path().to_str().unwrap()), "{context}: {last}");
            assert!(last.contains(words) || last.contains("; check "), "{context}: {last}");
            said += usize::from(last.contains(words));
        }
        assert!(said > 2, "{call}: {said} errors");
    }
}
