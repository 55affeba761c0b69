//! Metrics: named counters, gauges and histograms, served in Prometheus text format when `--metrics` is given.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::{Common, Shutdown, scrape, serve};

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
///
/// ```
/// let metrics = program::Metrics::default();
/// let pages = metrics.counter("spider_pages_total", "Pages fetched");
/// pages.inc_by(3);
/// metrics.counter_of("spider_errors_total", "Fetches that failed", &[("class", "dns")]).inc();
/// metrics.gauge("spider_hosts", "Hosts in work").set(12.0);
/// metrics.histogram("spider_fetch_seconds", "Time of a fetch", &[0.01, 0.1, 1.0, 10.0]).observe(0.2);
/// assert_eq!(pages.get(), 3);
/// ```
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

/// A metric or, in the plural, one with labels.
#[derive(Clone)]
enum Declared {
    Counter(Counter),
    Counters(Family<Labels, Counter>),
    Gauge(Gauge),
    Gauges(Family<Labels, Gauge>),
    Histogram(Histogram),
}

impl Metrics {
    /// The process's metrics, served at `--metrics` when that is given, until the process ends. Call it once, at the start
    /// of a long-running command; one that does not call it ignores the flag.
    pub fn start(common: &Common, shutdown: &Shutdown) -> anyhow::Result<Metrics> {
        let metrics = Metrics::default();
        if let Some(address) = common.metrics {
            scrape::describe_process(&mut metrics.registry());
            let (served, shutdown) = (metrics.clone(), shutdown.clone());
            let answer = move |request: &serve::Request| scrape::answer(&served, request, shutdown.requested());
            let address = serve::serve(address, serve::DEADLINE, answer)
                .with_context(|| format!("cannot serve metrics at {address}; name a free address with --metrics"))?;
            tracing::info!("metrics at http://{address}/metrics");
        }
        Ok(metrics)
    }

    /// What `/readyz` says: call it with true once the program does its work. It says no by itself while draining.
    pub fn ready(&self, ready: bool) {
        self.state.ready.store(ready, Ordering::Release);
    }

    /// A counter; its name ends in `_total`.
    pub fn counter(&self, name: &'static str, help: &str) -> Counter {
        match self.declare(name, help, Declared::Counter(Counter::default())) {
            Some(Declared::Counter(counter)) => counter,
            _ => Counter::default(),
        }
    }

    /// A counter with labels.
    pub fn counter_of(&self, name: &'static str, help: &str, labels: &[(&'static str, &str)]) -> Counter {
        match self.declare(name, help, Declared::Counters(Family::default())) {
            Some(Declared::Counters(family)) => family.get_or_create_owned(&owned(labels)),
            _ => Counter::default(),
        }
    }

    /// A gauge.
    pub fn gauge(&self, name: &'static str, help: &str) -> Gauge {
        match self.declare(name, help, Declared::Gauge(Gauge::default())) {
            Some(Declared::Gauge(gauge)) => gauge,
            _ => Gauge::default(),
        }
    }

    /// A gauge with labels.
    pub fn gauge_of(&self, name: &'static str, help: &str, labels: &[(&'static str, &str)]) -> Gauge {
        match self.declare(name, help, Declared::Gauges(Family::default())) {
            Some(Declared::Gauges(family)) => family.get_or_create_owned(&owned(labels)),
            _ => Gauge::default(),
        }
    }

    /// A histogram with these upper bounds of buckets, ascending; one without bound is added.
    pub fn histogram(&self, name: &'static str, help: &str, buckets: &[f64]) -> Histogram {
        let fresh = Histogram::new(buckets.iter().copied());
        match self.declare(name, help, Declared::Histogram(fresh.clone())) {
            Some(Declared::Histogram(histogram)) => histogram,
            _ => fresh,
        }
    }

    /// The metric of that name, registered if it is new; none (and an error in the log) when it is of another type.
    fn declare(&self, name: &'static str, help: &str, fresh: Declared) -> Option<Declared> {
        let mut declared = self.state.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = declared.get(name) {
            let same = std::mem::discriminant(known) == std::mem::discriminant(&fresh);
            if !same {
                tracing::error!(name, "metric declared twice, with different types; the second is not served");
            }
            return same.then(|| known.clone());
        }
        let mut registry = self.registry();
        // The encoder puts `_total` behind a counter's name itself.
        let stem = name.trim_end_matches("_total");
        match fresh.clone() {
            Declared::Counter(counter) => registry.register(stem, help, counter),
            Declared::Counters(family) => registry.register(stem, help, family),
            Declared::Gauge(gauge) => registry.register(name, help, gauge),
            Declared::Gauges(family) => registry.register(name, help, family),
            Declared::Histogram(histogram) => registry.register(name, help, histogram),
        }
        declared.insert(name, fresh.clone());
        Some(fresh)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state.ready.load(Ordering::Acquire)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.state.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}
