//! Flags that every executable has, and that mean the same everywhere.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Misuse;

/// Shared flags; flattened (global) into each executable's own.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Shared options")]
pub struct Common {
    /// Data directory: archive, reports, and by default the embedded log
    #[arg(long, global = true, value_name = "DIR", default_value = "data/local")]
    pub data: PathBuf,
    /// Bus: path of an embedded log, or kafka://host:port,…[/prefix] [default: bus.db in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    pub bus: Option<String>,
    /// File of librdkafka properties, for kafka:// only
    #[arg(long, global = true, value_name = "FILE")]
    pub bus_config: Option<PathBuf>,
    /// JSON on standard output, for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// More diagnostics on standard error; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Only warnings and errors; no progress
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Format of diagnostics
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
    /// Serve /metrics, /healthz and /readyz here, for example 127.0.0.1:9100
    #[arg(long, global = true, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// Configuration file [default: kafkaspider.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Common {
    /// Refuses what would be left unread: properties of Kafka for an embedded log.
    pub(crate) fn check(&self) -> Result<(), Misuse> {
        match &self.bus_config {
            Some(file) if !self.bus_url().contains("://") => Err(Misuse::new(format!(
                "--bus-config {} is for kafka:// only, and the bus is the embedded log {}: leave it out, or name another --bus",
                file.display(),
                self.bus_url()
            ))),
            _ => Ok(()),
        }
    }

    /// The bus URL: as given, else the embedded log in the data directory.
    pub fn bus_url(&self) -> String {
        self.bus.clone().unwrap_or_else(|| embedded_log(&self.data))
    }
}

/// The bus of a data directory where none is named.
pub(crate) fn embedded_log(data: &Path) -> String {
    data.join("bus.db").to_string_lossy().into_owned()
}
