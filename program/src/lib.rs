//! What every executable shares: flags, configuration file, logging, exit codes, shutdown, progress, metrics.

mod config;
mod exit;
mod flags;
mod log;
mod manual;
mod metrics;
mod progress;
mod run;
mod shutdown;

pub use exit::Exit;
pub use flags::Common;
pub use metrics::Metrics;
pub use progress::Progress;
pub use run::{Program, main};
pub use shutdown::Shutdown;
