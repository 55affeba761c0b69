//! Metrics: named counters and gauges, served in Prometheus text format when `--metrics` is given.

/// The process's metrics. Names are declared with help text and type once; values are atomics.
pub struct Metrics;
