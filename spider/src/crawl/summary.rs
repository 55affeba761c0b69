//! What a crawl tells while it runs and when it ends: a line on the terminal, metrics, life signs, a summary.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::Beats;
use bus::payload::Tally;
use program::{Counter, Exit, Gauge, Histogram, Metrics, Table, Usage, human};
use serde::Serialize;
use tracing::warn;

use super::settle::Settled;

/// Why a crawl ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// `--pages` is reached.
    Pages,
    /// Nothing is left to fetch.
    Idle,
    /// A signal.
    Interrupted,
}

/// Counts of this run.
pub struct Progress {
    started: Instant,
    bar: program::Progress,
    beats: Option<Beats>,
    metrics: Meters,
    artefacts: u64,
    pages: u64,
    bytes: u64,
    errors: BTreeMap<String, u64>,
    /// Artefacts and bytes at the last tick.
    before: (Instant, u64, u64),
}

struct Meters {
    metrics: Metrics,
    pages: Counter,
    artefacts: Counter,
    bytes: Counter,
    records: Counter,
    pending: Gauge,
    in_flight: Gauge,
    seconds: Histogram,
}

const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

impl Progress {
    /// Begins to count.
    pub fn new(metrics: Metrics, beats: Option<Beats>, pages: Option<u64>) -> Progress {
        let now = Instant::now();
        let metrics = Meters {
            pages: metrics.counter("spider_pages_total", "Fetches with status 200, page requisites aside"),
            artefacts: metrics.counter("spider_artefacts_total", "Fetches that were archived, whatever became of them"),
            bytes: metrics.counter("spider_bytes_total", "Bytes of bodies that were archived"),
            records: metrics.counter("spider_records_total", "Records published"),
            pending: metrics.gauge("spider_pending_urls", "URLs that wait to be fetched"),
            in_flight: metrics.gauge("spider_requests", "Requests under way"),
            seconds: metrics.histogram("spider_fetch_seconds", "Duration of fetches", SECONDS),
            metrics,
        };
        Progress {
            started: now,
            bar: program::Progress::new("crawl", "pages", pages),
            beats,
            metrics,
            artefacts: 0,
            pages: 0,
            bytes: 0,
            errors: BTreeMap::new(),
            before: (now, 0, 0),
        }
    }

    /// A visit ended.
    pub fn visited(&mut self, settled: &Settled, took: Duration) {
        if !settled.archived {
            return;
        }
        self.artefacts += 1;
        self.bytes += settled.bytes;
        self.metrics.artefacts.inc();
        self.metrics.bytes.inc_by(settled.bytes);
        self.metrics.seconds.observe(took.as_secs_f64());
        if settled.page {
            self.pages += 1;
            self.metrics.pages.inc();
            self.bar.add(1);
        }
        if let Some(class) = &settled.error {
            *self.errors.entry(class.clone()).or_default() += 1;
            let labels = [("class", class.as_str())];
            self.metrics.metrics.counter_of("spider_errors_total", "Failed fetches by class", &labels).inc();
        }
    }

    /// Records are on the bus.
    pub fn committed(&mut self, records: usize) {
        self.metrics.records.inc_by(records as u64);
    }

    /// Once a second or so.
    pub fn tick(&mut self, pending: u64, in_flight: usize, lag: i64) {
        self.metrics.metrics.ready(true);
        self.metrics.pending.set(pending as f64);
        self.metrics.in_flight.set(in_flight as f64);
        let errors: u64 = self.errors.values().sum();
        self.bar.say(&format!(
            "{} waiting, {} failed, {}",
            human::count(pending),
            human::count(errors),
            human::bytes(self.bytes)
        ));
        let (at, artefacts, bytes) = self.before;
        let seconds = at.elapsed().as_secs_f64().max(0.001);
        let rates = [("pages", self.artefacts - artefacts), ("bytes", self.bytes - bytes)];
        self.before = (Instant::now(), self.artefacts, self.bytes);
        if let Some(beats) = &self.beats {
            beats.update(|beat| {
                beat.state = if pending > 0 { "running" } else { "waiting" }.into();
                beat.rates = rates.map(|(name, n)| (name.to_owned(), n as f64 / seconds)).into();
                beat.lag = Some(lag);
            });
        }
        tracing::trace!(pending, in_flight, lag, "crawling");
    }

    /// No further request starts.
    pub fn draining(&mut self) {
        self.metrics.metrics.ready(false);
        if let Some(beats) = &self.beats {
            beats.update(|beat| beat.state = "draining".into());
        }
    }

    /// The summary.
    pub fn finish(self, crawl: &str, ended: Ended, tally: &Tally, failed: u64) -> Summary {
        self.bar.finish();
        let seconds = self.started.elapsed().as_secs_f64();
        let usage = Usage::now();
        Summary {
            crawl: crawl.to_owned(),
            ended,
            artefacts: self.artefacts,
            pages: self.pages,
            bytes: self.bytes,
            seconds,
            pages_per_second: self.pages as f64 / seconds.max(1e-9),
            cpu_seconds: usage.cpu_seconds,
            peak_memory_bytes: usage.peak_memory_bytes,
            errors: self.errors,
            total: Total { fetched: tally.fetched, known: tally.known, pending: tally.pending, failed },
        }
    }
}

/// What a run did, and how far the crawl is.
#[derive(Debug, Serialize)]
pub struct Summary {
    crawl: String,
    ended: Ended,
    artefacts: u64,
    pages: u64,
    bytes: u64,
    seconds: f64,
    pages_per_second: f64,
    cpu_seconds: f64,
    peak_memory_bytes: u64,
    errors: BTreeMap<String, u64>,
    total: Total,
}

#[derive(Debug, Serialize)]
struct Total {
    fetched: u64,
    known: u64,
    pending: u64,
    /// Failed for a reason that may pass.
    failed: u64,
}

impl Summary {
    /// Exit code. Pages that cannot be fetched are part of a crawl, and are archived as what they are.
    pub fn exit(&self) -> Exit {
        match self.ended {
            Ended::Pages | Ended::Idle => Exit::Done,
            Ended::Interrupted => Exit::Interrupted,
        }
    }

    /// Says what a person may want to do next.
    pub fn advise(&self) {
        if self.ended != Ended::Idle {
            return;
        }
        if self.total.failed > 0 {
            warn!(
                "{} URLs could not be fetched for a reason that may pass; run the command again to try them now",
                self.total.failed
            );
        } else if self.artefacts == 0 && self.total.known > 0 {
            warn!(
                "nothing was fetched: each of the {} known URLs was visited before and none is due; --recrawl visits them again",
                self.total.known
            );
        }
    }

    /// As a table.
    pub fn table(&self) -> Table {
        let mut table = Table::new(["crawl", self.crawl.as_str()]).right(1);
        let time = Duration::from_secs_f64(self.seconds);
        let ended = match self.ended {
            Ended::Pages => "--pages reached",
            Ended::Idle => "nothing left to fetch",
            Ended::Interrupted => "interrupted",
        };
        table.row(["ended", ended]);
        table.row(["pages", &human::count(self.pages)]);
        table.row(["artefacts", &human::count(self.artefacts)]);
        table.row(["bytes", &human::bytes(self.bytes)]);
        table.row(["time", &human::duration(time)]);
        table.row(["speed", &format!("{:.1} pages/s", self.pages_per_second)]);
        table.row(["processor time", &human::duration(Duration::from_secs_f64(self.cpu_seconds))]);
        table.row(["peak memory", &human::bytes(self.peak_memory_bytes)]);
        for (class, n) in &self.errors {
            table.row([format!("failed: {class}"), human::count(*n)]);
        }
        table.row(["crawl so far: pages", &human::count(self.total.fetched)]);
        table.row(["crawl so far: known URLs", &human::count(self.total.known)]);
        table.row(["crawl so far: to be fetched", &human::count(self.total.pending)]);
        if self.total.failed > 0 {
            table.row(["crawl so far: to be tried again", &human::count(self.total.failed)]);
        }
        table
    }
}
