//! What is answered at `--metrics`: the metrics as text, and whether the process is alive and ready.

use std::collections::HashSet;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::serve::{Answer, Request};
use crate::{Metrics, usage};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const UNAVAILABLE: &str = "503 Service Unavailable";

/// The answer to a request; `draining` once shutdown is requested.
pub(crate) fn answer(metrics: &Metrics, request: &Request, draining: bool) -> Answer {
    match request.path.as_str() {
        "/metrics" => scrape(metrics, request.accept.contains("application/openmetrics-text")),
        "/healthz" => Answer::text("200 OK", "alive"),
        "/readyz" if draining => Answer::text(UNAVAILABLE, "draining"),
        "/readyz" if metrics.is_ready() => Answer::text("200 OK", "ready"),
        "/readyz" => Answer::text(UNAVAILABLE, "not ready"),
        _ => Answer::text("404 Not Found", "here are /metrics, /healthz and /readyz"),
    }
}

/// Adds what the system says about this process, looked up at each scrape.
pub(crate) fn describe_process(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

fn scrape(metrics: &Metrics, open_metrics: bool) -> Answer {
    let mut text = String::new();
    if text::encode(&mut text, &metrics.registry()).is_err() {
        return Answer::text("500 Internal Server Error", "metrics could not be encoded");
    }
    let media_type = if open_metrics { OPEN_METRICS } else { PROMETHEUS };
    Answer { status: "200 OK", media_type, body: if open_metrics { text } else { classic(&text) } }
}

/// OpenMetrics text as the older Prometheus text format 0.0.4, which every collector reads: there a counter's description
/// bears its full name, and nothing marks the end.
fn classic(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| *line != "# EOF").collect();
    let counters: HashSet<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut classic = String::with_capacity(text.len());
    for line in lines {
        let described = ["# HELP ", "# TYPE "].into_iter().find_map(|mark| Some((mark, line.strip_prefix(mark)?)));
        match described.and_then(|(mark, rest)| Some((mark, rest.split_once(' ')?))) {
            Some((mark, (name, rest))) if counters.contains(name) => classic.extend([mark, name, "_total ", rest]),
            _ => classic.push_str(line),
        }
        classic.push('\n');
    }
    classic
}

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cpu = ConstCounter::new(usage::cpu_seconds());
        let name = "process_cpu_seconds";
        cpu.encode(encoder.encode_descriptor(name, "Processor time in seconds", None, cpu.metric_type())?)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory in bytes", usage::resident_bytes()),
            ("process_open_fds", "Open file descriptors", usage::open_files()),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape(metrics: &Metrics, accept: &str) -> Answer {
        answer(metrics, &Request { path: "/metrics".to_owned(), accept: accept.to_owned() }, false)
    }

    #[test]
    fn metrics_are_served_as_prometheus_text() {
        let metrics = Metrics::default();
        metrics.counter("a_pages_total", "Pages fetched").inc_by(2);
        metrics.counter("a_pages_total", "Pages fetched").inc();
        metrics.counter_of("a_errors_total", "Errors", &[("class", "d\"ns")]).inc();
        metrics.gauge("a_lag", "Lag").set(1.5);
        metrics.histogram("a_seconds", "Time", &[0.1, 1.0]).observe(0.5);
        let answer = scrape(&metrics, "text/plain");
        assert_eq!((answer.status, answer.media_type), ("200 OK", PROMETHEUS));
        assert_eq!(
            answer.body,
            "# HELP a_pages_total Pages fetched.\n# TYPE a_pages_total counter\na_pages_total 3\n\
             # HELP a_errors_total Errors.\n# TYPE a_errors_total counter\na_errors_total{class=\"d\\\"ns\"} 1\n\
             # HELP a_lag Lag.\n# TYPE a_lag gauge\na_lag 1.5\n\
             # HELP a_seconds Time.\n# TYPE a_seconds histogram\na_seconds_sum 0.5\na_seconds_count 1\n\
             a_seconds_bucket{le=\"0.1\"} 0\na_seconds_bucket{le=\"1.0\"} 1\na_seconds_bucket{le=\"+Inf\"} 1\n"
        );
        let answer = scrape(&metrics, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
        assert!(
            answer.body.contains("# TYPE a_pages counter\n") && answer.body.ends_with("# EOF\n"),
            "{}",
            answer.body
        );
    }

    #[test]
    fn a_name_declared_twice_with_different_types_keeps_the_first() {
        let metrics = Metrics::default();
        metrics.gauge("a_lag", "Lag").set(1.0);
        metrics.counter("a_lag", "Lag").inc_by(7);
        assert_eq!(scrape(&metrics, "").body, "# HELP a_lag Lag.\n# TYPE a_lag gauge\na_lag 1.0\n");
    }

    #[test]
    fn ready_is_said_by_the_program_and_taken_back_while_draining() {
        let metrics = Metrics::default();
        let status = |draining: bool| {
            answer(&metrics, &Request { path: "/readyz".to_owned(), accept: String::new() }, draining).status
        };
        assert_eq!(status(false), UNAVAILABLE);
        metrics.ready(true);
        assert_eq!((status(false), status(true)), ("200 OK", UNAVAILABLE));
    }

    #[test]
    fn the_process_is_measured_at_each_scrape() {
        let metrics = Metrics::default();
        describe_process(&mut metrics.registry());
        let body = scrape(&metrics, "").body;
        for name in ["process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds "] {
            let value =
                body.lines().find_map(|line| line.strip_prefix(name)).and_then(|value| value.parse::<f64>().ok());
            assert!(value.is_some_and(|value| value > 0.0), "{name}: {body}");
        }
    }
}
