//! `services up mongodb`: FerretDB on SQLite, on loopback, with its data in the cache; `down` stops it and keeps the data.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::ferretdb::{Ferret, Store, cache, free_port, program};
use super::running;
use crate::exit;

/// MongoDB's own port.
const PORT: u16 = 27017;
/// The run that is named by nobody.
const DEFAULT: &str = "default";

/// Where a run has its data: in the cache, unless a folder is named.
pub(crate) fn folder(run: &str, dir: Option<&Path>) -> Result<PathBuf> {
    let name = if run == DEFAULT { "mongodb".to_owned() } else { format!("mongodb-{run}") };
    match dir {
        Some(dir) => Ok(dir.to_owned()),
        None => Ok(cache()?.join("services").join(name)),
    }
}

/// Starts it, or says where it runs already. The run that is named by nobody has MongoDB's own port.
pub(crate) fn up(run: &str, folder: &Path) -> Result<u8> {
    let databases = folder.join("sqlite");
    fs::create_dir_all(&databases).with_context(|| format!("cannot make {}", databases.display()))?;
    if let Some(url) = running::url(folder)? {
        eprintln!("mongodb is up already");
        println!("{url}");
        return Ok(exit::DONE);
    }
    let program = program()?;
    let port = if run == DEFAULT { PORT } else { free_port()? };
    ensure!(
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(),
        "port {port} is taken by another program; stop it first, or give --run NAME for a free port"
    );
    let server = Ferret::start(&program, port, &Store::Sqlite(&databases), &folder.join("log"))?;
    let url = format!("mongodb://127.0.0.1:{port}/kafkaspider");
    running::note_processes(folder, &url, &[server.pid()])?;
    let pid = server.leave();
    eprintln!("mongodb is up (FerretDB, process {pid}); its data is in {}", databases.display());
    println!("{url}");
    Ok(exit::DONE)
}

/// Stops it, and waits until it has ended.
pub(crate) fn down(folder: &Path) -> Result<u8> {
    match running::halt(folder)? {
        true => eprintln!("stopped; its data stays in {}", folder.join("sqlite").display()),
        false => eprintln!("mongodb is not up in {}", folder.display()),
    }
    Ok(exit::DONE)
}
