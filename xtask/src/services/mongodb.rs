//! `services up mongodb`: FerretDB on SQLite, on loopback, with its data in the cache; `down` stops it and keeps the data.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::ferretdb::{Ferret, Store, cache, program};
use crate::exit;

/// MongoDB's own port.
const PORT: u16 = 27017;

/// Starts it, or says where it runs already.
pub(crate) fn up() -> Result<u8> {
    let folder = folder()?;
    let databases = folder.join("sqlite");
    fs::create_dir_all(&databases).with_context(|| format!("cannot make {}", databases.display()))?;
    if let Some((pid, port)) = running(&folder) {
        println!("mongodb is up (process {pid}): mongodb://127.0.0.1:{port}/kafkaspider");
        return Ok(exit::DONE);
    }
    let program = program()?;
    if TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).is_err() {
        bail!("port {PORT} is taken by another program; stop it first");
    }
    let server = Ferret::start(&program, PORT, &Store::Sqlite(&databases), &folder.join("log"))?;
    fs::write(folder.join("pid"), format!("{} {PORT}\n", server.pid())).context("cannot note the process id")?;
    let pid = server.leave();
    println!("mongodb is up (FerretDB, process {pid}): mongodb://127.0.0.1:{PORT}/kafkaspider");
    println!("its data is in {}; `cargo xtask services down mongodb` stops it", databases.display());
    Ok(exit::DONE)
}

/// Stops it.
pub(crate) fn down() -> Result<u8> {
    let folder = folder()?;
    match running(&folder) {
        Some((pid, _)) => {
            let id = Pid::from_raw(pid).context("the noted process id is none")?;
            kill_process(id, Signal::TERM).context("cannot stop the server")?;
            println!("mongodb is down; its data stays in {}", folder.join("sqlite").display());
        }
        None => println!("mongodb is not up"),
    }
    match fs::remove_file(folder.join("pid")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot forget the process id")
        }
        _ => Ok(exit::DONE),
    }
}

fn folder() -> Result<PathBuf> {
    Ok(cache()?.join("services").join("mongodb"))
}

/// Process id and port of a server that we started and that is still it.
fn running(folder: &Path) -> Option<(i32, u16)> {
    let noted = fs::read_to_string(folder.join("pid")).ok()?;
    let (pid, port) = noted.trim().split_once(' ')?;
    let (pid, port) = (pid.parse::<i32>().ok()?, port.parse().ok()?);
    // another process may have the id by now
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let name = line.split(|byte| *byte == 0).next()?;
    name.ends_with(b"/ferretd").then_some((pid, port))
}
