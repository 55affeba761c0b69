//! The demo's own Kafka broker: beside the demo's data, with its records kept from one demo to the next.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::services::{Kafka, Kind, Life, running};

/// A broker that is stopped when the demo ends; its data stays.
#[derive(Debug)]
pub(super) struct Broker {
    folder: PathBuf,
    url: String,
}

impl Broker {
    /// Starts it, or finds one that an interrupted demo has left running.
    pub(super) fn start_in(data: &Path) -> anyhow::Result<Broker> {
        let folder = data.join("kafka");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
        let url = match running::url(&folder)? {
            Some(url) => url,
            None => {
                println!(
                    "# starts a Kafka broker in {} (cargo xtask services up kafka does the same)",
                    folder.display()
                );
                let kafka = Kafka::resume(Kind::Kafka, &folder, Life::Detached)?;
                running::note(&folder, &kafka)?;
                kafka.url().to_owned()
            }
        };
        Ok(Broker { folder, url })
    }

    /// Stops one that an interrupted demo has left running, before its data is removed.
    pub(super) fn stop_in(data: &Path) -> anyhow::Result<()> {
        running::halt(&data.join("kafka")).map(drop)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = running::halt(&self.folder) {
            eprintln!("xtask: the broker could not be stopped: {error:#}");
        }
    }
}
