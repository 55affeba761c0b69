//! `services`: real servers for tests and for people, each in a folder of its own, on free ports, on loopback only.
//!
//! What a person starts ([`Life::Detached`]) runs until `services down`; what a test starts ([`Life::Guarded`]) dies with
//! the test's process, however that ends. Logs stay in the folder.

pub mod broker;
mod certificates;
pub mod ferretdb;
pub(crate) mod jars;
pub mod kafka;
mod mongodb;
pub mod postgresql;
pub(crate) mod running;

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;

pub use broker::{Broker, Life};
pub use kafka::{Kafka, Kind};

use crate::exit;
use crate::workspace::Workspace;

/// Starts and stops servers that tests and people need
///
/// `up` prepares the server (the first time its jars are resolved from Maven Central into a cache), starts it, waits until
/// it is ready and prints its bus URL; a server that is up already is named again. `down` stops it and removes its data;
/// its logs stay. Needs a Java runtime of version 17 or newer, and Maven for the first time. kafka-sasl takes its clients
/// by TLS and password: `--bus-config` files for a user who may do everything (alice) and one who may do nothing (bob)
/// stand in its folder.
///
/// mongodb is FerretDB on SQLite, on 127.0.0.1:27017 (with --run on a free port), built the first time (needs Go 1.22 or
/// later); its data stays when it is stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct Services {
    /// up or down
    #[arg(value_parser = ["up", "down"])]
    action: String,
    /// kafka: one broker; kafka-sasl: one with TLS, passwords and permissions; kafka-cluster: three; mongodb
    #[arg(value_parser = ["kafka", "kafka-sasl", "kafka-cluster", "mongodb"])]
    name: String,
    /// Keeps several of one kind apart
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = label)]
    run: String,
    /// Folder of configuration, data and logs [default: services/NAME-RUN below the target folder; mongodb's is in the cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn label(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    good.then(|| text.to_owned()).ok_or_else(|| "letters, digits, - and _ only".into())
}

impl Services {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        match (Kind::from_str(&self.name, false), self.action.as_str()) {
            (Ok(kind), action) => self.kafka(kind, action),
            (Err(_), action) => {
                let folder = mongodb::folder(&self.run, self.dir.as_deref())?;
                if action == "up" { mongodb::up(&self.run, &folder) } else { mongodb::down(&folder) }
            }
        }
    }

    fn kafka(&self, kind: Kind, action: &str) -> anyhow::Result<u8> {
        let folder = match &self.dir {
            Some(dir) => dir.clone(),
            None => Workspace::find()?.target.join("services").join(format!("{kind}-{}", self.run)),
        };
        if action == "down" {
            match running::stop(&folder)? {
                true => eprintln!("stopped; logs are in {}", folder.join("logs").display()),
                false => eprintln!("{kind} is not up in {}", folder.display()),
            }
            return Ok(exit::DONE);
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = folder.join("lock");
        let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        if lock.try_lock().is_err() {
            anyhow::bail!(
                "another command is starting {kind} in {}; wait for it, or give --run NAME for one of your own",
                folder.display()
            );
        }
        let url = match running::url(&folder)? {
            Some(url) => {
                eprintln!("{kind} is up already");
                url
            }
            None => {
                if running::halt(&folder)? {
                    eprintln!("stopped what a command that was interrupted had left");
                }
                let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
                let kafka = Kafka::start(kind, &folder, Life::Detached)?;
                running::note(&folder, &kafka)?;
                kafka.url().to_owned()
            }
        };
        if kind == Kind::KafkaSasl {
            let config = |user: &str| folder.join(format!("{user}.properties"));
            eprintln!("may do everything: --bus-config {}", config("alice").display());
            eprintln!("may do nothing:    --bus-config {}", config("bob").display());
        }
        println!("{url}");
        Ok(exit::DONE)
    }
}
