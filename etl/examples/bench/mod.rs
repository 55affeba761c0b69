//! What the benches share: pages from a folder, a bus filled with them, and the executable run on it.

#![allow(dead_code, reason = "each bench uses its part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use bus::payload::{Artefact, HttpHeaders};
use bus::{Bus, Options, Output, topic};
use sha2::{Digest, Sha256};

/// Pages of a folder, at most so many bytes of them, spread over all of it.
pub fn pages(folder: &Path, limit: usize) -> Result<Vec<(String, Vec<u8>)>> {
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    paths.sort();
    let total: u64 = paths.iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum();
    let every = usize::try_from(total)?.div_ceil(limit).max(1);
    let mut pages = Vec::new();
    for path in paths.iter().step_by(every) {
        let body = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(folder)?.to_string_lossy().replace(' ', "%20");
        pages.push((format!("http://docs.example/{name}"), body));
    }
    Ok(pages)
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|e| e == "html") {
            into.push(path);
        }
    }
    Ok(())
}

/// Artefacts of pages, with headers as a server gives them.
pub fn artefact(url: &str, body: &[u8]) -> Artefact {
    Artefact {
        id: uuid::Uuid::now_v7(),
        source: "bench".into(),
        url: url.into(),
        fetched_at: chrono::Utc::now().timestamp_micros(),
        crawl: "main".into(),
        status: Some(200),
        content_type: Some("text/html; charset=utf-8".into()),
        http_headers: HttpHeaders(
            "Server: nginx\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n\
             Last-Modified: Fri, 20 Nov 2026 08:00:00 GMT\r\nETag: \"5f1d7a84-1c2b\"\r\nConnection: keep-alive"
                .into(),
        ),
        sha256: hex::encode(Sha256::digest(body)),
        body: body.to_vec().into(),
        via: Some("http://docs.example/index.html".into()),
        depth: 2,
        elapsed_ms: 3,
        remote: Some("127.0.0.1:80".into()),
        ..Artefact::default()
    }
}

/// Makes an embedded log with all pages, each on the partition of some host.
pub fn fill(data: &Path, pages: &[(String, Vec<u8>)]) -> Result<()> {
    let bus = Bus::open(&data.join("bus.db").to_string_lossy(), &Options::default())?;
    bus.ensure(&[topic::artefacts()])?;
    let (mut outputs, mut bytes) = (Vec::new(), 0);
    for (i, (url, body)) in pages.iter().enumerate() {
        let partition = u32::try_from(i)? % topic::PARTITIONS;
        let output = Output { topic: topic::ARTEFACTS.into(), partition, record: artefact(url, body).into_record() };
        if bytes + output.record.size() > topic::MAX_BATCH_BYTES || outputs.len() == topic::MAX_BATCH_RECORDS {
            bus.append(&outputs)?;
            (outputs, bytes) = (Vec::new(), 0);
        }
        bytes += output.record.size();
        outputs.push(output);
    }
    bus.append(&outputs)?;
    Ok(())
}

/// Runs the executable, which is built beside the examples; gives its summary.
pub fn etl(data: &Path, args: &[&str]) -> Result<serde_json::Value> {
    let exe = std::env::current_exe()?;
    let exe = exe.parent().and_then(Path::parent).context("the bench is not where cargo puts examples")?.join("etl");
    let output = Command::new(&exe).args(args).args(["--json", "--quiet", "--data"]).arg(data).output();
    let output = output.with_context(|| {
        format!("cannot run {}; build it with `cargo build --release --workspace --bin etl`", exe.display())
    })?;
    if !output.status.success() {
        bail!("{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Median of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Folder, bytes and runs from the command line: `[FOLDER [MB [RUNS]]]`.
pub fn arguments() -> Result<(PathBuf, usize, usize)> {
    arguments_from(1)
}

/// The same, from an argument on.
pub fn arguments_from(first: usize) -> Result<(PathBuf, usize, usize)> {
    let mut args = std::env::args().skip(first);
    let folder = match args.next() {
        Some(folder) => PathBuf::from(folder),
        None => {
            let sysroot =
                Command::new("rustc").args(["--print", "sysroot"]).output().context("no rustc; name a folder")?;
            Path::new(String::from_utf8(sysroot.stdout)?.trim()).join("share/doc/rust/html")
        }
    };
    let number = |text: Option<String>, default| text.map_or(Ok(default), |t| t.parse());
    Ok((folder, number(args.next(), 100)? * 1_000_000, number(args.next(), 5)?))
}

/// CPU seconds of this process.
pub fn cpu() -> f64 {
    program::Usage::now().cpu_seconds
}
