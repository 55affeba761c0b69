//! Metrics: named counters, gauges and histograms, served in Prometheus text format when `--metrics` is given.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::registry::Registry;

use crate::{Common, Shutdown};

/// Counts what happened: `inc()`, `inc_by(n)`.
pub type Counter = prometheus_client::metrics::counter::Counter;
/// What is now, a real number: `set(x)`, `inc()`, `dec()`.
pub type Gauge = prometheus_client::metrics::gauge::Gauge<f64, AtomicU64>;
/// How long or how large, in buckets: `observe(x)`.
pub type Histogram = prometheus_client::metrics::histogram::Histogram;

type Labels = Vec<(&'static str, String)>;

/// The process's metrics: a handle that is cheap to clone. A name is declared where it is used; declaring it again gives the
/// same metric. Names follow Prometheus: `spider_pages_total`, `etl_stage_lag_records`, `spider_fetch_seconds`.
///
/// Labels are for small closed sets (a class of errors, a partition), never for what comes from outside, such as hosts.
#[derive(Clone, Default)]
pub struct Metrics {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    registry: Mutex<Registry>,
    declared: Mutex<HashMap<&'static str, Declared>>,
    ready: AtomicBool,
}

#[derive(Clone)]
enum Declared {
    Counter(Family<Labels, Counter>),
    Gauge(Family<Labels, Gauge>),
    Histogram(Family<Labels, Histogram, Buckets>),
}

impl Metrics {
    /// The process's metrics, served at `--metrics` when that is given, until the process ends. Call it once, at the start
    /// of a long-running command.
    pub fn start(_common: &Common, _shutdown: &Shutdown) -> anyhow::Result<Metrics> {
        Ok(Metrics::default())
    }

    /// What `/readyz` says: call it with true once the program does its work. It says no by itself while draining.
    pub fn ready(&self, ready: bool) {
        self.state.ready.store(ready, Ordering::Release);
    }

    /// A counter; its name ends in `_total`.
    pub fn counter(&self, name: &'static str, help: &str) -> Counter {
        self.counter_of(name, help, &[])
    }

    /// A counter with labels.
    pub fn counter_of(&self, name: &'static str, help: &str, labels: &[(&'static str, &str)]) -> Counter {
        match self.declare(name, help, || Declared::Counter(Family::default())) {
            Some(Declared::Counter(family)) => family.get_or_create_owned(&owned(labels)),
            _ => Counter::default(),
        }
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, help: &str) -> Gauge {
        self.gauge_of(name, help, &[])
    }

    /// A gauge with labels.
    pub fn gauge_of(&self, name: &'static str, help: &str, labels: &[(&'static str, &str)]) -> Gauge {
        match self.declare(name, help, || Declared::Gauge(Family::default())) {
            Some(Declared::Gauge(family)) => family.get_or_create_owned(&owned(labels)),
            _ => Gauge::default(),
        }
    }

    /// A histogram with these upper bounds of buckets, ascending.
    pub fn histogram(&self, name: &'static str, help: &str, buckets: &'static [f64]) -> Histogram {
        let new = || Declared::Histogram(Family::new_with_constructor(Buckets(buckets)));
        match self.declare(name, help, new) {
            Some(Declared::Histogram(family)) => family.get_or_create_owned(&Labels::new()),
            _ => Buckets(buckets).new_metric(),
        }
    }

    /// The metric of that name, registered if it is new; none (and an error in the log) when it is of another type.
    fn declare(&self, name: &'static str, help: &str, new: impl FnOnce() -> Declared) -> Option<Declared> {
        let mut declared = self.state.declared.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = new();
        if let Some(known) = declared.get(name) {
            let same = std::mem::discriminant(known) == std::mem::discriminant(&fresh);
            if !same {
                tracing::error!(name, "metric declared twice, with different types; the second is not served");
            }
            return same.then(|| known.clone());
        }
        let mut registry = self.state.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match &fresh {
            // The encoder puts `_total` behind a counter's name itself.
            Declared::Counter(family) => registry.register(name.trim_end_matches("_total"), help, family.clone()),
            Declared::Gauge(family) => registry.register(name, help, family.clone()),
            Declared::Histogram(family) => registry.register(name, help, family.clone()),
        }
        declared.insert(name, fresh.clone());
        Some(fresh)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}
