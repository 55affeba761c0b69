//! `demo`: the whole line, from a page to a report, with the real executables; by default with no server.

mod broker;
mod folder;
mod report;
mod step;

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::line::{Line, relative};
use crate::process::{self, Output, Process};
use crate::workspace::{Build, Workspace};
use crate::{exit, interrupt, serve};
use broker::Broker;
use folder::Folder;
use step::{Ended, Step};

/// Crawls, stages, extracts and mines a folder of HTML, served over loopback, and shows what came of it
///
/// Builds what it needs. Prints each command line before it runs it, so that you can go on by hand. Run again it
/// continues what it has; --fresh starts afresh. It serves DIR on port 8732, or on a free port when that is taken.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Folder of HTML to serve [default: the documentation that rustup installs; without it data/site]
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Crawl the real web from here instead of serving a folder, politely; may be given several times
    #[arg(long, value_name = "URL", num_args = 1.., conflicts_with = "site")]
    url: Vec<String>,
    /// Pages to crawl at most
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pages: u64,
    /// Remove what an earlier demo left in the data directory
    #[arg(long)]
    fresh: bool,
    /// Data directory of the demo
    #[arg(long, value_name = "DIR", default_value = "data/local/demo")]
    data: PathBuf,
    /// Which bus: embedded, a file that needs no server; or kafka, a broker that the demo starts and stops
    #[arg(long, value_enum, default_value_t = Bus::Embedded)]
    bus: Bus,
    /// Port to serve on; 0 for a free one
    #[arg(long, value_name = "N", default_value_t = serve::PORT, conflicts_with = "url")]
    port: u16,
    /// Use the executables beside this one instead of building them; for tests
    #[arg(long, hide = true)]
    built: bool,
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Bus {
    Embedded,
    Kafka,
}

const CRAWL: &str = "demo";

impl Demo {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        let workspace = Workspace::find()?;
        let source = Source::choose(self, &workspace)?;
        let name = match self.bus {
            Bus::Embedded => source.name(),
            Bus::Kafka => format!("{} on Kafka", source.name()),
        };
        if self.fresh {
            Broker::stop_in(&self.data)?;
        }
        let folder = Folder::open(&self.data, &name, self.fresh)?;
        folder.tell();

        let (executables, mut miner) = self.executables(&workspace)?;
        let (seeds, _running) = source.start(self.port)?;
        let data = relative(&self.data);
        let broker = match self.bus {
            Bus::Embedded => None,
            Bus::Kafka => Some(Broker::start_in(&self.data)?),
        };
        let url = broker.as_ref().map(|broker| broker.url().to_owned());
        let shared = |line: Line| {
            let line = line.arg("--data").arg(&data).arg("--json");
            match &url {
                Some(url) => line.args(["--bus", url]),
                None => line,
            }
        };

        let crawl = Line::new(&executables["spider"]).arg("crawl").args(&seeds).args(["--crawl", CRAWL]);
        let crawl = crawl.args(["--pages", &self.pages.to_string(), "--until-idle"]).args(source.flags(&workspace));
        let etl = || Line::new(&executables["etl"]);
        let mut done = Vec::new();
        for (name, line) in
            [("crawl", crawl), ("stage", etl().args(["stage", "--once"])), ("extract", etl().arg("extract"))]
        {
            done.push(Step::run(name, &shared(line))?);
            if let Some(code) = ends(&done) {
                return Ok(code);
            }
        }
        let mine = match &mut miner {
            Some(build) => build.wait()?,
            None => executables["mine"].clone(),
        };
        for miner in ["terms", "links"] {
            // a miner knows the archive only, whatever the bus was
            done.push(Step::run(miner, &Line::new(&mine).arg(miner).arg("--data").arg(&data).arg("--json"))?);
            if let Some(code) = ends(&done) {
                return Ok(code);
            }
        }
        println!();
        print!("{}", step::table(&done));
        report::print(&self.data)?;
        folder.finished(&step::json(&done))?;
        let partly = done.iter().any(|step| step.ended == Ended::Partly);
        Ok(if partly { exit::PARTLY } else { exit::DONE })
    }

    /// Executables by name; the miner, which takes long to build for the first time, is built while the crawl runs.
    fn executables(&self, workspace: &Workspace) -> anyhow::Result<(BTreeMap<String, PathBuf>, Option<Background>)> {
        if self.built {
            return Ok((Workspace::built(&["spider", "etl", "mine"])?, None));
        }
        let build = workspace.build(&["spider", "etl"]);
        build.line.print();
        let executables = build.run()?;
        let miner = Background::start(workspace.build(&["mine"]), &workspace.target)?;
        Ok((executables, Some(miner)))
    }
}

/// The exit code when the last step does not let the next one begin.
fn ends(done: &[Step]) -> Option<u8> {
    let last = done.last()?;
    match last.ended {
        Ended::Well | Ended::Partly => None,
        Ended::Interrupted => {
            eprintln!("interrupted; `cargo xtask demo` goes on where it was");
            Some(exit::INTERRUPTED)
        }
        Ended::Busy => {
            eprintln!("xtask: error: {} cannot run now: another run holds its lock", last.name);
            Some(exit::BUSY)
        }
    }
}

/// What is crawled.
#[derive(Debug)]
enum Source {
    /// A folder that is served over loopback.
    Site(PathBuf),
    /// The web.
    Web(Vec<String>),
}

impl Source {
    fn choose(demo: &Demo, workspace: &Workspace) -> anyhow::Result<Source> {
        if !demo.url.is_empty() {
            return Ok(Source::Web(demo.url.clone()));
        }
        if let Some(site) = &demo.site {
            let site = site.canonicalize().with_context(|| format!("--site {}: cannot be served", site.display()))?;
            anyhow::ensure!(site.is_dir(), "--site {}: is not a folder", site.display());
            return Ok(Source::Site(site));
        }
        let sysroot = process::capture_well(&Line::new("rustc").args(["--print", "sysroot"]))?;
        let docs = Path::new(sysroot.trim()).join("share/doc/rust/html");
        if docs.join("index.html").is_file() {
            return Ok(Source::Site(docs));
        }
        println!(
            "The Rust documentation is not installed (rustup component add rust-docs); data/site is served instead."
        );
        Ok(Source::Site(workspace.root.join("data/site")))
    }

    /// What distinguishes one demo from another.
    fn name(&self) -> String {
        match self {
            Source::Site(folder) => folder.display().to_string(),
            Source::Web(urls) => urls.join(" "),
        }
    }

    /// Serves, where there is something to serve; gives the seeds.
    fn start(&self, port: u16) -> anyhow::Result<(Vec<String>, Option<site::Running>)> {
        match self {
            Source::Web(urls) => Ok((urls.clone(), None)),
            Source::Site(folder) => {
                let (running, moved) = serve::start(folder, port)?;
                if moved {
                    println!(
                        "Port {port} is taken, so the site is on port {}: to the spider that is another host, whose pages \
                         it crawls anew.",
                        running.addr().port()
                    );
                }
                println!(
                    "# serves {} at {} (cargo xtask serve --site DIR does the same)",
                    folder.display(),
                    running.url("/")
                );
                Ok((vec![running.url("/")], Some(running)))
            }
        }
    }

    /// Flags that fit the source: no delay on loopback, the spider's own manners on the web.
    fn flags(&self, workspace: &Workspace) -> Vec<&'static str> {
        let Source::Site(folder) = self else { return Vec::new() };
        let mut flags = vec!["--delay", "0", "--per-host", "8", "--allow-address", "127.0.0.0/8"];
        if workspace.root.join("data/site").canonicalize().is_ok_and(|own| own == *folder) {
            // its endless calendar and its answers that never come are for tests
            flags.extend(["--exclude", "/(faults|traps)/"]);
        }
        flags
    }
}

/// A build that goes on while something else runs.
struct Background {
    build: Build,
    process: Process,
    log: PathBuf,
}

impl Background {
    fn start(build: Build, target: &Path) -> anyhow::Result<Background> {
        println!("$ {} &", build.line);
        let log = target.join("xtask-build-mine.log");
        let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        // the crawl goes first where both want the processor
        let line = build.machine_line().behind("nice");
        Ok(Background { process: Process::start(&line, Output::PipedWithLog(file))?, build, log })
    }

    /// Waits for it, showing what it says from the beginning.
    fn wait(&mut self) -> anyhow::Result<PathBuf> {
        let messages = self.process.stdout().map(|mut from| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = from.read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        let mut shown = 0;
        while self.process.ended()?.is_none() {
            shown = show_from(&self.log, shown)?;
            std::thread::park_timeout(Duration::from_millis(100));
        }
        show_from(&self.log, shown)?;
        let status = self.process.wait()?;
        interrupt::check()?;
        anyhow::ensure!(status.success(), "`{}` failed: {}", self.build.line, process::told(status));
        let messages = messages.and_then(|thread| thread.join().ok()).unwrap_or_default();
        Ok(self.build.executables(&messages)?["mine"].clone())
    }
}

/// Copies what a file has beyond `from` to standard error; gives its end.
fn show_from(file: &Path, from: u64) -> anyhow::Result<u64> {
    let mut text = Vec::new();
    let mut open = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    open.seek(std::io::SeekFrom::Start(from))?;
    open.read_to_end(&mut text)?;
    let _ = std::io::stderr().write_all(&text);
    Ok(from + text.len() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn the_web_is_crawled_with_the_spiders_own_manners_and_loopback_without_delay() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
        let workspace = Workspace { target: root.join("target"), root: root.clone() };
        let web = Source::Web(vec!["https://example.org/".into(), "https://example.com/".into()]);
        assert_eq!(web.flags(&workspace), Vec::<&str>::new());
        let (seeds, running) = web.start(serve::PORT).unwrap();
        assert!(seeds == ["https://example.org/", "https://example.com/"] && running.is_none());
        let folder = Source::Site("/usr/share/doc".into());
        assert_eq!(folder.flags(&workspace).join(" "), "--delay 0 --per-host 8 --allow-address 127.0.0.0/8");
        let own = Source::Site(root.join("data/site"));
        assert!(own.flags(&workspace).contains(&"/(faults|traps)/"));
    }
}
