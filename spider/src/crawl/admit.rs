//! Candidates from `discovered`: which of them are new, and what is published about each.

use std::sync::Arc;

use bus::payload::{Discovered, State, UrlState};
use bus::{Delivered, Output};
use tracing::{debug, warn};
use web::Canonical;

use super::outbox::{Change, Item, Outbox};
use crate::frontier::index::Entry;
use crate::frontier::{Frontier, Target, clamp, partition_of};

/// Program name in dead letters.
const PROGRAM: &str = "spider/crawl";
/// Redirects in a row that are followed.
pub const MAX_HOPS: u32 = 10;

/// What decides about candidates.
#[derive(Debug)]
pub struct Admission {
    /// Crawl.
    pub crawl: String,
    /// Value of `ce_source`.
    pub source: String,
    /// Greatest depth, where `--depth` is given.
    pub depth: Option<u32>,
    /// Most URLs of one host; 0 for no limit.
    pub host_pages: u32,
    /// Candidates that were refused because their host's budget is used up.
    pub over_budget: u64,
    /// The page that candidates came from last, shared by its links.
    via: Option<Arc<str>>,
}

impl Admission {
    /// With these limits.
    pub fn new(crawl: &str, source: &str, depth: Option<u32>, host_pages: u32) -> Admission {
        let (crawl, source) = (crawl.to_owned(), source.to_owned());
        Admission { crawl, source, depth, host_pages, over_budget: 0, via: None }
    }

    /// Handles one record of `discovered`; the scope may become wider, in which case the result is true.
    pub fn handle(&mut self, record: &Delivered, frontier: &mut Frontier, outbox: &mut Outbox, now_ms: i64) -> bool {
        let Some(p) = frontier.partitions.get(&record.partition).filter(|p| p.epoch == record.epoch) else {
            return false;
        };
        let mut item = Item {
            partition: record.partition,
            epoch: record.epoch,
            handled: Some(record.offset + 1),
            ..Item::default()
        };
        if record.offset < p.handled {
            // delivered again after the partition was assigned anew
            return false;
        }
        let mut wider = false;
        match decode(&record.record) {
            Err(reason) => {
                warn!(
                    partition = record.partition,
                    offset = record.offset,
                    reason,
                    "candidate goes to the dead letters"
                );
                item.outputs.push(bus::dead_letter(record, PROGRAM, &reason, now_ms));
            }
            Ok((candidate, url)) => {
                let home = partition_of(url.host());
                if home == record.partition {
                    wider = self.decide(candidate, url, frontier, outbox, &mut item);
                } else {
                    item.outputs.push(self.forward(candidate, &url, home));
                }
            }
        }
        outbox.push(item);
        wider
    }

    /// The candidate again, on the partition of its host.
    fn forward(&self, candidate: Discovered, url: &Canonical, home: u32) -> Output {
        let output =
            Discovered { url: url.as_str().into(), ..candidate }.into_output(&self.crawl, url.host(), &self.source);
        debug_assert_eq!(output.partition, home);
        output
    }

    fn decide(
        &mut self,
        candidate: Discovered,
        url: Canonical,
        frontier: &mut Frontier,
        outbox: &Outbox,
        item: &mut Item,
    ) -> bool {
        let print = frontier.key.of(&url);
        let known = outbox.admitted(item.epoch, &print).or_else(|| frontier.entry(item.partition, &print));
        let seed = candidate.depth == 0 && !candidate.requisite;
        let mut wider = false;
        if !self.belongs(&candidate, &url, frontier) {
            debug!(url = url.as_str(), "candidate is out of scope");
            return false;
        }
        if seed && !frontier.scope.knows(&url) {
            frontier.widen(&url);
            wider = true;
        }
        let mut past = None;
        if let Some(entry) = known {
            // who names a URL that failed, or that is gone, wants to know whether it is there by now
            let again = seed && (entry.failed() || entry.state() == State::Gone);
            if !again && !self.improves(entry, &candidate) || entry.taken() && entry.pending() {
                return wider;
            }
            if !entry.pending() {
                let mark = frontier.partitions.get(&item.partition).map_or(0, |p| p.tally.since);
                past = Some((entry.ok(), if entry.stale() { mark - 1 } else { mark }));
            }
        } else if self.host_pages > 0 && self.urls_of(print.host, item.partition, frontier, outbox) >= self.host_pages {
            if self.over_budget == 0 {
                warn!(
                    host = url.host(),
                    "the budget of --host-pages {} is used up; further URLs are left out", self.host_pages
                );
            }
            self.over_budget += 1;
            return wider;
        }
        let (ok, mark) = past.unwrap_or_default();
        let state = UrlState {
            state: State::Pending,
            depth: candidate.depth,
            hops: candidate.hops,
            via: candidate.via.clone(),
            requisite: candidate.requisite,
            ok,
            mark,
            ..UrlState::default()
        };
        let via = candidate.via.map(|via| match &self.via {
            Some(last) if **last == *via => last.clone(),
            _ => self.via.insert(via.into()).clone(),
        });
        item.outputs.push(state.to_output(&self.crawl, url.as_str(), item.partition));
        let target = Target::new(print, url.into_string().into(), via, state.clone());
        item.change = Some(Change { output: 0, print, state, queue: Some(target) });
        wider
    }

    fn urls_of(&self, host: u64, partition: u32, frontier: &Frontier, outbox: &Outbox) -> u32 {
        frontier.partitions.get(&partition).map_or(0, |p| p.index.of_host(host)) + outbox.admitted_of(host)
    }

    fn belongs(&self, candidate: &Discovered, url: &Canonical, frontier: &Frontier) -> bool {
        if candidate.hops > MAX_HOPS || self.depth.is_some_and(|max| candidate.depth > max) {
            return false;
        }
        match (candidate.requisite, candidate.depth, candidate.hops) {
            (true, _, _) => true,
            (false, 0, 0) => frontier.scope.admits_seed(url),
            (false, 0, _) => frontier.scope.admits_redirected_seed(url),
            _ => frontier.scope.contains(url),
        }
    }

    /// Whether a candidate says something better about a known URL.
    fn improves(&self, known: Entry, candidate: &Discovered) -> bool {
        improves(known, clamp(candidate.depth), candidate.hops, candidate.requisite, self.depth)
    }
}

/// Whether a link says something better about a known URL: that what was thought a requisite is a page, a way without
/// redirects to what was reached by too many of them, or, where depth is limited, a shorter way to what waits or to a page
/// whose links were cut off.
pub fn improves(known: Entry, depth: u16, hops: u32, requisite: bool, limit: Option<u32>) -> bool {
    if requisite {
        return false;
    }
    if known.requisite() && known.pending() || known.cut() && hops == 0 {
        return true;
    }
    let Some(limit) = limit else { return false };
    depth < known.depth && !known.requisite() && (known.pending() || known.depth >= clamp(limit))
}

fn decode(record: &bus::Record) -> Result<(Discovered, Canonical), String> {
    let candidate = Discovered::from_record(record)?;
    let url = web::canonicalise(&candidate.url).map_err(|e| e.to_string())?;
    Ok((candidate, url))
}
