//! What `services up` has started: noted in the server's folder, so that `down` finds it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use super::kafka::{DATA, Kafka};

/// How long a broker may take to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// Notes a broker.
pub(crate) fn note(folder: &Path, kafka: &Kafka) -> anyhow::Result<()> {
    let pids: Vec<u32> = kafka.brokers().iter().map(|broker| broker.pid()).collect();
    note_processes(folder, kafka.url(), &pids)
}

/// Notes processes of a server that is not ready yet.
pub(crate) fn note_start(folder: &Path, pids: &[u32]) -> anyhow::Result<()> {
    note_processes(folder, "", pids)
}

/// Notes a server of these processes.
pub(crate) fn note_processes(folder: &Path, url: &str, pids: &[u32]) -> anyhow::Result<()> {
    let path = folder.join("running.json");
    let processes: Vec<_> = pids.iter().map(|pid| json!({"pid": pid, "began": began(*pid)})).collect();
    let text = json!({"url": url, "processes": processes});
    fs::write(&path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// URL of the server in this folder, when all of it runs.
pub(crate) fn url(folder: &Path) -> anyhow::Result<Option<String>> {
    let Some(noted) = read(folder)? else { return Ok(None) };
    let up = processes(&noted).all(|(_, alive)| alive);
    Ok(noted["url"].as_str().filter(|url| up && !url.is_empty()).map(str::to_owned))
}

/// Stops it and removes its data; false when nothing was up.
pub(crate) fn stop(folder: &Path) -> anyhow::Result<bool> {
    let was_up = halt(folder)?;
    let _ = fs::remove_dir_all(folder.join(DATA));
    Ok(was_up)
}

/// Stops it; its data stays. False when nothing was up.
pub(crate) fn halt(folder: &Path) -> anyhow::Result<bool> {
    let Some(noted) = read(folder)? else { return Ok(false) };
    let alive: Vec<Pid> = processes(&noted).filter(|(_, alive)| *alive).map(|(pid, _)| pid).collect();
    for pid in &alive {
        // it may have ended since
        let _ = kill_process(*pid, Signal::TERM);
    }
    let until = Instant::now() + DRAIN;
    while processes(&noted).any(|(_, alive)| alive) {
        if Instant::now() > until {
            eprintln!("it did not stop within {} s and is killed", DRAIN.as_secs());
            for (pid, _) in processes(&noted).filter(|(_, alive)| *alive) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    fs::remove_file(folder.join("running.json")).context("cannot remove running.json")?;
    Ok(!alive.is_empty())
}

fn read(folder: &Path) -> anyhow::Result<Option<Value>> {
    let path = folder.join("running.json");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The noted processes, and whether each still is the one that was started.
fn processes(noted: &Value) -> impl Iterator<Item = (Pid, bool)> {
    let all = noted["processes"].as_array().into_iter().flatten();
    all.filter_map(|process| {
        let pid = Pid::from_raw(process["pid"].as_i64()?.try_into().ok()?)?;
        let same = process["began"].as_str().map(str::to_owned) == began(pid.as_raw_nonzero().get().unsigned_abs());
        Some((pid, same && test_kill_process(pid).is_ok()))
    })
}

/// When a process began (field 22 of its stat file), which tells it from a later one with the same id; none when it has
/// ended.
fn began(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.nth(18).map(str::to_owned)
}
