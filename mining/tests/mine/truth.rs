//! The miners against other people's tools: scikit-learn, scipy, networkx, datasketch, DuckDB (see `tests/truth.py`), on real
//! pages. The long tier runs the same on whole documentation trees.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Fetch, write_groups};

/// Real pages, and the packages that they come in.
const FOLDERS: [&str; 2] = ["/usr/share/doc/sqlite3", "/usr/share/doc/nodejs/api"];
const PACKAGES: [&str; 8] = ["numpy", "scipy", "scikit-learn", "networkx", "datasketch", "duckdb", "pyarrow", "uniseg"];

#[test]
fn miners_agree_with_reference_tools_on_real_pages() {
    const NAME: &str = "miners_agree_with_reference_tools_on_real_pages";
    let missing = |reason: String| {
        eprintln!("not run: {NAME}: {reason}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    };
    let fetches: Vec<Fetch> =
        FOLDERS.iter().flat_map(|folder| pages(Path::new(folder)).into_iter().take(250)).collect();
    if fetches.len() < 300 {
        return missing("needs the Debian packages sqlite3-doc and nodejs-doc".into());
    }
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return missing(reason),
    };
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data");
    write_groups(&root, &fetches, 2000);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth.py");
    let output = Command::new(python).arg(script).arg(env!("CARGO_BIN_EXE_mine")).arg(&root).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.lines().count() > 15, "{said}\n{errors}");
    println!("{said}");
}

/// Python with the packages, in an environment that is kept in the cache folder.
fn python() -> Result<PathBuf, String> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let dir = cache.ok_or("there is no HOME")?.join("kafkaspider/python-mining-truth-2");
    let python = dir.join("bin/python");
    if dir.join("complete").is_file() {
        return Ok(python);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("{command:?}: {error}")),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    run(Command::new(&python).args(["-m", "pip", "--quiet", "install"]).args(PACKAGES))?;
    std::fs::write(dir.join("complete"), "").map_err(|error| error.to_string())?;
    Ok(python)
}

/// The HTML files of a folder as fetches, with text and links found in the simplest way.
fn pages(folder: &Path) -> Vec<Fetch> {
    let mut open = vec![folder.to_owned()];
    let mut fetches = Vec::new();
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "html") {
                let html = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                let partition = (fetches.len() % 3) as u32;
                fetches.push(page(&path, &html).partition(partition));
            }
        }
    }
    fetches
}

fn page(path: &Path, html: &str) -> Fetch {
    let url = |path: &Path| format!("http://docs.example{}", path.display());
    let mut text = String::new();
    let mut fetch_links = Vec::new();
    for (number, piece) in html.split('<').enumerate() {
        let (tag, said) = if number == 0 { ("", piece) } else { piece.split_once('>').unwrap_or((piece, "")) };
        if !tag.starts_with("script") && !tag.starts_with("style") {
            text.push_str(said);
            text.push(' ');
        }
        let href = tag.strip_prefix("a ").and_then(|tag| tag.split_once("href=\"")?.1.split(['"', '#', '?']).next());
        if let Some(href) = href.filter(|href| !href.is_empty() && !href.contains(':')) {
            fetch_links.push(normal(&path.parent().unwrap().join(href)));
        }
    }
    let fetch = Fetch::page(&url(path), &text);
    fetch_links.into_iter().fold(fetch, |fetch, target| fetch.to(&url(&target)))
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(parts.pop()),
            std::path::Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}
