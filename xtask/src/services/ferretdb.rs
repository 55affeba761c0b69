//! FerretDB 1.24: a server of the MongoDB protocol that is built from its Go module, mended, and kept in a cache.
//!
//! It stores in SQLite or PostgreSQL, needs no root, starts in 0.1 s, and is what a Raspberry Pi can run. Three faults of this
//! version are mended in the copy that is built, since tests of ours run into each of them; `MENDINGS` says how.
//!
//! The tests and benchmarks of etl start servers of their own through this module.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

const MAIN: &str = include_str!("../../services/ferretdb/main.go");
const MODULE: &str = include_str!("../../services/ferretdb/go.mod");
const SUMS: &str = include_str!("../../services/ferretdb/go.sum");
/// Part of the name in the cache: raise it when sources or mendings change.
const BUILD: &str = "ferretdb-1.24.0-k1";
/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// One change of a vendored file.
struct Mending {
    file: &'static str,
    /// Stands there exactly once.
    before: &'static str,
    after: &'static str,
}

const MENDINGS: [Mending; 3] = [
    // SQLite: the index on `_id` is made on one spelling of the expression and asked for by another, so every look-up by
    // `_id` reads the whole table. Ask in the spelling of the index.
    Mending {
        file: "backends/sqlite/metadata/metadata.go",
        before: "IDColumn = DefaultColumn + \"->'$._id'\"",
        after: "IDColumn = DefaultColumn + `->\"_id\"`",
    },
    // An update command keeps the query of each of its updates open until all are done: more than a hundred wait for
    // connections that are never given back. Close each when it is done.
    Mending {
        file: "handler/msg_update.go",
        before: "\t\tresult, err := common.UpdateDocument(ctx, c, \"update\", iter, &u)\n",
        after: "\t\tresult, err := common.UpdateDocument(ctx, c, \"update\", iter, &u)\n\t\tcloser.Close()\n",
    },
    // PostgreSQL: a look-up by `_id` is asked as "the document contains", which no index serves. Ask for equality of the
    // expression that the unique index is on.
    Mending {
        file: "backends/postgresql/query.go",
        before: "\tcase string, types.ObjectID, time.Time:\n\t\t// merge with the case below?\n",
        after: "\tcase string, types.ObjectID, time.Time:\n\t\tif k == \"_id\" {\n\t\t\tfilter = metadata.IDColumn + \" = \" + \
                p.Next()\n\t\t\targs = append(args, string(must.NotFail(sjson.MarshalSingleValue(v))))\n\n\t\t\tbreak\n\t\t}\n\n\
                \t\t// merge with the case below?\n",
    },
];

/// What it stores in.
#[derive(Debug, Clone, Copy)]
pub enum Store<'a> {
    /// A folder, which exists.
    Sqlite(&'a Path),
    /// `postgres://user@host:port/database`.
    Postgresql(&'a str),
}

/// A server that is running; dropping it kills it, which its stores survive.
#[derive(Debug)]
pub struct Ferret {
    child: Child,
    port: u16,
}

impl Ferret {
    /// Starts a server on a port; it listens when this returns. What it says goes to a file.
    pub fn start(program: &Path, port: u16, store: &Store<'_>, log: &Path) -> Result<Ferret> {
        let log_file = File::options().append(true).create(true).open(log);
        let log_file = log_file.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        command.args(["-listen", &format!("127.0.0.1:{port}")]);
        match store {
            Store::Sqlite(folder) => command.arg("-sqlite").arg(folder),
            Store::Postgresql(url) => command.args(["-postgresql", url]),
        };
        // in a group of its own: a Ctrl-C in the terminal is not for it
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Ferret { child, port };
        let until = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = server.child.try_wait().context("cannot watch the server")? {
                bail!("FerretDB ended ({status}); see {}", log.display());
            }
            ensure!(Instant::now() < until, "FerretDB does not listen on port {port}; see {}", log.display());
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leaves it running.
    pub fn leave(self) -> u32 {
        let pid = self.pid();
        let mut server = std::mem::ManuallyDrop::new(self);
        // its standard input, the only thing of it that we held
        drop(server.child.stdin.take());
        pid
    }

    /// Kills it (SIGKILL), as a crash does.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Ferret {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr().context("no port is free")?.port())
}

/// Folder of what is kept between runs.
pub(super) fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("kafkaspider"))
}

/// The executable, built when the cache has none: two minutes of processor time, once. Needs Go 1.22 and, the first time, a
/// module proxy.
pub fn program() -> Result<PathBuf> {
    let folder = cache()?.join("tools").join(BUILD);
    let program = folder.join("ferretd");
    if program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join("lock")).context("cannot lock the cache")?;
    // of several that find none, one builds
    lock.lock().context("cannot lock the cache")?;
    if !program.is_file() {
        build(&folder, &program)?;
    }
    Ok(program)
}

fn build(folder: &Path, program: &Path) -> Result<()> {
    eprintln!("building FerretDB for tests (two minutes of processor time, once)");
    let source = folder.join("source");
    let _ = fs::remove_dir_all(&source);
    fs::create_dir_all(&source).with_context(|| format!("cannot make {}", source.display()))?;
    for (name, text) in [("main.go", MAIN), ("go.mod", MODULE), ("go.sum", SUMS)] {
        fs::write(source.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    go(&source, &["mod", "vendor"])?;
    for mending in &MENDINGS {
        let path = source.join("vendor/github.com/FerretDB/FerretDB/internal").join(mending.file);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(text.matches(mending.before).count() == 1, "{} is not the file that we mend", path.display());
        fs::write(&path, text.replace(mending.before, mending.after)).context("cannot mend")?;
    }
    let unfinished = folder.join("ferretd.tmp");
    let output = unfinished.to_str().context("the cache's path is no text")?;
    go(&source, &["build", "-mod=vendor", "-trimpath", "-ldflags=-s -w", "-o", output, "."])?;
    fs::rename(&unfinished, program).with_context(|| format!("cannot make {}", program.display()))?;
    let _ = fs::remove_dir_all(&source);
    Ok(())
}

fn go(folder: &Path, args: &[&str]) -> Result<()> {
    let mut command = Command::new("go");
    command.args(args).current_dir(folder).env("CGO_ENABLED", "0").env_remove("GOFLAGS").stdin(Stdio::null());
    let output = command.output().context("cannot run go; install Go 1.22 or later (https://go.dev/dl)")?;
    ensure!(
        output.status.success(),
        "`go {}` failed: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr).lines().next_back().unwrap_or_default()
    );
    Ok(())
}
