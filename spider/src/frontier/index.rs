//! The local index of one partition: what is known of each URL, in about 50 bytes, and the counts that follow from it.
//!
//! It holds only what is committed on the bus, and can be made anew from there at any time. A store for many more URLs
//! than fit in memory would take the place of this file.

use std::collections::HashMap;

use bus::payload::{State, UrlState};

use crate::fetch::error::Class;
use crate::fingerprint::{BuildReady, Fingerprint};

/// What is known of one URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where its newest record stands in the frontier partition.
    pub offset: i64,
    /// Not before this time, seconds since 1970 UTC.
    pub next: u32,
    /// Links from a seed.
    pub depth: u16,
    flags: u8,
}

const STATE: u8 = 0b11;
const REQUISITE: u8 = 1 << 2;
const OK: u8 = 1 << 3;
/// Fetched under the current mark; never set on what was not fetched.
const FRESH: u8 = 1 << 4;
/// Taken for a visit; in memory only.
const TAKEN: u8 = 1 << 5;
/// The last fetch failed in a way that may pass.
const FAILED: u8 = 1 << 6;
/// It was reached by so many redirects that those it answers with were not followed.
const CUT: u8 = 1 << 7;

impl Entry {
    /// From a frontier record, under the partition's recrawl mark.
    pub fn new(state: &UrlState, offset: i64, mark: i64) -> Entry {
        let mut flags = match state.state {
            State::Pending => 0,
            State::Fetched => 1,
            State::Gone => 2,
        };
        let cut = state.state == State::Fetched && state.error.as_deref() == Some(Class::Redirects.name());
        let all = [
            (REQUISITE, state.requisite),
            (OK, state.ok),
            (FRESH, state.mark == mark),
            (FAILED, state.passing),
            (CUT, cut),
        ];
        for (flag, set) in all {
            if set {
                flags |= flag;
            }
        }
        let next = u32::try_from(state.next_fetch.max(0)).unwrap_or(u32::MAX);
        Entry { offset, next, depth: u16::try_from(state.depth).unwrap_or(u16::MAX), flags }
    }

    /// For a checkpoint.
    pub fn to_parts(self) -> (i64, u32, u16, u8) {
        (self.offset, self.next, self.depth, self.flags & !TAKEN)
    }

    /// From a checkpoint; none when the flags make no sense.
    pub fn from_parts(offset: i64, next: u32, depth: u16, flags: u8) -> Option<Entry> {
        (flags & STATE != STATE && flags & TAKEN == 0).then_some(Entry { offset, next, depth, flags })
    }

    /// Where it stands.
    pub fn state(self) -> State {
        match self.flags & STATE {
            0 => State::Pending,
            1 => State::Fetched,
            _ => State::Gone,
        }
    }

    /// To be fetched when due.
    pub fn pending(self) -> bool {
        self.flags & STATE == 0
    }

    /// A page requisite.
    pub fn requisite(self) -> bool {
        self.flags & REQUISITE != 0
    }

    /// Fetched with status 200 under the current mark, and not as a requisite.
    pub fn counted(self) -> bool {
        self.flags & (OK | FRESH | REQUISITE) == OK | FRESH
    }

    /// Fetched with status 200 under the mark of its last fetch.
    pub fn ok(self) -> bool {
        self.flags & OK != 0
    }

    /// Last fetched under an older mark, so that it is due.
    pub fn stale(self) -> bool {
        !self.pending() && self.flags & FRESH == 0
    }

    /// Its last fetch failed in a way that may pass.
    pub fn failed(self) -> bool {
        self.flags & FAILED != 0
    }

    /// Redirects that it answers with were too many, and not followed.
    pub fn cut(self) -> bool {
        self.flags & CUT != 0
    }

    /// On its way: waiting for its host's turn, or being fetched.
    pub fn taken(self) -> bool {
        self.flags & TAKEN != 0
    }

    fn due(self, now: u32) -> bool {
        !self.taken() && (self.stale() || (self.state() == State::Fetched && self.next <= now))
    }
}

/// Everything known of one partition.
#[derive(Debug)]
pub struct Index {
    map: HashMap<Fingerprint, Entry, BuildReady>,
    hosts: HashMap<u64, u32, BuildReady>,
    pending: u64,
    stale: u64,
    counted: u64,
    /// No entry that is not taken falls due before this time.
    earliest: u32,
}

impl Default for Index {
    fn default() -> Index {
        let (map, hosts) = (HashMap::default(), HashMap::default());
        Index { map, hosts, pending: 0, stale: 0, counted: 0, earliest: u32::MAX }
    }
}

impl Index {
    /// What is known of a URL.
    pub fn get(&self, print: &Fingerprint) -> Option<Entry> {
        self.map.get(print).copied()
    }

    /// Sets what is known of a URL.
    pub fn put(&mut self, print: Fingerprint, entry: Entry) {
        self.count(entry, 1);
        match self.map.insert(print, entry) {
            Some(old) => self.count(old, u64::MAX),
            None => *self.hosts.entry(print.host).or_default() += 1,
        }
        if !entry.taken() {
            self.expect(entry);
        }
    }

    /// Forgets a URL.
    pub fn remove(&mut self, print: &Fingerprint) {
        if let Some(old) = self.map.remove(print) {
            self.count(old, u64::MAX);
            if let Some(urls) = self.hosts.get_mut(&print.host) {
                *urls -= 1;
            }
        }
    }

    /// Marks a URL as on its way, or not any more.
    pub fn take(&mut self, print: &Fingerprint, taken: bool) {
        let Some(entry) = self.map.get_mut(print) else { return };
        match taken {
            true => entry.flags |= TAKEN,
            false => {
                entry.flags &= !TAKEN;
                let entry = *entry;
                self.expect(entry);
            }
        }
    }

    /// A new recrawl mark: nothing was fetched under it yet.
    pub fn renew(&mut self) {
        for entry in self.map.values_mut() {
            entry.flags &= !FRESH;
        }
        self.counted = 0;
        self.stale = self.known() - self.pending;
        self.earliest = 0;
    }

    /// Makes what failed for a reason that may pass due at once.
    pub fn hurry(&mut self) {
        for entry in self.map.values_mut().filter(|entry| entry.failed()) {
            entry.next = 0;
            self.earliest = 0;
        }
    }

    /// URLs whose last fetch failed for a reason that may pass.
    pub fn failed(&self) -> u64 {
        self.map.values().filter(|entry| entry.failed()).count() as u64
    }

    /// URLs due for another visit, at most `limit`, with the places of their records in ascending order.
    pub fn due(&mut self, now: i64, limit: usize) -> Vec<(i64, Fingerprint)> {
        let now = u32::try_from(now.max(0)).unwrap_or(u32::MAX);
        if self.earliest > now {
            return Vec::new();
        }
        let mut due = Vec::new();
        let mut earliest = u32::MAX;
        for (print, entry) in &self.map {
            if entry.due(now) {
                if due.len() < limit {
                    due.push((entry.offset, *print));
                } else {
                    earliest = 0;
                }
            } else if entry.state() == State::Fetched && !entry.taken() {
                earliest = earliest.min(entry.next);
            }
        }
        self.earliest = earliest;
        due.sort_unstable_by_key(|(offset, _)| *offset);
        due
    }

    /// Whether another visit may be due.
    pub fn may_be_due(&self, now: i64) -> bool {
        i64::from(self.earliest) <= now
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Entry)> {
        self.map.iter()
    }

    /// Number of URLs.
    pub fn known(&self) -> u64 {
        self.map.len() as u64
    }

    /// URLs of one host.
    pub fn of_host(&self, host: u64) -> u32 {
        self.hosts.get(&host).copied().unwrap_or(0)
    }

    /// URLs to be fetched: pending, or last fetched under an older mark.
    pub fn pending(&self) -> u64 {
        self.pending + self.stale
    }

    /// URLs that count for `--pages`.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    fn count(&mut self, entry: Entry, by: u64) {
        let counts = [
            (entry.pending(), &mut self.pending),
            (entry.stale(), &mut self.stale),
            (entry.counted(), &mut self.counted),
        ];
        for (applies, n) in counts {
            if applies {
                *n = n.wrapping_add(by);
            }
        }
    }

    fn expect(&mut self, entry: Entry) {
        if entry.stale() {
            self.earliest = 0;
        } else if entry.state() == State::Fetched {
            self.earliest = self.earliest.min(entry.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(n: u64) -> Fingerprint {
        Fingerprint { host: n % 3, url: n }
    }

    fn state(state: State, ok: bool, mark: i64, next_fetch: i64) -> UrlState {
        UrlState { state, ok, mark, next_fetch, ..UrlState::default() }
    }

    fn recount(index: &Index) -> (u64, u64) {
        let entries = || index.iter().map(|(_, e)| *e);
        let pending = entries().filter(|e| e.pending() || e.stale()).count() as u64;
        (pending, entries().filter(|e| e.counted()).count() as u64)
    }

    #[test]
    fn counts_follow_every_change() {
        let mut index = Index::default();
        for n in 0..30 {
            index.put(print(n), Entry::new(&state(State::Pending, false, 0, 0), n as i64, 0));
        }
        for n in 0..10 {
            index.put(print(n), Entry::new(&state(State::Fetched, n % 2 == 0, 0, 100), 100 + n as i64, 0));
        }
        index.put(print(10), Entry::new(&state(State::Gone, false, 0, 0), 200, 0));
        index.remove(&print(11));
        assert_eq!((index.known(), index.pending(), index.counted()), (29, 18, 5));
        assert_eq!((index.pending(), index.counted()), recount(&index));
        assert_eq!(index.of_host(2), 9);
        index.renew();
        assert_eq!((index.pending(), index.counted()), (29, 0));
        index.put(print(0), Entry::new(&state(State::Fetched, true, 7, 100), 300, 7));
        assert_eq!((index.pending(), index.counted()), (28, 1));
        assert_eq!((index.pending(), index.counted()), recount(&index));
    }

    #[test]
    fn due_gives_each_url_once_its_time_has_come() {
        let mut index = Index::default();
        for n in 0..10 {
            index.put(print(n), Entry::new(&state(State::Fetched, true, 0, 100 + n as i64), 50 - n as i64, 0));
        }
        assert!(!index.may_be_due(99) && index.due(99, 10).is_empty());
        let due = index.due(104, 10);
        assert_eq!(due.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [46, 47, 48, 49, 50]);
        for (_, print) in &due {
            index.take(print, true);
        }
        assert!(!index.may_be_due(104));
        index.take(&due[0].1, false);
        assert_eq!(index.due(104, 10), due[..1]);
        assert_eq!(index.due(200, 3).len(), 3);
        assert_eq!(index.due(200, 100).len(), 6);
    }

    #[test]
    fn what_failed_for_a_passing_reason_can_be_hurried() {
        let mut index = Index::default();
        for (n, passing, error) in [
            (0, true, Some("connect")),
            (1, false, Some("tls")),
            (2, false, Some("redirects")),
            (3, false, None),
            (4, true, None),
        ] {
            let error = error.map(str::to_owned);
            let state = UrlState { passing, error, ..state(State::Fetched, false, 0, 100) };
            index.put(print(n), Entry::new(&state, n as i64, 0));
        }
        assert_eq!(index.failed(), 2);
        assert!(!index.may_be_due(99));
        index.hurry();
        let due: Vec<_> = index.due(1, 10).iter().map(|(offset, _)| *offset).collect();
        assert_eq!(due, [0, 4]);
        assert!(index.get(&print(2)).is_some_and(|e| e.cut() && !e.failed()));
    }

    #[test]
    fn an_entry_goes_through_its_parts_unchanged() {
        for s in [
            state(State::Pending, false, 0, 0),
            state(State::Fetched, true, 3, i64::MAX),
            state(State::Gone, false, 0, -5),
        ] {
            let entry = Entry::new(&UrlState { requisite: true, depth: 70_000, ..s }, 9, 3);
            let (offset, next, depth, flags) = entry.to_parts();
            assert_eq!(Entry::from_parts(offset, next, depth, flags), Some(entry));
        }
        assert_eq!(Entry::from_parts(0, 0, 0, STATE), None);
        assert_eq!(Entry::from_parts(0, 0, 0, TAKEN), None);
    }
}
