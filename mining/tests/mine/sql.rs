//! `mine sql`.

use crate::support::{Fetch, mine, report, stderr, write};

fn archive() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write(
        &root,
        &[
            Fetch::page("http://a.example/1", "bus log").title("=1+1").to("http://b.example/"),
            Fetch::page("http://a.example/2", "log").on("2026-11-20", 5),
            Fetch::page("http://b.example/", "web"),
            Fetch::new("http://a.example/3", 404),
        ],
    );
    (dir, root)
}

fn ask(root: &std::path::Path, arguments: &[&str]) -> String {
    let output = mine(root, &[&["sql"], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Lines of standard error but for warnings: these archives have no scripts.
fn errors(output: &std::process::Output) -> Vec<String> {
    stderr(output).lines().filter(|line| !line.contains(" WARN ")).map(str::to_owned).collect()
}

#[test]
fn data_sets_and_newest_reports_are_tables() {
    let (_dir, root) = archive();
    let by_host = "SELECT host, count(*) AS n FROM pages GROUP BY host ORDER BY n DESC, host";
    assert_eq!(ask(&root, &[by_host, "--format", "csv"]), "host,n\r\na.example,2\r\nb.example,1\r\n");
    assert_eq!(ask(&root, &[by_host, "--day", "2026-11-20", "--format", "csv"]), "host,n\r\na.example,1\r\n");
    assert_eq!(ask(&root, &["SELECT count(*) AS n FROM scripts", "--format", "csv"]), "n\r\n0\r\n");
    report(&root, &["links"]);
    let joined = "SELECT p.url, l.in_degree FROM pages p JOIN links_pages l ON p.url = l.url WHERE l.in_degree > 0";
    assert_eq!(ask(&root, &[joined, "--format", "json"]), "{\"url\":\"http://b.example/\",\"in_degree\":1}\n");
}

#[test]
fn results_come_as_table_csv_json_and_parquet() {
    let (dir, root) = archive();
    let query = "SELECT title, fetched_at, status FROM pages ORDER BY url LIMIT 1";
    let table = ask(&root, &[query]);
    assert!(table.contains("title") && table.contains("=1+1") && table.lines().count() == 2, "{table}");
    assert!(ask(&root, &[query, "--format", "csv"]).ends_with("'=1+1,1970-01-01T00:00:01Z,200\r\n"));
    let json: serde_json::Value = serde_json::from_str(&ask(&root, &[query, "--format", "json"])).unwrap();
    assert_eq!((json["title"].as_str(), json["status"].as_i64()), (Some("=1+1"), Some(200)));
    let path = dir.path().join("out.parquet");
    ask(&root, &[query, "--output", path.to_str().unwrap()]);
    assert!(std::fs::read(&path).unwrap().starts_with(b"PAR1"));
    let again = mine(&root, &["sql", query, "--output", path.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1), "a file that is there is not replaced");
}

#[test]
fn what_cannot_be_answered_is_said_in_one_line() {
    let (_dir, root) = archive();
    for (query, word) in
        [("SELECT * FROM nothing", "artefacts"), ("SELEC 1", "query"), ("SELECT nope FROM pages", "nope")]
    {
        let output = mine(&root, &["sql", query]);
        assert_eq!(output.status.code(), Some(1), "{query}");
        assert!(errors(&output).len() == 1 && errors(&output)[0].contains(word), "{}", stderr(&output));
    }
    let output = mine(&root, &["sql", "SELECT url FROM pages", "--memory", "1KiB"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).len() == 1 && errors(&output)[0].contains("--memory"), "{}", stderr(&output));
    assert!(ask(&root, &["SELECT url FROM pages WHERE host = 'x'", "--explain"]).contains("Parquet"));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let (_dir, root) = archive();
    let query = "SELECT a.url FROM pages a CROSS JOIN pages b CROSS JOIN pages c CROSS JOIN pages d CROSS JOIN pages e \
                 CROSS JOIN pages f";
    for arguments in
        [&["sql", query, "--format", "json"][..], &["sql", query, "--format", "csv"], &["schema", "--json"]]
    {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mine"));
        command.args(arguments).arg("--data").arg(&root).arg("--quiet");
        // one end of a pipe of which the other is closed before anything is written
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            command.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!((output.status.code(), errors(&output)), (Some(0), vec![]), "{arguments:?}");
    }
}

#[test]
fn a_query_needs_and_is_warned_of_only_what_it_names() {
    let (_dir, root) = archive();
    report(&root, &["links"]);
    for set in ["pages", "links"] {
        std::fs::remove_dir_all(root.join(set)).unwrap();
    }
    let count = mine(&root, &["sql", "SELECT count(*) AS n FROM artefacts", "--format", "csv"]);
    assert_eq!((String::from_utf8_lossy(&count.stdout).as_ref(), stderr(&count).as_str()), ("n\r\n4\r\n", ""));
    let day = ["SELECT count(*) AS n FROM artefacts", "--day", "2026-11-20", "--format", "csv"];
    assert_eq!(ask(&root, &day), "n\r\n1\r\n");
    let reported =
        mine(&root, &["sql", "SELECT count(*) AS n FROM links_pages WHERE in_degree > 0", "--format", "csv"]);
    assert_eq!((String::from_utf8_lossy(&reported.stdout).as_ref(), stderr(&reported).as_str()), ("n\r\n1\r\n", ""));
    let pages = mine(&root, &["sql", "SELECT count(*) FROM pages"]);
    assert_eq!(pages.status.code(), Some(1));
    assert!(stderr(&pages).contains("etl extract"), "{}", stderr(&pages));
}
