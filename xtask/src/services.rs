//! `services`: servers for tests and for people. None is needed yet: everything runs on the embedded log.

use crate::exit;

/// Starts and stops servers that tests and people need (none yet)
///
/// Everything runs on the embedded log so far, with no server. Kafka and MongoDB-compatible servers come with the
/// parts that use them; until then every name is refused with exit code 2.
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
        eprintln!(
            "xtask: error: there is no service {:?} to bring {}: the embedded log needs none; servers (kafka, mongodb) \
             come with the parts that use them",
            self.name, self.action
        );
        Ok(exit::USAGE)
    }
}
