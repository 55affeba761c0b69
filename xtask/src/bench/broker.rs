//! The broker of a benchmark: started for it, with nothing else on it, and removed with its data.

use std::path::PathBuf;

use anyhow::Context;

use crate::line::Line;
use crate::services::{Kafka, Kind, Life, running};
use crate::workspace::Workspace;

/// One broker, as `services up kafka` starts it.
#[derive(Debug)]
pub(super) struct Broker {
    folder: PathBuf,
    url: String,
    pid: u32,
}

impl Broker {
    /// Starts it; one that a killed benchmark has left running is stopped first.
    pub(super) fn start(workspace: &Workspace) -> anyhow::Result<Broker> {
        let folder = workspace.target.join("bench/kafka");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        running::stop(&folder)?;
        let kafka = Kafka::start(Kind::Kafka, &folder, Life::Detached)?;
        running::note(&folder, &kafka)?;
        let pid = kafka.brokers().first().context("there is no broker")?.pid();
        let url = kafka.url().to_owned();
        println!("# Kafka 4.3.1, one broker, {url} (process {pid})");
        Ok(Broker { folder, url, pid })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// With the flag that has a benchmark count the broker's CPU time too.
    pub(super) fn counted(&self, line: Line) -> Line {
        line.args(["--broker-pid", &self.pid.to_string()])
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = running::stop(&self.folder) {
            eprintln!("xtask: the broker could not be stopped: {error:#}");
        }
    }
}
