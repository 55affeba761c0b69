//! The scheduler: which request may start now, host by host, under the manners.
//!
//! Each host with something to do has one place in a queue of wake-up times; hosts that are held back (`--pages` has no
//! place left, `--depth` goes level by level) are set aside until [`Queues::release`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::host::{Host, Manners, ROBOTS_TTL, Rules, UNREACHABLE_TTL};
use crate::fetch::error::Failure;
use crate::fingerprint::BuildReady;
use crate::frontier::Target;
use crate::revisit;
use crate::robots::{self, Found, Robots};

/// Hosts with nothing to do are forgotten beyond this number.
const IDLE_HOSTS: usize = 10_000;
/// Texts of robots.txt whose rules are kept, bytes together.
const ROBOTS_BYTES: usize = 8 << 20;

/// What to do next.
#[derive(Debug)]
pub enum Job {
    /// Fetch a URL, if these rules allow it.
    Page {
        /// What to fetch.
        target: Target,
        /// Its partition.
        partition: u32,
        /// Rules of its host.
        robots: Arc<Robots>,
    },
    /// Give up on a URL, since its host's robots.txt cannot be read.
    Refused {
        /// What cannot be fetched.
        target: Target,
        /// Its partition.
        partition: u32,
        /// Why.
        failure: Failure,
    },
    /// Ask a host for robots.txt.
    Robots {
        /// Hash of the host.
        host: u64,
        /// Address of the file.
        address: Url,
        /// Wait before redirects on the same host.
        delay: Duration,
    },
}

/// What may be started at the moment.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Pages too, and not only requisites.
    pub pages: bool,
    /// Greatest depth.
    pub depth: u32,
}

/// All hosts.
#[derive(Debug)]
pub struct Queues {
    manners: Manners,
    hosts: HashMap<u64, Host, BuildReady>,
    wake: BinaryHeap<Reverse<(Instant, u64)>>,
    held: HashSet<u64, BuildReady>,
    number: u64,
    targets: usize,
    robots_bytes: usize,
}

impl Queues {
    /// No host yet.
    pub fn new(manners: Manners) -> Queues {
        let (hosts, wake) = (HashMap::default(), BinaryHeap::new());
        Queues { manners, hosts, wake, held: HashSet::default(), number: 0, targets: 0, robots_bytes: 0 }
    }

    /// The manners.
    pub fn manners(&self) -> &Manners {
        &self.manners
    }

    /// Whether a host is known.
    pub fn has(&self, host: u64) -> bool {
        self.hosts.contains_key(&host)
    }

    /// Adds a host; [`Queues::push`] needs it.
    pub fn add_host(&mut self, id: u64, host: Host, now: Instant) {
        if self.hosts.len() > IDLE_HOSTS && self.hosts.len().is_power_of_two() {
            self.hosts.retain(|_, h| h.len() > 0 || h.in_flight > 0 || h.not_before > now);
        }
        self.hosts.insert(id, host);
    }

    /// Adds a target whose host is known; others are dropped.
    pub fn push(&mut self, target: Target, now: Instant, wall: i64) {
        let id = target.print.host;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        self.number += 1;
        self.targets += 1;
        host.push(target, self.number, wall);
        self.schedule(id, now);
    }

    /// Number of targets that wait.
    pub fn len(&self) -> usize {
        self.targets
    }

    /// What may start now; call it until it gives nothing.
    pub fn next(&mut self, gate: Gate, now: Instant, wall: i64) -> Option<Job> {
        loop {
            let Reverse((at, id)) = *self.wake.peek()?;
            if at > now {
                return None;
            }
            self.wake.pop();
            let Some(host) = self.hosts.get_mut(&id).filter(|h| h.wake == Some(at)) else { continue };
            host.wake = None;
            let later = host.ripen(wall);
            if !host.has_ready(true) {
                if let Some(due) = later {
                    let wait = u64::try_from(due - wall).unwrap_or(0);
                    self.schedule(id, now + Duration::from_secs(wait));
                }
                continue;
            }
            if host.in_flight >= self.manners.per_host {
                continue;
            }
            if host.not_before > now {
                let at = host.not_before;
                self.schedule(id, at);
                continue;
            }
            let Some(head) = host.peek(gate.pages, gate.depth) else {
                self.held.insert(id);
                continue;
            };
            let https = usize::from(head.https());
            match &host.rules[https] {
                Rules::Known(robots, _, until) if *until > now => {
                    let robots = robots.clone();
                    let Some(target) = host.pop(gate.pages, gate.depth) else { continue };
                    host.started(&self.manners, now);
                    let partition = host.partition;
                    self.targets -= 1;
                    self.schedule(id, now);
                    return Some(Job::Page { target, partition, robots });
                }
                Rules::Unreachable(failure, until) if *until > now => {
                    let failure = failure.clone();
                    let Some(target) = host.pop(gate.pages, gate.depth) else { continue };
                    let partition = host.partition;
                    self.targets -= 1;
                    self.schedule(id, now);
                    return Some(Job::Refused { target, partition, failure });
                }
                Rules::Waiting(_, until) if *until > now => {
                    let until = *until;
                    self.schedule(id, until);
                }
                Rules::Asked(_) => {}
                rules => {
                    let attempts = if let Rules::Waiting(attempts, _) = rules { *attempts } else { 0 };
                    // what is queued is canonical, so it parses
                    let Ok(url) = Url::parse(&head.url) else { continue };
                    host.rules[https] = Rules::Asked(attempts);
                    host.started(&self.manners, now);
                    let (address, delay) = (robots::address(&url), host.delay(&self.manners));
                    return Some(Job::Robots { host: id, address, delay });
                }
            }
        }
    }

    /// When [`Queues::next`] may have something again, as far as time decides.
    pub fn wake_at(&self) -> Option<Instant> {
        self.wake.peek().map(|Reverse((at, _))| *at)
    }

    /// Looks again at the hosts that were held back.
    pub fn release(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.held) {
            self.schedule(id, now);
        }
    }

    /// Smallest depth among what was held back.
    pub fn held_depth(&self) -> Option<u32> {
        self.held.iter().filter_map(|id| self.hosts.get(id)).filter_map(Host::depth).min()
    }

    /// Whether a requisite is ready on some host.
    pub fn requisites_ready(&self) -> bool {
        self.hosts.values().any(|h| h.has_ready(false))
    }

    /// A host, to tell it what happened; it is looked at again afterwards.
    pub fn with(&mut self, id: u64, now: Instant, tell: impl FnOnce(&mut Host, &Manners)) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        tell(host, &self.manners);
        self.schedule(id, now);
    }

    /// robots.txt was read, or not. Gives the host's name and Crawl-delay when that is to be remembered.
    pub fn robots(
        &mut self,
        id: u64,
        https: bool,
        found: Found,
        took: Duration,
        now: Instant,
    ) -> Option<(Arc<str>, Duration)> {
        let manners = self.manners;
        let host = self.hosts.get_mut(&id)?;
        host.ended(&manners, now, true, took);
        let slot = &mut host.rules[usize::from(https)];
        let attempts = if let Rules::Asked(attempts) = slot { *attempts } else { 0 };
        let mut remember = None;
        let mut size = 0;
        match found {
            Found::Rules(robots, text) => {
                size = text.len();
                let delay = robots.crawl_delay().unwrap_or_default();
                *slot = Rules::Known(robots, size, now + ROBOTS_TTL);
                if delay > host.crawl_delay {
                    host.crawl_delay = delay;
                    host.not_before = host.not_before.max(now + host.delay(&manners));
                    remember = Some((host.name.clone(), delay));
                } else {
                    host.crawl_delay = delay;
                }
            }
            Found::Unreachable(failure, _) if !failure.transient || attempts >= manners.retries => {
                tracing::debug!(host = &*host.name, reason = failure.reason, "robots.txt cannot be read");
                *slot = Rules::Unreachable(failure, now + UNREACHABLE_TTL);
            }
            Found::Unreachable(failure, wait) => {
                tracing::debug!(host = &*host.name, reason = failure.reason, attempts, "robots.txt cannot be read yet");
                let wait = wait.unwrap_or_default().min(manners.max_wait);
                let wait = revisit::backoff(manners.retry_wait, attempts + 1).max(wait);
                *slot = Rules::Waiting(attempts + 1, now + wait);
            }
        }
        self.robots_bytes += size;
        self.schedule(id, now);
        if self.robots_bytes > ROBOTS_BYTES {
            let idle = self.hosts.values_mut().filter(|h| h.in_flight == 0);
            let freed: usize = idle.map(Host::forget_rules).sum();
            self.robots_bytes = self.robots_bytes.saturating_sub(freed);
        }
        remember
    }

    /// Drops the hosts of a partition that is not ours any more.
    pub fn drop_partition(&mut self, partition: u32) {
        self.hosts.retain(|_, h| h.partition != partition);
        self.targets = self.hosts.values().map(Host::len).sum();
    }

    fn schedule(&mut self, id: u64, at: Instant) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.wake.is_none_or(|wake| at < wake) {
            host.wake = Some(at);
            self.wake.push(Reverse((at, id)));
        }
    }
}
