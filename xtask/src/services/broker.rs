//! One broker process: started, waited for, killed, suspended.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// How long a broker may take to be ready; three at a time on a small machine take half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a server lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Until somebody stops it.
    Detached,
    /// As long as this process, however that ends; its data goes with it.
    Guarded,
}

/// A broker under way.
#[derive(Debug)]
pub struct Broker {
    command: Vec<String>,
    log: PathBuf,
    child: Child,
    pid: u32,
    life: Life,
    _guard: Option<ChildStdin>,
}

impl Broker {
    /// Starts `java` with these arguments. Its output goes to `log`.
    pub(super) fn start(command: Vec<String>, log: &Path, data: &Path, life: Life) -> anyhow::Result<Broker> {
        use std::os::unix::process::CommandExt;
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let errors = file.try_clone().context("cannot share the log file")?;
        let mut line = match life {
            Life::Detached => {
                let mut line = Command::new("java");
                line.stdin(Stdio::null());
                line
            }
            Life::Guarded => {
                // the shell reads from a pipe that ends when this process does, and takes the broker along
                let script = format!(
                    "\"$@\" </dev/null & p=$!; echo $p > '{log}.pid'; cat >/dev/null; kill -9 $p; rm -rf '{data}'",
                    log = log.display(),
                    data = data.display()
                );
                let mut line = Command::new("sh");
                line.args(["-c", &script, "broker", "java"]).stdin(Stdio::piped());
                line
            }
        };
        line.args(&command).stdout(file).stderr(errors).process_group(0);
        let mut child = line.spawn().context("cannot start java; install a Java runtime (default-jre-headless)")?;
        let guard = child.stdin.take();
        let pid = match life {
            Life::Detached => child.id(),
            Life::Guarded => written_pid(&log.with_extension("log.pid"))?,
        };
        Ok(Broker { command, log: log.into(), child, pid, life, _guard: guard })
    }

    /// Waits until it says that it has started.
    pub(super) fn wait(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            if said.contains("Kafka Server started") {
                return Ok(());
            }
            let ended = match self.life {
                Life::Detached => self.child.try_wait().context("cannot watch the broker")?.is_some(),
                Life::Guarded => !Path::new(&format!("/proc/{}", self.pid)).exists() || is_zombie(self.pid),
            };
            if ended || Instant::now() > until {
                let last: Vec<&str> = said.lines().rev().take(3).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                let what = if ended { "has ended" } else { "was not ready in time" };
                anyhow::bail!("the broker {what}; its log {} ends with: {}", self.log.display(), last.join(" | "));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Process id of the broker itself.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Suspends it, or lets it go on.
    pub fn suspend(&self, suspended: bool) -> anyhow::Result<()> {
        self.signal(if suspended { Signal::STOP } else { Signal::CONT })
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal process {}", self.pid))
    }

    /// Starts it again, after it was killed, and waits until it is ready.
    pub fn restart(&mut self, data: &Path) -> anyhow::Result<()> {
        let old = self.log.with_extension("log.1");
        std::fs::rename(&self.log, &old).with_context(|| format!("cannot rename {}", self.log.display()))?;
        let again = Broker::start(self.command.clone(), &self.log, data, self.life)?;
        // the old guard would remove the data when it is dropped, so it is kept until the end of the process
        let old = std::mem::replace(self, again);
        KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(old);
        self.wait()
    }
}

/// Guards of brokers that were started again.
static KEPT: std::sync::Mutex<Vec<Broker>> = std::sync::Mutex::new(Vec::new());

fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}

fn written_pid(path: &Path) -> anyhow::Result<u32> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let written = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = written {
            let _ = std::fs::remove_file(path);
            return Ok(pid);
        }
        anyhow::ensure!(Instant::now() < until, "the broker's process id did not come in {}", path.display());
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
