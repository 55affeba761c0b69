//! How a visit ends: with an artefact, the URL's new state and the links that are worth telling, or with another try.

use std::time::Duration;

use bus::payload::{Artefact, Discovered, HttpHeaders, State};
use bus::topic::{ARTEFACTS, MAX_BODY};
use bus::{Epoch, Output};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, ETAG, LAST_MODIFIED, RETRY_AFTER};

use super::admit::{MAX_HOPS, improves};
use super::outbox::{Change, ITEM_RECORDS, Item, Outbox};
use super::visit::{Found, Page, Visit};
use crate::clock::Clock;
use crate::fetch::Validators;
use crate::fetch::error::{Class, Failure};
use crate::frontier::host::Manners;
use crate::frontier::{Frontier, Past, Target, clamp};
use crate::revisit;

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// Longest validator that is kept, bytes.
const MAX_VALIDATOR: usize = 512;
/// Links go ahead of a page when their records together are larger than this, bytes.
const LINK_BYTES: usize = 512 << 10;

/// Settles visits.
#[derive(Debug)]
pub struct Settling {
    /// Crawl.
    pub crawl: String,
    /// Value of `ce_source`.
    pub source: String,
    /// Greatest depth, where `--depth` is given.
    pub depth: Option<u32>,
    /// What is followed of a page's links, for its state.
    pub follows: Option<String>,
    /// Time.
    pub clock: Clock,
}

/// What the scheduler has to know of a visit.
#[derive(Debug, Default)]
pub struct Settled {
    /// To be published, in this order.
    pub items: Vec<Item>,
    /// The server asks for a pause.
    pub pause: Option<Duration>,
    /// A connection was made, or failed to be.
    pub connected: Option<bool>,
    /// Status, when the visit was the last one for now.
    pub status: Option<u16>,
    /// Bytes of the body that is archived.
    pub bytes: u64,
    /// Class of failure that is archived.
    pub error: Option<String>,
    /// An artefact is among the items.
    pub archived: bool,
    /// It is a page: status 200, or 304 for one that had it, and no page requisite.
    pub page: bool,
    /// An item keeps the place of `--pages` until it is published.
    pub claims: bool,
}

impl Settling {
    /// Ends a visit.
    pub fn settle(
        &self,
        mut target: Target,
        partition: u32,
        epoch: Epoch,
        visit: Visit,
        frontier: &Frontier,
        outbox: &Outbox,
    ) -> Settled {
        let manners = frontier.queues.manners();
        let mut settled = Settled { connected: connected(&visit), ..Settled::default() };
        let asked = match &visit.result {
            Ok(page) if is_busy(page.answer.status) => page.answer.header(RETRY_AFTER).and_then(revisit::retry_after),
            _ => None,
        };
        settled.pause = asked;
        let item = Item { partition, epoch, ..Item::default() };
        if let Some(wait) = retry(&visit, &target, manners, asked) {
            target.attempts += 1;
            let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
            target.next = (self.clock.millis() + wait + 999).div_euclid(1000);
            settled.items.push(self.again(target, item));
            return settled;
        }
        self.finish(target, visit, item, frontier, outbox, &mut settled);
        settled
    }

    /// The URL stays pending, to be tried later.
    fn again(&self, target: Target, item: Item) -> Item {
        let state = target.state(State::Pending, target.next);
        let output = state.to_output(&self.crawl, &target.url, item.partition);
        let change = Change { output: 0, print: target.print, state, queue: Some(target) };
        Item { outputs: vec![output], change: Some(change), ..item }
    }

    fn finish(
        &self,
        mut target: Target,
        visit: Visit,
        mut item: Item,
        frontier: &Frontier,
        outbox: &Outbox,
        settled: &mut Settled,
    ) {
        let mark = frontier.partitions.get(&item.partition).map_or(0, |p| p.tally.since);
        let before = target.past.take().unwrap_or_default();
        let was_ok = before.ok && before.mark == mark;
        let mut artefact = Artefact {
            id: uuid::Uuid::now_v7(),
            source: self.source.clone(),
            url: target.url.to_string(),
            fetched_at: visit.fetched_at,
            crawl: self.crawl.clone(),
            sha256: EMPTY.into(),
            via: target.via.as_deref().map(Into::into),
            depth: target.depth,
            hops: target.hops,
            elapsed_ms: u64::try_from(visit.elapsed.as_millis()).unwrap_or(u64::MAX),
            ..Artefact::default()
        };
        let may_pass = may_pass(&visit);
        let mut past = Past { mark, ok: was_ok, ..Past::default() };
        let (state, changed) = match visit.result {
            Ok(page) => {
                self.links(&target, &page, frontier, outbox, &mut item);
                if page.redirect.is_some() && target.hops >= MAX_HOPS {
                    artefact.error = Some(Class::Redirects.name().into());
                    past.error.clone_from(&artefact.error);
                }
                self.answer(page, &before, &mut artefact, &mut past, &mut item)
            }
            Err(failure) => {
                tell(&target, &failure);
                artefact.error = Some(failure.class.name().into());
                past.error.clone_from(&artefact.error);
                past.validators = before.validators.clone();
                past.hash = before.hash.clone();
                past.follows = before.follows.clone();
                (after(&failure), None)
            }
        };
        past.passing = may_pass;
        past.interval = match (before.passing, may_pass) {
            (true, true) => revisit::after_failure(before.interval),
            (false, true) => revisit::after_failure(0),
            (true, false) => revisit::interval(0, changed),
            (false, false) => revisit::interval(before.interval, changed),
        };
        let next = if state == State::Gone { 0 } else { self.clock.seconds() + past.interval };
        settled.status = artefact.status;
        settled.bytes = artefact.body.len() as u64;
        settled.archived = true;
        settled.page = past.ok && !target.requisite && matches!(artefact.status, Some(200 | 304));
        settled.error = artefact
            .error
            .clone()
            .or_else(|| artefact.status.filter(|status| *status >= 400).map(|status| format!("http_{status}")));
        item.fetch = Some(settled.error.clone());
        item.claim = past.ok && !was_ok && !target.requisite;
        target.attempts = 0;
        target.past = Some(Box::new(past));
        let state = target.state(state, next);
        let print = target.print;
        let own = [
            Output { topic: ARTEFACTS.into(), partition: item.partition, record: artefact.into_record() },
            state.to_output(&self.crawl, &target.url, item.partition),
        ];
        let links = std::mem::take(&mut item.outputs);
        let sent = std::mem::take(&mut item.sent);
        let size: usize = links.iter().map(|o| o.record.size()).sum();
        item.outputs.extend(own);
        if links.len() + 2 > ITEM_RECORDS || size > LINK_BYTES {
            settled.items = ahead(&item, links, sent);
        } else {
            item.outputs.extend(links);
            item.sent = sent;
        }
        item.change = Some(Change { output: 1, print, state, queue: None });
        settled.items.push(item);
    }

    /// What an answer means for the artefact and for later visits.
    fn answer(
        &self,
        page: Page,
        before: &Past,
        artefact: &mut Artefact,
        past: &mut Past,
        item: &mut Item,
    ) -> (State, Option<bool>) {
        let Page { answer, sha256, .. } = page;
        let status = answer.status;
        artefact.status = Some(status);
        artefact.http_headers = HttpHeaders(answer.header_block().into());
        artefact.content_type = answer.header(CONTENT_TYPE).filter(|t| is_media_type(t)).map(Into::into);
        artefact.remote = answer.remote.map(|remote| remote.to_string());
        artefact.truncated = answer.body.truncated;
        past.status = Some(status);
        past.ok |= status == 200;
        let changed = if status == 304 {
            // only what came with status 200 leaves validators, so this says 200 again
            past.ok |= before.validators != Validators::default();
            past.validators = before.validators.clone();
            past.hash = before.hash.clone();
            past.follows = before.follows.clone();
            Some(false)
        } else {
            let keep = |name| answer.header(name).filter(|v| v.len() <= MAX_VALIDATOR).map(str::to_owned);
            if status == 200 {
                past.follows.clone_from(&self.follows);
                past.validators = Validators { etag: keep(ETAG), last_modified: keep(LAST_MODIFIED) };
            }
            past.hash = Some(sha256[..16].to_owned());
            before.hash.as_ref().map(|hash| past.hash.as_ref() != Some(hash))
        };
        artefact.sha256 = sha256;
        let mut body = answer.body;
        body.bytes.truncate(MAX_BODY);
        artefact.body = Bytes::from(body.bytes);
        item.permit = body.permit;
        (if matches!(status, 404 | 410) { State::Gone } else { State::Fetched }, changed)
    }

    /// Records for the links that nobody was told of yet.
    fn links(&self, target: &Target, page: &Page, frontier: &Frontier, outbox: &Outbox, item: &mut Item) {
        for found in &page.links {
            let depth = if found.requisite { target.depth } else { target.depth.saturating_add(1) };
            self.link(found, target, depth, 0, frontier, outbox, item);
        }
        let Some(to) = page.redirect.as_ref().filter(|_| target.hops < MAX_HOPS) else { return };
        let inside = match (target.requisite, target.depth) {
            (true, _) => true,
            (false, 0) => frontier.scope.admits_redirected_seed(&to.url),
            (false, _) => frontier.scope.contains(&to.url),
        };
        if inside {
            self.link(to, target, target.depth, target.hops + 1, frontier, outbox, item);
        } else if target.depth == 0 {
            tracing::warn!(
                "seed {}: leads to {}, which is out of scope; name that as a seed, or widen --scope",
                target.url,
                to.url.as_str()
            );
        }
    }

    #[allow(clippy::too_many_arguments, reason = "it is one loop body, called in two places")]
    fn link(
        &self,
        found: &Found,
        target: &Target,
        depth: u32,
        hops: u32,
        frontier: &Frontier,
        outbox: &Outbox,
        item: &mut Item,
    ) {
        let known = frontier.entry(found.partition, &found.print).or_else(|| {
            let epoch = frontier.partitions.get(&found.partition)?.epoch;
            outbox.admitted(epoch, &found.print)
        });
        if known.is_some_and(|entry| !improves(entry, clamp(depth), hops, found.requisite, self.depth)) {
            return;
        }
        // a requisite counts as the deepest, since it is not followed
        let rank = if found.requisite { u16::MAX } else { clamp(depth) };
        let better = |told: u16| rank < told && (told == u16::MAX || self.depth.is_some());
        let told = outbox.link(item, &found.print).or_else(|| outbox.sent.get(&found.print));
        if told.is_some_and(|told| !better(told)) {
            return;
        }
        let candidate = Discovered {
            url: found.url.as_str().into(),
            via: Some(target.url.to_string()),
            depth,
            hops,
            requisite: found.requisite,
        };
        item.outputs.push(candidate.into_output(&self.crawl, found.url.host(), &self.source));
        item.sent.push((found.print, rank));
    }
}

/// Links of a page with very many: they go out before it. After a crash in between, the page is fetched again and the
/// links are known.
fn ahead(page: &Item, links: Vec<Output>, sent: Vec<(crate::fingerprint::Fingerprint, u16)>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut links = links.into_iter();
    for sent in sent.chunks(ITEM_RECORDS) {
        let outputs = links.by_ref().take(sent.len()).collect();
        items.push(Item {
            partition: page.partition,
            epoch: page.epoch,
            outputs,
            sent: sent.to_vec(),
            ..Item::default()
        });
    }
    items
}

/// How long to wait before another try; none when this was the last.
fn retry(visit: &Visit, target: &Target, manners: &Manners, asked: Option<Duration>) -> Option<Duration> {
    (may_pass(visit) && target.attempts < manners.retries).then(|| {
        let wait = revisit::backoff(manners.retry_wait, target.attempts + 1);
        wait.max(asked.unwrap_or_default().min(manners.max_wait))
    })
}

/// Whether a visit ended in a way that may pass.
fn may_pass(visit: &Visit) -> bool {
    match &visit.result {
        Ok(page) => is_busy(page.answer.status),
        Err(failure) => failure.transient,
    }
}

/// Statuses that may pass.
fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

fn connected(visit: &Visit) -> Option<bool> {
    match &visit.result {
        Ok(_) => Some(true),
        Err(f) if matches!(f.class, Class::Dns | Class::Connect | Class::Timeout) => Some(false),
        Err(_) => None,
    }
}

/// A seed that fails is said, since a person named it; other failures are counted.
fn tell(target: &Target, failure: &Failure) {
    let remedy = if failure.class == Class::Robots { "; `spider explain` shows the rule" } else { "" };
    if target.depth == 0 && target.hops == 0 && !target.requisite {
        tracing::warn!("seed {}: {}: {}{remedy}", target.url, failure.class.name(), failure.reason);
    } else {
        tracing::debug!("{}: {}: {}", target.url, failure.class.name(), failure.reason);
    }
}

/// State after a failure: what is forbidden stays so, everything else is visited again.
fn after(failure: &Failure) -> State {
    match failure.class {
        Class::Robots | Class::BlockedAddress if !failure.transient => State::Gone,
        _ => State::Fetched,
    }
}

/// `type/subtype` with what may follow (RFC 9110, section 8.3.1).
pub fn is_media_type(text: &str) -> bool {
    let token =
        |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let kind = text.split(';').next().unwrap_or_default().trim();
    text.len() <= 256 && kind.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_told_from_nonsense() {
        for good in ["text/html", "text/html; charset=utf-8", "application/vnd.ms-excel", "image/svg+xml"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["", "html", "text/", "/html", "text html/x", "a/b/c", "text/ht\u{e4}"] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
