//! The command line: exit codes, messages, report folders, help.

use std::path::Path;

use crate::support::{Fetch, mine, report, stderr, table, write};

fn archive() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir.path().join("data"),
        &[
            Fetch::page("http://a.example/", "the bus").to("http://a.example/2"),
            Fetch::page("http://a.example/2", "a log"),
        ],
    );
    dir
}

/// The one line that an error is.
fn error(root: &Path, arguments: &[&str], code: i32) -> String {
    let output = mine(root, arguments);
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    stderr(&output)
}

#[test]
fn without_an_archive_it_says_how_to_get_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    for miner in ["terms", "links"] {
        let text = error(&root, &[miner], 1);
        assert_eq!(text.lines().count(), 1, "{text}");
        for command in ["spider crawl", "etl stage --once", "etl extract"] {
            assert!(text.contains(command), "{text}");
        }
    }
    assert!(error(&root, &["report"], 1).contains("mine terms"));
    assert!(!root.exists(), "a failed run leaves nothing");
}

#[test]
fn fetches_without_pages_ask_for_extraction_and_days_without_pages_say_which_there_are() {
    let dir = archive();
    let root = dir.path().join("data");
    let text = error(&root, &["terms", "--day", "2020-01-01"], 1);
    assert!(text.contains("2026-11-21 to 2026-11-21"), "{text}");
    std::fs::remove_dir_all(root.join("pages")).unwrap();
    assert!(error(&root, &["terms"], 1).contains("etl extract"));
}

/// Marks a day as staged to its end.
fn staged(root: &Path, day: &str, partitions: u32) {
    for partition in 0..partitions {
        archive::Mark::new("artefacts", partition, 0)
            .write(&archive::DataDir::new(root), crate::support::day(day))
            .unwrap();
    }
}

#[test]
fn a_complete_day_without_pages_gives_an_empty_report_of_each_miner() {
    let dir = archive();
    let root = dir.path().join("data");
    staged(&root, "2026-11-22", 16);
    for (miner, tables) in [
        ("terms", &["terms", "days", "hosts", "collocations", "trends"][..]),
        ("keywords", &["keywords"]),
        ("links", &["pages", "hosts", "broken", "redirects", "orphans", "third_parties"]),
        ("cluster", &["assignments", "clusters"]),
        ("duplicates", &["groups"]),
        ("hosts", &["hosts"]),
        ("languages", &["languages"]),
    ] {
        let output = mine(&root, &[miner, "--day", "2026-11-22"]);
        assert!(output.status.success(), "{miner}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.lines().count() == 1 && said.contains("2026-11-22 is complete and has no"), "{miner}: {said}");
        let report = report(&root, &[miner, "--day", "2026-11-22", "--quiet"]);
        assert!(report.starts_with(root.join("reports").join(miner).join("day=2026-11-22")), "{}", report.display());
        for name in tables {
            assert_eq!(table(&report, name), Vec::<Vec<String>>::new(), "{miner} {name}");
        }
        assert!(report.join("report.html").is_file() && report.join("_SUCCESS").is_file());
    }
    let output = mine(&root, &["sql", "SELECT count(*) AS n FROM pages", "--day", "2026-11-22", "--format", "csv"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "n\r\n0\r\n");
    // with a fetch that is no page it is the same; the shares of such a day are done at once, and joined
    write(&root, &[Fetch::failed("http://a.example/3", "dns").on("2026-11-23", 2).partition(5)]);
    staged(&root, "2026-11-23", 16);
    for line in
        [&["terms", "--shard", "1/2"][..], &["merge", "terms"], &["hosts"], &["links"], &["cluster"], &["keywords"]]
    {
        let output = mine(&root, &[line, &["--day", "2026-11-23"]].concat());
        assert!(output.status.success(), "{line:?}: {}", stderr(&output));
    }
}

#[test]
fn a_day_that_is_not_staged_or_was_set_aside_is_not_called_empty() {
    let dir = archive();
    let root = dir.path().join("data");
    staged(&root, "2026-11-22", 15);
    assert!(error(&root, &["terms", "--day", "2026-11-22"], 1).contains("not known to be complete"));
    staged(&root, "2026-11-22", 16);
    let name = archive::SegmentName::new(archive::DataSet::Artefacts, archive::Source::Partition(3), 5, 9).unwrap();
    let data = archive::DataDir::new(&root);
    archive::Quarantined::record(&data, crate::support::day("2026-11-22"), &name, "damaged").unwrap();
    let text = error(&root, &["terms", "--day", "2026-11-22"], 1);
    assert!(text.contains("artefacts-p003") && text.contains("etl verify"), "{text}");
    archive::Loss::of_partition("artefacts", 3, 5, 9, "expired").record(&data).unwrap();
    assert!(mine(&root, &["terms", "--day", "2026-11-22"]).status.success());
    // an archive of complete days that nothing was fetched on
    let empty = dir.path().join("empty");
    staged(&empty, "2026-11-20", 16);
    staged(&empty, "2026-11-21", 16);
    assert!(report(&empty, &["terms"]).starts_with(empty.join("reports/terms/from=2026-11-20,to=2026-11-21")));
    assert!(error(&empty, &["terms", "--day", "2026-11-22"], 1).contains("etl stage --once"));
}

#[test]
fn segments_that_are_not_extracted_yet_are_warned_of() {
    let dir = archive();
    let root = dir.path().join("data");
    let more = dir.path().join("more");
    write(&more, &[Fetch::page("http://a.example/3", "").partition(9)]);
    let segment = std::fs::read_dir(more.join("artefacts/day=2026-11-21")).unwrap().next().unwrap().unwrap().path();
    std::fs::copy(&segment, root.join("artefacts/day=2026-11-21").join(segment.file_name().unwrap())).unwrap();
    let output = mine(&root, &["terms"]);
    assert!(output.status.success());
    assert!(stderr(&output).contains("1 segments are not extracted"), "{}", stderr(&output));
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let dir = archive();
    let root = dir.path().join("data");
    for arguments in [
        &["nothing"][..],
        &["terms", "--day", "yesterday"],
        &["terms", "--day", "2026-11-21", "--from", "2026-11-20"],
        &["terms", "--from", "2026-11-22", "--to", "2026-11-21"],
        &["terms", "--ngrams", "9"],
        &["terms", "--top", "0"],
        &["terms", "--memory", "much"],
        &["terms", "--source", "mongodb://127.0.0.1/a.b"],
        &["terms", "--source", "postgres://127.0.0.1/db"],
        &["terms", "--source", "mongodb://ann:secret@127.0.0.1/db"],
        &["links", "--damping", "1"],
        &["links", "--tolerance", "0"],
        &["links", "--threads", "0"],
        &["schema", "nothing"],
    ] {
        error(&root, arguments, 2);
    }
    assert!(!root.join("reports").exists());
}

#[test]
fn a_damaged_segment_is_one_line_that_names_it_and_leaves_no_report() {
    for damage in ["cut", "flipped", "empty", "no parquet"] {
        let dir = archive();
        let root = dir.path().join("data");
        let path = std::fs::read_dir(root.join("pages/day=2026-11-21")).unwrap().next().unwrap().unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        match damage {
            "cut" => bytes.truncate(middle),
            "flipped" => bytes[4..middle].fill(0xff),
            "empty" => bytes.clear(),
            _ => bytes = b"not a segment at all".to_vec(),
        }
        std::fs::write(&path, bytes).unwrap();
        for miner in ["terms", "links"] {
            let text = error(&root, &[miner], 1);
            assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "{damage}: {text}");
            assert_eq!(text.lines().count(), 1, "{damage}: {text}");
            assert!(text.contains("`etl verify --archive`"), "{damage}: {text}");
        }
        assert!(!root.join("reports").exists(), "{damage}");
    }
}

#[test]
fn a_segment_of_another_schema_is_refused_by_the_name_of_the_column() {
    use polars::prelude::{ParquetReader, ParquetWriter, SerReader};
    let dir = archive();
    let root = dir.path().join("data");
    let path = std::fs::read_dir(root.join("pages/day=2026-11-21")).unwrap().next().unwrap().unwrap().path();
    let frame = ParquetReader::new(std::fs::File::open(&path).unwrap()).finish().unwrap();
    let mut other = frame.drop("lang_declared").unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut other).unwrap();
    assert!(error(&root, &["terms"], 1).contains("`lang_declared`"));
    let mut other = frame.clone();
    let status = other.column("status").unwrap().cast(&polars::prelude::DataType::String).unwrap();
    other.replace("status", status).unwrap();
    ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut other).unwrap();
    assert!(error(&root, &["terms"], 1).contains("`status`"));
}

#[test]
fn overlapping_segments_are_refused_and_a_compacted_one_counts_alone() {
    let dir = archive();
    let root = dir.path().join("data");
    let folder = root.join("pages/day=2026-11-21");
    let path = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let name = |from: u32, next: u32| folder.join(format!("pages-p000-{from:020}-{next:020}.parquet"));
    assert_eq!(path, name(0, 2));
    std::fs::copy(&path, name(0, 1)).unwrap();
    let report = report(&root, &["terms"]);
    assert_eq!(table(&report, "terms").iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), ["1", "1"]);
    std::fs::copy(&path, name(1, 3)).unwrap();
    assert!(error(&root, &["terms"], 1).contains("share records"));
}

#[test]
fn a_report_folder_has_tables_page_manifest_and_success() {
    let dir = archive();
    let root = dir.path().join("data");
    let out = dir.path().join("elsewhere");
    let report = report(&root, &["terms", "--top", "1", "--out", out.to_str().unwrap(), "--seed", "7"]);
    assert!(report.starts_with(out.join("terms/day=2026-11-21")), "{}", report.display());
    let manifest: archive::Manifest =
        serde_json::from_slice(&std::fs::read(report.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((manifest.miner.as_str(), manifest.seed), ("terms", Some(7)));
    assert!(manifest.arguments.iter().any(|argument| argument == "--top"));
    assert!(manifest.versions.contains_key("polars") && manifest.cpu_seconds > 0.0 && manifest.peak_memory > 1_000_000);
    let inputs: Vec<_> = manifest.inputs.iter().map(|i| (i.path.as_str(), i.rows, i.sha256.len())).collect();
    let name = "pages/day=2026-11-21/pages-p000-00000000000000000000-00000000000000000002.parquet";
    assert_eq!(inputs, [(name, Some(2), 64)]);
    let rows = |path: &str| manifest.outputs.iter().find(|output| output.path == path).unwrap().rows;
    assert_eq!((rows("terms.parquet"), rows("terms.csv")), (Some(2), Some(1)));
    assert_eq!(std::fs::read_to_string(report.join("terms.csv")).unwrap(), "term,lang,tf,df\r\nbus,en,1,1\r\n");
    assert_eq!(std::fs::read(report.join("_SUCCESS")).unwrap(), b"");
}

#[test]
fn the_summary_is_a_table_or_json_and_names_the_report() {
    let dir = archive();
    let root = dir.path().join("data");
    let output = mine(&root, &["links", "--top", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("pages: 2\nedges: 1\n") && text.contains("http://a.example/2"), "{text}");
    assert!(text.lines().last().unwrap().ends_with("report.html"), "{text}");
    let output = mine(&root, &["links", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["rows"]["pages"].as_i64(), json["facts"]["edges"].as_i64()), (Some(2), Some(1)));
    assert_eq!(json["top"][0]["page"], "http://a.example/2");
}

#[test]
fn the_index_lists_finished_runs_only() {
    let dir = archive();
    let root = dir.path().join("data");
    let run = report(&root, &["terms"]);
    let unfinished = report(&root, &["links"]);
    std::fs::remove_file(unfinished.join("_SUCCESS")).unwrap();
    assert!(mine(&root, &["report"]).status.success());
    let html = std::fs::read_to_string(root.join("reports/index.html")).unwrap();
    let id = run.file_name().unwrap().to_str().unwrap();
    assert!(html.contains(&format!("href=\"terms/day=2026-11-21/{id}/report.html\"")), "{html}");
    assert!(!html.contains("links/"));
}

#[test]
fn memory_over_the_limit_stops_the_work_with_one_line() {
    let dir = archive();
    let text = error(&dir.path().join("data"), &["terms", "--memory", "1MB"], 1);
    assert!(text.contains("--memory") && text.lines().count() == 1, "{text}");
}

#[test]
fn help_is_as_it_was_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for miner in
        ["terms", "keywords", "links", "cluster", "duplicates", "hosts", "languages", "sql", "schema", "report"]
    {
        let output = mine(&dir.path().join("data"), &[miner, "--help"]);
        let text = String::from_utf8(output.stdout).unwrap();
        // What all executables share has its own tests; what comes behind it is ours again.
        let start = text.find("Shared options:").unwrap();
        let end = text.find("\nOutput (").unwrap_or(text.len());
        let own = format!("{}{}", &text[..start], &text[end..]);
        let path = golden.join(format!("{miner}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &own).unwrap();
        }
        assert_eq!(own, std::fs::read_to_string(&path).unwrap(), "set UPDATE_GOLDEN=1 when the change is meant");
    }
}

#[test]
fn schema_prints_what_is_declared() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    let text = String::from_utf8(mine(&root, &["schema", "links_pages"]).stdout).unwrap();
    assert!(text.contains("pagerank") && text.contains("float64") && !text.contains("terms_terms"), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&mine(&root, &["schema", "--json"]).stdout).unwrap();
    let tables: Vec<&str> = json.as_array().unwrap().iter().map(|t| t["table"].as_str().unwrap()).collect();
    assert!(tables.contains(&"artefacts") && tables.contains(&"terms_days"), "{tables:?}");
}
