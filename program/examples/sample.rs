//! An executable as all of them are, with commands that end, wait, log and fail as the tests in `tests/` need it.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use program::{Common, Exit, Metrics, Misuse, Program, Progress, Shutdown};

/// A sample of an executable
#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the arguments that it was given
    Crawl(Box<Crawl>),
    /// End in the way that is named
    End {
        /// done, partly, busy, interrupted, failed, misuse, locked, panic, worker or contained
        way: String,
    },
    /// Wait for a signal
    Wait {
        /// Never finish draining
        #[arg(long)]
        forever: bool,
    },
    /// Log a line at each level
    Log,
    /// Print so many lines
    Lines {
        /// How many
        count: u64,
        /// Through println!, which panics where the other returns an error
        #[arg(long)]
        println: bool,
        /// Through serde_json, which gives an error of its own
        #[arg(long, conflicts_with = "println")]
        serde: bool,
    },
    /// Show progress, with a line of the log in between
    Progress,
    /// Serve metrics until a signal comes
    Serve,
}

#[derive(Debug, clap::Args)]
struct Crawl {
    /// Where to begin
    seed: Vec<String>,
    /// How many pages
    #[arg(long, default_value_t = 2000)]
    pages: u64,
    /// Seconds between two requests
    #[arg(long)]
    delay: Option<f64>,
    /// What to include
    #[arg(long, value_name = "RE")]
    include: Vec<String>,
    /// Ranges of addresses
    #[arg(long, value_delimiter = ',')]
    allow_address: Vec<String>,
    /// End when nothing is left
    #[arg(long)]
    until_idle: bool,
    /// One day
    #[arg(long, conflicts_with = "from")]
    day: Option<String>,
    /// From this day
    #[arg(long)]
    from: Option<String>,
    /// Must come from somewhere
    #[arg(long)]
    instance: String,
    /// Secret
    #[arg(long, hide_default_value = true)]
    mongo_password: Option<String>,
    /// Secret, and a number
    #[arg(long)]
    access_token: Option<u64>,
    /// Database
    #[arg(long)]
    mongo: Option<String>,
}

impl Program for Cli {
    const NAME: &'static str = "sample";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, shutdown: Shutdown) -> anyhow::Result<Exit> {
        match self.command {
            Command::Crawl(crawl) => {
                writeln!(io::stdout(), "{:?}\n{crawl:?}", self.common)?;
                Ok(Exit::Done)
            }
            Command::End { way } => end(&way),
            Command::Wait { forever } => wait(&shutdown, forever),
            Command::Log => {
                let url = "mongodb://ann:hunter2@db/x";
                tracing::error!(url, "an error");
                tracing::warn!("a warning about {url}");
                tracing::info!(pages = 7, "a message");
                let title = "cle\u{1b}[2Jar\u{9b}2J";
                tracing::debug!(quoted = title, shown = %title, "a title: {title}");
                tracing::debug!("a detail");
                tracing::trace!("a triviality");
                Ok(Exit::Done)
            }
            Command::Lines { count, println, serde } => {
                for line in 0..count {
                    if println {
                        println!("{line}")
                    } else if serde {
                        serde_json::to_writer_pretty(io::stdout(), &line).context("cannot print")?;
                        writeln!(io::stdout()).context("cannot print")?
                    } else {
                        writeln!(io::stdout(), "{line}").context("cannot print")?
                    }
                }
                Ok(Exit::Done)
            }
            Command::Progress => {
                let progress = Progress::new("counting", "steps", Some(1000));
                progress.add(500);
                progress.say("half way");
                shutdown.wait(Duration::from_millis(600));
                tracing::info!("a line in between");
                progress.finish();
                Ok(Exit::Done)
            }
            Command::Serve => serve(&self.common, &shutdown),
        }
    }

    fn exit_of(error: &anyhow::Error) -> Option<Exit> {
        error.chain().any(|cause| cause.to_string() == "the lock is held").then_some(Exit::Busy)
    }
}

fn end(way: &str) -> anyhow::Result<Exit> {
    match way {
        "done" => Ok(Exit::Done),
        "partly" => Ok(Exit::Partly),
        "busy" => Ok(Exit::Busy),
        "interrupted" => Ok(Exit::Interrupted),
        "locked" => Err(anyhow::anyhow!("the lock is held").context("cannot begin")),
        "failed" => Err(io::Error::other("no such\ndisk").into()),
        "disconnected" => {
            Err(anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("the server left"))
        }
        "misuse" => Err(Misuse::new("not a seed: mongodb://ann:hunter2@db/x")).context("cannot read seeds"),
        "panic" => panic!("at {}", "once"),
        "worker" => {
            std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("in a worker"))?;
            loop {
                std::thread::park();
            }
        }
        "contained" => {
            let told = program::contained(|| panic!("in foreign code")).err();
            writeln!(io::stdout(), "{told:?}")?;
            Ok(Exit::Done)
        }
        _ => Err(Misuse::new("no such way").into()),
    }
}

fn wait(shutdown: &Shutdown, forever: bool) -> anyhow::Result<Exit> {
    let (asked, heard) = std::sync::mpsc::channel();
    shutdown.on_request(move || asked.send("asked").unwrap_or_default());
    writeln!(io::stdout(), "waiting")?;
    while !shutdown.wait(Duration::from_secs(60)) {}
    writeln!(io::stdout(), "{}", heard.recv()?)?;
    if forever {
        loop {
            std::thread::park();
        }
    }
    writeln!(io::stdout(), "drained")?;
    Ok(if shutdown.signalled() { Exit::Interrupted } else { Exit::Done })
}

fn serve(common: &Common, shutdown: &Shutdown) -> anyhow::Result<Exit> {
    let metrics = Metrics::start(common, shutdown)?;
    metrics.counter("sample_pages_total", "Pages fetched").inc_by(3);
    writeln!(io::stdout(), "starting")?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    metrics.ready(true);
    writeln!(io::stdout(), "ready")?;
    while !shutdown.wait(Duration::from_secs(60)) {}
    writeln!(io::stdout(), "draining")?;
    io::stdin().read_line(&mut line)?;
    Ok(Exit::Interrupted)
}

fn main() -> ExitCode {
    program::main::<Cli>()
}
