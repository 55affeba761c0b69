//! The archive of a real site equals what an independent walk finds: pages, links, bodies (bench/equal.py).

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Done, Outcome, tool};
use crate::line::Line;
use crate::process::{self, Output, Process};
use crate::workspace::Workspace;

/// Documentation of a Debian package.
pub(crate) struct Tree {
    pub(crate) name: &'static str,
    folder: &'static str,
    /// Where the walk begins.
    seed: &'static str,
}

pub(crate) const TREES: [Tree; 4] = [
    Tree { name: "python3.11-doc", folder: "/usr/share/doc/python3.11/html", seed: "/" },
    Tree { name: "apache2-doc", folder: "/usr/share/doc/apache2-doc/manual", seed: "/en/" },
    Tree { name: "sqlite3-doc", folder: "/usr/share/doc/sqlite3", seed: "/" },
    Tree { name: "nodejs-doc", folder: "/usr/share/doc/nodejs/api", seed: "/" },
];

/// Crawls, stages and extracts the tree, served by nginx, and compares.
pub(crate) fn check(workspace: &Workspace, tree: &Tree, built: bool) -> anyhow::Result<Done> {
    let not_run = |why: String| Ok((String::new(), Outcome::NotRun(why), String::new()));
    let Some(nginx) = tool("nginx") else { return not_run("nginx is not installed".into()) };
    if !Path::new(tree.folder).is_dir() {
        return not_run(format!("the Debian package {} is not installed", tree.name));
    }
    let Some(python) = python(workspace)? else {
        return not_run("python3 cannot import pyarrow, and pip cannot install it".into());
    };
    let names = ["spider", "etl"];
    let executables = if built { Workspace::built(&names)? } else { workspace.build(&names).run()? };
    let work = workspace.target.join("equal").join(tree.name);
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let server = Server::start(&nginx, Path::new(tree.folder), &work)?;
    let seed = format!("http://127.0.0.1:{}{}", server.port, tree.seed);
    let data = work.join("data");
    let with_data = |line: Line| line.arg("--data").arg(&data);
    let crawl =
        Line::new(&executables["spider"]).args(["crawl", &seed, "--until-idle", "--delay", "0", "--per-host", "16"]);
    let lines = [
        with_data(crawl.args(["--allow-address", "127.0.0.0/8"])),
        with_data(Line::new(&executables["etl"]).args(["stage", "--once"])),
        with_data(Line::new(&executables["etl"]).arg("extract")),
    ];
    let walk = Line::new(python).arg(workspace.root.join("bench/equal.py")).arg(&seed).arg(&data);
    let shown = lines.iter().chain([&walk]).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for line in &lines {
        line.print();
        process::capture_well(line)?;
    }
    walk.print();
    let (status, text) = process::capture(&walk)?;
    let outcome = if status.success() { Outcome::Passed } else { Outcome::Failed };
    if outcome == Outcome::Passed {
        let _ = std::fs::remove_dir_all(&work);
    }
    Ok((shown, outcome, text))
}

/// A Python that can read Parquet: the machine's own, or one in a folder of ours, made once.
fn python(workspace: &Workspace) -> anyhow::Result<Option<PathBuf>> {
    let reads = |python: &Path| {
        Line::new(python)
            .args(["-c", "import pyarrow.dataset"])
            .command()
            .output()
            .is_ok_and(|out| out.status.success())
    };
    let own = workspace.target.join("python");
    let candidates = [PathBuf::from("python3"), own.join("bin/python3")];
    if let Some(found) = candidates.iter().find(|python| reads(python)) {
        return Ok(Some(found.clone()));
    }
    let made = process::capture(&Line::new("python3").args(["-m", "venv"]).arg(&own));
    if !made.is_ok_and(|(status, _)| status.success()) {
        return Ok(None);
    }
    process::capture(&Line::new(own.join("bin/python3")).args(["-m", "pip", "install", "--quiet", "pyarrow"]))?;
    Ok(Some(candidates[1].clone()).filter(|python| reads(python)))
}

/// nginx over a folder on a free port of loopback.
struct Server {
    port: u16,
    _process: Process,
}

impl Server {
    fn start(nginx: &Path, folder: &Path, work: &Path) -> anyhow::Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).context("no free port")?.port();
        let w = work.display();
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid {w}/nginx.pid; error_log {w}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{ access_log off; include /etc/nginx/mime.types; default_type application/octet-stream;\n\
             client_body_temp_path {w}/b; proxy_temp_path {w}/p; fastcgi_temp_path {w}/f; uwsgi_temp_path {w}/u;\n\
             scgi_temp_path {w}/s;\n\
             server {{ listen 127.0.0.1:{port}; root {}; index index.html; }} }}\n",
            folder.display()
        );
        let config = work.join("nginx.conf");
        std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let log = work.join("start.log");
        let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut process = Process::start(&Line::new(nginx).arg("-c").arg(&config), Output::File(file))?;
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            anyhow::ensure!(process.ended()?.is_none(), "nginx ended; see {} and {w}/error.log", log.display());
            anyhow::ensure!(Instant::now() < until, "nginx does not answer on port {port}");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(Server { port, _process: process })
    }
}
