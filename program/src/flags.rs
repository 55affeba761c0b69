//! Flags that every executable has, and that mean the same everywhere.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// The bus URL: as given, else the embedded log in the data directory.
    pub fn bus_url(&self) -> String {
        self.bus.clone().unwrap_or_else(|| self.data.join("bus.db").to_string_lossy().into_owned())
    }
}
