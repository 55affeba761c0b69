//! Politeness, proven by the server's own log: the gap between requests to a host, and one connection at a time.

use std::collections::BTreeMap;

use site::{Connection, Event, Request};

/// What was asked of the spider, and when it was killed.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// Shortest time between the starts of two requests to a host, microseconds.
    pub(crate) delay_us: u64,
    /// When the spider was killed, on the server's clock.
    pub(crate) kills_us: &'a [u64],
    /// When the machine did not let a waiting thread run, from and to.
    pub(crate) stalls_us: &'a [(u64, u64)],
    /// Several spiders hand hosts over to one another: how long after a kill or a suspension the predecessor's connection may
    /// still be there. Then only the number of connections is judged.
    pub(crate) succession_us: Option<u64>,
}

/// The server notes a request when it gets to read it, so a gap may look shorter than it was by what it was late.
pub(crate) const LATE_US: u64 = 30_000;
/// A connection that was closed is noted as closed a little later.
const CLOSING_US: u64 = 100_000;

/// What the log proves.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    /// Every breach, in words.
    pub(crate) breaches: Vec<String>,
    /// Shortest gap between two requests to one host.
    pub(crate) shortest_us: Option<u64>,
    /// Hosts that were asked.
    pub(crate) hosts: usize,
}

/// Judges the log.
pub(crate) fn judge(events: &[Event], expected: &Expected) -> Manners {
    let mut manners = Manners::default();
    let mut requests: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    let mut connections: BTreeMap<&str, Vec<&Connection>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Request(it) => requests.entry(&it.host).or_default().push(it),
            Event::Connection(it) => connections.entry(&it.host).or_default().push(it),
        }
    }
    manners.hosts = requests.len();
    for (host, requests) in &mut requests {
        requests.sort_by_key(|it| it.start_us);
        if expected.succession_us.is_some() {
            continue;
        }
        manners.gaps(host, requests, expected);
        let spans: Vec<_> = requests.iter().map(|it| (it.start_us, it.end_us)).collect();
        manners.overlaps(&format!("{host}: requests"), &spans, 0, expected);
    }
    for (host, connections) in &mut connections {
        connections.sort_by_key(|it| it.opened_us);
        let spans: Vec<_> = connections.iter().map(|it| (it.opened_us, it.closed_us)).collect();
        match expected.succession_us {
            None => manners.overlaps(&format!("{host}: connections"), &spans, CLOSING_US, expected),
            Some(time) => manners.crowds(host, &spans, time, expected),
        }
    }
    manners
}

impl Manners {
    fn gaps(&mut self, host: &str, requests: &[&Request], expected: &Expected) {
        for pair in requests.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            // a stall that was under way may have held the first one back since it began
            let held = expected
                .stalls_us
                .iter()
                .filter(|(from, to)| *from <= first.start_us && first.start_us <= to + LATE_US);
            let arrived = held.map(|(from, _)| *from).min().unwrap_or(first.start_us);
            let gap = second.start_us.saturating_sub(arrived);
            let seen = second.start_us - first.start_us;
            self.shortest_us = Some(self.shortest_us.map_or(seen, |shortest| shortest.min(seen)));
            if gap + LATE_US < expected.delay_us {
                let killed = if expected.killed_between(first.start_us, second.start_us) {
                    ", the spider was killed between"
                } else {
                    ""
                };
                self.breaches.push(format!(
                    "{host}: {} came {:.1} ms after {}{killed}",
                    second.path,
                    gap as f64 / 1e3,
                    first.path
                ));
            }
        }
    }

    /// Connections (in the order of their starts) beside which more are open than predecessors were killed or suspended lately.
    fn crowds(&mut self, host: &str, spans: &[(u64, u64)], time: u64, expected: &Expected) {
        let mut open: Vec<u64> = Vec::new();
        for &(start, end) in spans {
            open.retain(|closed| *closed > start + CLOSING_US);
            let lately =
                expected.kills_us.iter().filter(|at| (start.saturating_sub(time)..=start).contains(*at)).count();
            if open.len() > lately {
                self.breaches.push(format!("{host}: {} connections at {:.3} s", open.len() + 1, start as f64 / 1e6));
            }
            open.push(end);
        }
    }

    /// Spans (in the order of their starts) that overlap by more than `slack`, though the spider was not killed
    /// between their starts: then the earlier one is a predecessor's.
    fn overlaps(&mut self, what: &str, spans: &[(u64, u64)], slack: u64, expected: &Expected) {
        let mut open: Vec<(u64, u64)> = Vec::new();
        for &(start, end) in spans {
            open.retain(|(_, closed)| *closed > start + slack);
            let own = open.iter().filter(|(opened, _)| !expected.killed_between(*opened, start));
            if own.count() > 0 {
                self.breaches.push(format!("{what} of one spider overlap at {:.3} s", start as f64 / 1e6));
            }
            open.push((start, end));
        }
    }
}

impl Expected<'_> {
    fn killed_between(&self, from: u64, to: u64) -> bool {
        self.kills_us.iter().any(|at| from <= *at && *at <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(start_ms: u64, end_ms: u64) -> Event {
        Event::Request(Request {
            connection: 1,
            peer: String::new(),
            host: "h".into(),
            method: "GET".into(),
            path: format!("/{start_ms}"),
            status: 200,
            bytes: 0,
            user_agent: String::new(),
            start_us: start_ms * 1000,
            end_us: end_ms * 1000,
            start_unix_ms: 0,
            end_unix_ms: 0,
        })
    }

    fn breaches(events: &[Event], kills_ms: &[u64], stalls_ms: &[(u64, u64)]) -> usize {
        let kills_us: Vec<_> = kills_ms.iter().map(|ms| ms * 1000).collect();
        let stalls_us: Vec<_> = stalls_ms.iter().map(|(from, to)| (from * 1000, to * 1000)).collect();
        let expected = Expected { delay_us: 100_000, kills_us: &kills_us, stalls_us: &stalls_us, succession_us: None };
        judge(events, &expected).breaches.len()
    }

    #[test]
    fn a_gap_that_is_too_short_is_a_breach_also_over_a_kill() {
        assert_eq!(breaches(&[request(0, 1), request(100, 101), request(200, 201)], &[], &[]), 0);
        assert_eq!(breaches(&[request(0, 1), request(40, 41)], &[], &[]), 1);
        assert_eq!(breaches(&[request(0, 1), request(40, 41)], &[20], &[]), 1);
        assert_eq!(breaches(&[request(100, 101), request(140, 141)], &[], &[(30, 99)]), 0, "the first came late");
        assert_eq!(breaches(&[request(100, 101), request(140, 141)], &[], &[(80, 99)]), 1, "not so late");
    }

    #[test]
    fn two_requests_at_a_time_are_a_breach_unless_one_is_a_predecessors() {
        assert_eq!(breaches(&[request(0, 150), request(100, 120)], &[], &[]), 1);
        assert_eq!(breaches(&[request(0, 150), request(100, 120)], &[50], &[]), 0);
        let connection = |opened_us, closed_us| {
            Event::Connection(Connection { connection: 1, peer: String::new(), host: "h".into(), opened_us, closed_us })
        };
        assert_eq!(breaches(&[connection(0, 900_000), connection(100, 800_000)], &[], &[]), 1);
        assert_eq!(breaches(&[connection(0, 900_000), connection(880_000, 990_000)], &[], &[]), 0);
    }
}
