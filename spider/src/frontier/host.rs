//! One host: its queue, its manners, and what its robots.txt said.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fetch::error::Failure;
use crate::frontier::Target;
use crate::robots::Robots;

/// Manners that hold for every host.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// Shortest time between the starts of two requests.
    pub delay: Duration,
    /// Requests at a time.
    pub per_host: usize,
    /// Attempts to read robots.txt after the first one failed.
    pub retries: u32,
    /// Wait before the second attempt; doubled for each further one.
    pub retry_wait: Duration,
    /// Longest wait that a server can ask for.
    pub max_wait: Duration,
}

/// Slow servers are asked more slowly, up to this.
const ADAPTIVE_LIMIT: Duration = Duration::from_secs(30);
/// How long robots.txt is believed (RFC 9309, section 2.4).
pub const ROBOTS_TTL: Duration = Duration::from_secs(24 * 3600);
/// How long a host without readable robots.txt is left alone once the attempts are used up: until its URLs are due again.
pub const UNREACHABLE_TTL: Duration = Duration::from_secs(crate::revisit::SOON as u64);
/// Failures to connect, one after another, after which a host has to show its robots.txt again.
const BREAKER: u32 = 5;

/// What is known of robots.txt of one origin.
#[derive(Debug, Default)]
pub enum Rules {
    /// Nothing.
    #[default]
    Unknown,
    /// It is being asked for, after so many failed attempts.
    Asked(u32),
    /// Rules, the size of their text, and until when they are believed.
    Known(Arc<Robots>, usize, Instant),
    /// Not readable; the number of attempts so far and when to ask again. The host waits meanwhile.
    Waiting(u32, Instant),
    /// Not readable, and the attempts are used up: URLs fail like this until then.
    Unreachable(Failure, Instant),
}

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Name, with the port when it is not the default.
    pub name: Arc<str>,
    /// Its partition.
    pub partition: u32,
    /// Ready page requisites, which go first, and ready pages.
    ready: [BinaryHeap<Ready>; 2],
    /// Those whose time has not come.
    later: BinaryHeap<Reverse<Later>>,
    /// Requests under way.
    pub in_flight: usize,
    /// No request starts before this.
    pub not_before: Instant,
    /// What robots.txt asks for.
    pub crawl_delay: Duration,
    /// robots.txt over http and over https.
    pub rules: [Rules; 2],
    /// When the scheduler looks at it next; none while nothing can be started.
    pub wake: Option<Instant>,
    /// How long the last answer took.
    took: Duration,
    /// Failures to connect in a row.
    failures: u32,
}

#[derive(Debug)]
struct Ready {
    order: Reverse<(u32, u64)>,
    target: Target,
}

#[derive(Debug)]
struct Later {
    due: i64,
    number: u64,
    target: Target,
}

impl Host {
    /// A host of which nothing is known.
    pub fn new(name: Arc<str>, partition: u32, not_before: Instant) -> Host {
        Host {
            name,
            partition,
            ready: [BinaryHeap::new(), BinaryHeap::new()],
            later: BinaryHeap::new(),
            in_flight: 0,
            not_before,
            crawl_delay: Duration::ZERO,
            rules: [Rules::Unknown, Rules::Unknown],
            wake: None,
            took: Duration::ZERO,
            failures: 0,
        }
    }

    /// Adds a target; `number` keeps the order among equals.
    pub fn push(&mut self, target: Target, number: u64, wall: i64) {
        match target.next > wall {
            true => self.later.push(Reverse(Later { due: target.next, number, target })),
            false => {
                let order = Reverse((target.depth, number));
                self.ready[usize::from(!target.requisite)].push(Ready { order, target });
            }
        }
    }

    /// Moves what has fallen due; gives when the next one does.
    pub fn ripen(&mut self, wall: i64) -> Option<i64> {
        while let Some(Reverse(first)) = self.later.peek() {
            if first.due > wall {
                return Some(first.due);
            }
            if let Some(Reverse(Later { number, target, .. })) = self.later.pop() {
                self.push(target, number, wall);
            }
        }
        None
    }

    /// The next ready target: a requisite, else a page (unless `pages` is false) of at most that depth.
    pub fn pop(&mut self, pages: bool, depth: u32) -> Option<Target> {
        let fits = |heap: &BinaryHeap<Ready>| heap.peek().is_some_and(|r| r.target.depth <= depth);
        let class = (0..2).find(|class| (*class == 0 || pages) && fits(&self.ready[*class]))?;
        self.ready[class].pop().map(|r| r.target)
    }

    /// The target that [`Host::pop`] would give.
    pub fn peek(&self, pages: bool, depth: u32) -> Option<&Target> {
        let heads = self.ready.iter().enumerate().filter(|(class, _)| *class == 0 || pages);
        heads.filter_map(|(_, heap)| heap.peek()).map(|r| &r.target).find(|t| t.depth <= depth)
    }

    /// Smallest depth that is ready.
    pub fn depth(&self) -> Option<u32> {
        self.ready.iter().filter_map(|heap| heap.peek()).map(|r| r.target.depth).min()
    }

    /// Whether something is ready (requisites only, or pages too).
    pub fn has_ready(&self, pages: bool) -> bool {
        !self.ready[0].is_empty() || (pages && !self.ready[1].is_empty())
    }

    /// Number of targets.
    pub fn len(&self) -> usize {
        self.ready.iter().map(BinaryHeap::len).sum::<usize>() + self.later.len()
    }

    /// Time between two requests to this host.
    pub fn delay(&self, manners: &Manners) -> Duration {
        let adaptive = if manners.delay.is_zero() { Duration::ZERO } else { self.took.min(ADAPTIVE_LIMIT) };
        manners.delay.max(self.crawl_delay).max(adaptive)
    }

    /// A request starts now. With several connections the delay counts from here, with one from its end.
    pub fn started(&mut self, manners: &Manners, now: Instant) {
        self.in_flight += 1;
        if manners.per_host > 1 {
            self.not_before = self.not_before.max(now + self.delay(manners));
        }
    }

    /// A request ended now. With one connection the delay counts from here, so that the server sees it whatever the way
    /// there took; `reached` is false when nothing was sent.
    pub fn ended(&mut self, manners: &Manners, now: Instant, reached: bool, took: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if reached {
            self.took = took;
            if manners.per_host == 1 {
                self.not_before = self.not_before.max(now + self.delay(manners));
            }
        }
    }

    /// The server asks for a pause.
    pub fn pause(&mut self, manners: &Manners, now: Instant, wait: Duration) {
        self.not_before = self.not_before.max(now + wait.min(manners.max_wait));
    }

    /// A request failed to get through, or got through. After several failures the host has to show robots.txt first, so
    /// that a host that is down costs a few attempts and not some for each of its URLs.
    pub fn connected(&mut self, yes: bool) {
        self.failures = if yes { 0 } else { self.failures + 1 };
        if self.failures >= BREAKER {
            self.failures = 0;
            self.rules = [Rules::Unknown, Rules::Unknown];
        }
    }

    /// Forgets rules that nobody is using now; gives how large their texts were.
    pub fn forget_rules(&mut self) -> usize {
        let mut size = 0;
        for rules in &mut self.rules {
            if let Rules::Known(_, bytes, _) = rules {
                size += *bytes;
                *rules = Rules::Unknown;
            }
        }
        size
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Ready) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Later) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

macro_rules! ordered {
    ($t:ty) => {
        impl PartialOrd for $t {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl PartialEq for $t {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }
        impl Eq for $t {}
    };
}

ordered!(Ready);
ordered!(Later);
