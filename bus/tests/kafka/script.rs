//! docs/kafka.py, as its page says: with nothing but confluent-kafka it reads an artefact and gives a crawl a seed.

use std::path::{Path, PathBuf};
use std::process::Command;

use bus::payload::{Artefact, Discovered};
use bus::{Output, topic};

use super::OnKafka;
use crate::contract::*;

/// Python with the package, in an environment that is kept in the cache folder.
fn python() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = cache.ok_or("there is no HOME")?.join("kafkaspider/python-confluent");
    let python = folder.join("bin/python");
    if folder.join("complete").is_file() {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{command:?}: {error}")),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "--quiet", "install", "confluent-kafka"]))?;
    std::fs::write(folder.join("complete"), "").map_err(|error| error.to_string())?;
    Ok(python)
}

#[test]
fn the_script_of_the_docs_reads_an_artefact_and_adds_a_seed_where_it_belongs() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "the script of the docs needs confluent-kafka: {why}"
            );
            eprintln!("not run: the_script_of_the_docs_reads_an_artefact_and_adds_a_seed_where_it_belongs: {why}");
            return;
        }
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/kafka.py");
    assert!(std::fs::read_to_string(&script).unwrap().lines().count() <= 30);
    let ground = OnKafka::fresh();
    let url = ground.url();
    let (hosts, prefix) = url.strip_prefix("kafka://").and_then(|url| url.split_once('/')).unwrap();
    let run = || {
        let output = Command::new(&python).arg(&script).args([hosts, "http://example.org/a", prefix]).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };

    let (code, said) = run();
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    for word in [&format!("{prefix}artefacts"), &format!("{prefix}discovered.main"), "spider crawl"] {
        assert!(said.contains(word), "{said}");
    }

    let bus = ground.open();
    bus.ensure(&[topic::artefacts(), topic::discovered("main")]).unwrap();
    let artefact = Artefact {
        id: uuid::Uuid::now_v7(),
        source: "spider/test".into(),
        url: "http://example.org/".into(),
        crawl: "main".into(),
        status: Some(200),
        content_type: Some("text/html".into()),
        body: b"hello"[..].into(),
        sha256: "0".repeat(64),
        ..Artefact::default()
    };
    bus.append(&[Output { topic: topic::ARTEFACTS.into(), partition: 5, record: artefact.into_record() }]).unwrap();
    let (code, said) = run();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("http://example.org/ 200 text/html 5 bytes"), "{said}");

    let partition = topic::partition_of(b"example.org", topic::PARTITIONS);
    let seeds = all(&bus, "discovered.main", partition);
    assert_eq!(seeds.len(), 1, "{said}");
    assert_eq!(Discovered::from_record(&seeds[0].record).unwrap().url, "http://example.org/a");
}
