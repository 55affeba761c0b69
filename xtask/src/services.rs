//! `services`: servers for tests and for people.

mod ferretdb;
mod mongodb;

use crate::exit;

/// Starts and stops servers that tests and people need
///
/// mongodb: FerretDB on SQLite, on 127.0.0.1:27017, built the first time (needs Go 1.22 or later); its data stays when it is
/// stopped. Everything else runs on the embedded log so far, with no server.
#[derive(Debug, clap::Args)]
pub(crate) struct Services {
    /// up or down
    #[arg(value_parser = ["up", "down"])]
    action: String,
    /// Name of the service
    name: String,
}

impl Services {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        match (self.name.as_str(), self.action.as_str()) {
            ("mongodb", "up") => mongodb::up(),
            ("mongodb", _) => mongodb::down(),
            _ => {
                eprintln!(
                    "xtask: error: there is no service {:?} to bring {}: there is mongodb",
                    self.name, self.action
                );
                Ok(exit::USAGE)
            }
        }
    }
}
