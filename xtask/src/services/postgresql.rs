//! A private PostgreSQL cluster for tests and benchmarks: on loopback, without passwords, gone with its folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::ferretdb::free_port;

/// Where Debian has the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A cluster that runs until it is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    url: String,
}

impl Cluster {
    /// Makes a cluster in an empty folder and starts it. `durable` writes through to the disk, as a real one does.
    pub fn start(folder: &Path, durable: bool) -> Result<Cluster> {
        let bin = programs().context("PostgreSQL is not installed (postgresql-15)")?;
        let port = free_port()?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let cluster = Cluster { folder: folder.to_owned(), bin, url };
        if is_root() {
            // the server refuses to run as root
            let own = Command::new("chown").arg("postgres").arg(folder).status().context("cannot run chown")?;
            ensure!(own.success(), "there is no user postgres");
        }
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-A", "trust", "-U", "postgres", "--no-sync"])?;
        let (sockets, fsync) = (folder.display(), if durable { "on" } else { "off" });
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={sockets} -c fsync={fsync}"
        );
        cluster.run("pg_ctl", &["-D", &data, "-w", "-l", &format!("{data}/log"), "-o", &options, "start"])?;
        Ok(cluster)
    }

    /// `postgres://user@host:port/database`.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<()> {
        let program = self.bin.join(program);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(&program);
                command
            }
            false => Command::new(&program),
        };
        // a server that is started keeps what it is given open
        command.args(args).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
        ensure!(status.success(), "{} {} ended with {status}", program.display(), args.join(" "));
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
    }
}

/// Programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let number = |bin: &PathBuf| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let entries = fs::read_dir(VERSIONS).ok()?;
    let bins = entries.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    bins.filter(|bin| bin.join("initdb").is_file()).max_by_key(number)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
