//! What every executable is made with.
//!
#![doc = include_str!("../README.md")]

// From main to an exit code.
mod again;
mod exit;
mod panic;
mod run;
mod shutdown;

// Flags, environment, configuration file.
mod config;
mod flags;
mod keys;
mod settings;
mod show;
mod sources;

// What every executable can tell about itself.
mod builtin;
mod manual;

// Diagnostics.
mod log;
mod metrics;
mod progress;
mod redact;
mod scrape;
mod serve;
mod usage;

// For people to read.
pub mod human;
mod table;

pub use again::{again_with, unset};
pub use exit::{Exit, Misuse};
pub use flags::Common;
pub use manual::help_markdown;
pub use metrics::{Counter, Gauge, Histogram, Metrics};
pub use panic::contained;
pub use progress::Progress;
pub use redact::redact;
pub use run::{Program, main};
pub use shutdown::Shutdown;
pub use table::Table;
pub use usage::Usage;
