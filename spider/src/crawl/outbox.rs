//! What waits to be published, and what is being published: work goes in as [`Item`]s, batches come out, and local state
//! changes when the bus says that a batch is committed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use bus::payload::{Tally, UrlState};
use bus::topic::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS, PARTITIONS};
use bus::{Batch, Cover, Epoch, Output, Receipt};
use tokio::sync::OwnedSemaphorePermit;

use super::sent::Sent;
use crate::fingerprint::{BuildReady, Fingerprint};
use crate::frontier::index::Entry;
use crate::frontier::{Frontier, Target};

/// Room for the tallies that go into each batch.
const TALLIES: usize = PARTITIONS as usize;
const TALLY_BYTES: usize = 8 << 10;
/// Records of one item, so that it fits into a batch with the tallies.
pub const ITEM_RECORDS: usize = MAX_BATCH_RECORDS - TALLIES;
/// Bytes of one batch without the tallies.
const BATCH_BYTES: usize = MAX_BATCH_BYTES - TALLIES * TALLY_BYTES;

/// Work on one partition that is published in one piece.
#[derive(Debug, Default)]
pub struct Item {
    /// Partition for whose sake it is done.
    pub partition: u32,
    /// Epoch under which it was done.
    pub epoch: Epoch,
    /// Records.
    pub outputs: Vec<Output>,
    /// What becomes of a URL.
    pub change: Option<Change>,
    /// Offset after the candidate that was handled.
    pub handled: Option<i64>,
    /// A fetch came to its end; with the class of its failure.
    pub fetch: Option<Option<String>>,
    /// Links among the records.
    pub sent: Vec<(Fingerprint, u16)>,
    /// It holds a place of `--pages`.
    pub claim: bool,
    /// The partition's tally is published whatever else there is.
    pub touch: bool,
    /// Room for a large body.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// A new state of a URL.
#[derive(Debug)]
pub struct Change {
    /// Which of the item's records says so.
    pub output: usize,
    /// The URL.
    pub print: Fingerprint,
    /// Its state.
    pub state: UrlState,
    /// To be queued once that is committed.
    pub queue: Option<Target>,
}

impl Item {
    fn bytes(&self) -> usize {
        self.outputs.iter().map(|o| o.record.size()).sum()
    }
}

/// What a commit has done.
#[derive(Debug, Default)]
pub struct Committed {
    /// Places of `--pages` that were given back (or became counts).
    pub claims: usize,
}

#[derive(Debug)]
struct Waiting {
    item: Item,
    records: usize,
    bytes: usize,
}

/// The outbox.
#[derive(Debug)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    records: usize,
    bytes: usize,
    since: Option<Instant>,
    publishing: Vec<Waiting>,
    publishing_bytes: usize,
    /// Links on their way to the bus, with the partition for whose sake.
    links: HashMap<Fingerprint, (u32, Epoch, u16), BuildReady>,
    /// New URLs on their way to the bus, and how many of each host.
    admitted: HashMap<Fingerprint, (Epoch, Entry), BuildReady>,
    admitted_of: HashMap<u64, u32, BuildReady>,
    /// Links published lately.
    pub sent: Sent,
    crawl: String,
}

impl Outbox {
    /// Empty.
    pub fn new(crawl: &str) -> Outbox {
        Outbox {
            waiting: VecDeque::new(),
            records: 0,
            bytes: 0,
            since: None,
            publishing: Vec::new(),
            publishing_bytes: 0,
            links: HashMap::default(),
            admitted: HashMap::default(),
            admitted_of: HashMap::default(),
            sent: Sent::default(),
            crawl: crawl.to_owned(),
        }
    }

    /// Adds work.
    pub fn push(&mut self, item: Item) {
        // candidates that came to nothing need no item of their own
        if item.outputs.is_empty()
            && let (Some(handled), Some(last)) = (item.handled, self.waiting.back_mut())
            && (last.item.partition, last.item.epoch) == (item.partition, item.epoch)
        {
            last.item.handled = Some(handled);
            return;
        }
        for (print, depth) in &item.sent {
            self.links.insert(*print, (item.partition, item.epoch, *depth));
        }
        if let Some(Change { print, state, .. }) = item.change.as_ref().filter(|_| item.handled.is_some())
            && self.admitted.insert(*print, (item.epoch, Entry::new(state, 0, i64::MIN))).is_none()
        {
            *self.admitted_of.entry(print.host).or_default() += 1;
        }
        let (records, bytes) = (item.outputs.len(), item.bytes());
        self.records += records;
        self.bytes += bytes;
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push_back(Waiting { item, records, bytes });
    }

    /// A link that is on its way for the sake of the item's partition already; the depth it was given. Work done under
    /// another epoch may never be published, so it does not count.
    pub fn link(&self, item: &Item, print: &Fingerprint) -> Option<u16> {
        let (partition, epoch, depth) = self.links.get(print)?;
        (*partition == item.partition && *epoch == item.epoch).then_some(*depth)
    }

    /// A new URL that is on its way, admitted under this epoch.
    pub fn admitted(&self, epoch: Epoch, print: &Fingerprint) -> Option<Entry> {
        self.admitted.get(print).filter(|(e, _)| *e == epoch).map(|(_, entry)| *entry)
    }

    /// New URLs of a host that are on their way.
    pub fn admitted_of(&self, host: u64) -> u32 {
        self.admitted_of.get(&host).copied().unwrap_or(0)
    }

    /// Nothing waits and nothing is being published.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.publishing.is_empty()
    }

    /// Nothing is being published.
    pub fn is_free(&self) -> bool {
        self.publishing.is_empty()
    }

    /// Something waits.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A batch is full.
    pub fn is_full(&self) -> bool {
        self.records >= ITEM_RECORDS || self.bytes >= BATCH_BYTES
    }

    /// Since when something waits.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Items, and bytes with those that are being published.
    pub fn size(&self) -> (usize, usize) {
        (self.waiting.len(), self.bytes + self.publishing_bytes)
    }

    /// The next batch; none when nothing waits. Work for partitions that are not ours any more is dropped.
    pub fn seal(&mut self, frontier: &Frontier) -> (Option<Batch>, Committed) {
        let mut dropped = Committed::default();
        let mut batch = Batch::default();
        let mut touched: BTreeMap<u32, Delta> = BTreeMap::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            let full = batch.outputs.len() + next.records > ITEM_RECORDS || bytes + next.bytes > BATCH_BYTES;
            if full && !self.publishing.is_empty() {
                break;
            }
            let Some(mut next) = self.waiting.pop_front() else { break };
            self.records -= next.records;
            self.bytes -= next.bytes;
            let Some(ours) = frontier.partitions.get(&next.item.partition).filter(|p| p.epoch == next.item.epoch)
            else {
                self.forget(&next.item, &mut dropped);
                continue;
            };
            bytes += next.bytes;
            batch.outputs.append(&mut next.item.outputs);
            touched.entry(next.item.partition).or_default().add(
                &next.item,
                ours.index.get(&print(&next.item)),
                ours.tally.since,
            );
            self.publishing.push(next);
        }
        self.publishing_bytes = bytes;
        self.since = (!self.waiting.is_empty()).then(Instant::now);
        if self.publishing.is_empty() {
            return (None, dropped);
        }
        for (partition, delta) in touched {
            let Some(p) = frontier.partitions.get(&partition) else { continue };
            let (topic, next) = (bus::topic::discovered(&self.crawl).name, p.handled.max(delta.handled));
            batch.covers.push(Cover { topic, partition, next, epoch: p.epoch });
            if let Some(tally) = frontier.tally(partition).filter(|_| delta.any) {
                batch.outputs.push(delta.apply(tally).to_output(&self.crawl, partition));
            }
        }
        (Some(batch), dropped)
    }

    /// The batch is on the bus: what it says is true now.
    pub fn commit(&mut self, receipt: &Receipt, frontier: &mut Frontier, wall: i64) -> Committed {
        let mut done = Committed::default();
        let mut first = 0;
        for Waiting { item, records, .. } in std::mem::take(&mut self.publishing) {
            self.forget(&item, &mut done);
            for (print, depth) in &item.sent {
                self.sent.note(*print, *depth);
            }
            // a partition that was lost meanwhile has read what was committed
            let ours = frontier.partitions.get_mut(&item.partition).filter(|p| p.epoch == item.epoch);
            if let Some(p) = ours {
                p.handled = p.handled.max(item.handled.unwrap_or_default());
                if let Some(error) = &item.fetch {
                    p.tally.fetches += 1;
                    if let Some(class) = error {
                        *p.tally.errors.entry(class.clone()).or_default() += 1;
                    }
                }
                if let Some(Change { output, print, state, queue }) = item.change {
                    let offset = receipt.offsets.get(first + output).copied().unwrap_or_default();
                    frontier.commit(item.partition, print, &state, offset, queue, wall);
                }
            }
            first += records;
        }
        self.publishing_bytes = 0;
        done
    }

    /// The batch was refused: its items wait again, before all others. Those of lost partitions are dropped when the next
    /// batch is made.
    pub fn take_back(&mut self, batch: Batch) {
        let mut outputs = batch.outputs.into_iter();
        let mut items = std::mem::take(&mut self.publishing);
        for waiting in &mut items {
            waiting.item.outputs = outputs.by_ref().take(waiting.records).collect();
            self.records += waiting.records;
            self.bytes += waiting.bytes;
        }
        for waiting in items.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        self.publishing_bytes = 0;
        self.since.get_or_insert_with(Instant::now);
    }

    fn forget(&mut self, item: &Item, done: &mut Committed) {
        for (print, _) in &item.sent {
            if self.links.get(print).is_some_and(|(p, e, _)| (*p, *e) == (item.partition, item.epoch)) {
                self.links.remove(print);
            }
        }
        if let Some(change) = item.change.as_ref().filter(|_| item.handled.is_some()) {
            let host = change.print.host;
            if self.admitted.get(&change.print).is_some_and(|(epoch, _)| *epoch == item.epoch)
                && self.admitted.remove(&change.print).is_some()
                && let Some(urls) = self.admitted_of.get_mut(&host)
            {
                *urls -= 1;
                if *urls == 0 {
                    self.admitted_of.remove(&host);
                }
            }
        }
        done.claims += usize::from(item.claim);
    }
}

fn print(item: &Item) -> Fingerprint {
    item.change.as_ref().map_or(Fingerprint { host: 0, url: 0 }, |c| c.print)
}

/// What a batch changes in a tally.
#[derive(Debug, Default)]
struct Delta {
    any: bool,
    handled: i64,
    known: i64,
    pending: i64,
    counted: i64,
    fetches: u64,
    errors: BTreeMap<String, u64>,
}

impl Delta {
    fn add(&mut self, item: &Item, old: Option<Entry>, mark: i64) {
        self.handled = self.handled.max(item.handled.unwrap_or_default());
        self.any |= item.touch;
        if let Some(change) = &item.change {
            let new = Entry::new(&change.state, 0, mark);
            let waits = |e: Entry| i64::from(e.pending() || e.stale());
            self.known += i64::from(old.is_none());
            self.pending += waits(new) - old.map_or(0, waits);
            self.counted += i64::from(new.counted()) - i64::from(old.is_some_and(Entry::counted));
            self.any = true;
        }
        if let Some(error) = &item.fetch {
            self.fetches += 1;
            if let Some(class) = error {
                *self.errors.entry(class.clone()).or_default() += 1;
            }
            self.any = true;
        }
    }

    fn apply(self, mut tally: Tally) -> Tally {
        tally.known = tally.known.saturating_add_signed(self.known);
        tally.pending = tally.pending.saturating_add_signed(self.pending);
        tally.fetched = tally.fetched.saturating_add_signed(self.counted);
        tally.fetches += self.fetches;
        for (class, n) in self.errors {
            *tally.errors.entry(class).or_default() += n;
        }
        tally
    }
}
