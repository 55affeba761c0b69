//! What every executable shares: flags, configuration file, logging, exit codes, shutdown, progress, metrics.

mod exit;
mod flags;
mod log;
mod metrics;
mod panic;
mod progress;
mod redact;
mod run;
mod shutdown;

pub use exit::{Exit, Misuse};
pub use flags::Common;
pub use metrics::{Counter, Gauge, Histogram, Metrics};
pub use panic::contained;
pub use progress::Progress;
pub use redact::redact;
pub use run::{Program, main};
pub use shutdown::Shutdown;
