//! Uploads segments: rows are read, made into documents and sent in batches, several in flight.
//!
//! The last batches of a segment are still on their way when the next one is read, so a server is kept busy also by many
//! small segments; [`Uploader::ended`] gives those of which everything was answered.
//!
//! Memory is bounded by a budget in bytes for what is in flight: on its way a batch is there several times (here, as a
//! command, as a message of the driver), so the budget is a small part of what the program may use.

use std::collections::btree_map::{BTreeMap, Entry};
use std::future::Future;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use archive::{MENDS, Segment, UploadedSegment};
use program::{Progress, Shutdown};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::batch::Batch;
use super::recent::Recent;
use super::rejects::Rejects;
use super::send::{self, Outcome, Terms};
use super::source::{self, Check};
use super::turn::Turn;
use crate::mongo::document::{self, Collection, Origin};
use crate::mongo::{Failure, Mongo};
use crate::row_hash;
use crate::segment_reader::SegmentReader;

/// Bytes of batches in flight.
const IN_FLIGHT: usize = 24 << 20;
/// Bytes up to which a body is compressed into its batch, without a copy.
const SMALL: usize = 128 << 10;
/// Level of compression: a fifth less work than at 3 for 4 % more bytes (docs/upload-2026-11-22.md).
const LEVEL: i32 = 1;

/// What a run of uploads shares.
pub struct Uploader<'a> {
    mongo: &'a Mongo,
    shutdown: &'a Shutdown,
    progress: &'a Progress,
    budget: Arc<Semaphore>,
    jobs: usize,
    force: bool,
    recent: Recent,
    compressor: zstd::bulk::Compressor<'static>,
    compressed: Vec<u8>,
    /// What has to be done before the first document is sent.
    preparing: JoinSet<Result<()>>,
    /// What is to be over before a batch is sent, and what it is part of.
    turns: (Arc<Turn>, Arc<Turn>),
    tasks: JoinSet<(u64, Result<Outcome, Failure>)>,
    /// Files that were compared with their footer, or cannot be.
    checked: BTreeMap<PathBuf, Check>,
    /// Segments of which something is on its way, by the number of their begin.
    open: BTreeMap<u64, Open>,
    begun: u64,
}

/// A segment that is read, or of which something is on its way.
struct Open {
    entry: UploadedSegment,
    /// Sum of H(_id, rev) of what was sent.
    sum: u128,
    outcome: Outcome,
    batches: usize,
    /// How the reading ended: whole, or a signal came.
    read: Option<Result<bool>>,
}

/// What the batches of a segment have in common.
struct Sending {
    number: u64,
    terms: Arc<Terms>,
}

/// What became of a segment.
#[derive(Debug)]
pub enum Ended {
    /// Every document is accounted for.
    Uploaded(UploadedSegment),
    /// The file is damaged; what of it was sent is on the server.
    Damaged(UploadedSegment, anyhow::Error),
    /// A signal came.
    Interrupted,
}

impl<'a> Uploader<'a> {
    /// `jobs` batches in flight; none is sent before `prepare` is done.
    pub fn new(
        mongo: &'a Mongo,
        shutdown: &'a Shutdown,
        progress: &'a Progress,
        jobs: usize,
        force: bool,
        prepare: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<Uploader<'a>> {
        keep_blocks();
        let (mut preparing, turns) = (JoinSet::new(), (Turn::new(), Turn::new()));
        let first = turns.0.clone();
        mongo.spawn(&mut preparing, async move {
            prepare.await?;
            first.done();
            Ok(())
        });
        Ok(Uploader {
            mongo,
            shutdown,
            progress,
            budget: Arc::new(Semaphore::new(IN_FLIGHT)),
            jobs,
            force,
            recent: Recent::default(),
            compressor: zstd::bulk::Compressor::new(LEVEL).context("cannot compress")?,
            compressed: Vec::new(),
            preparing,
            turns,
            tasks: JoinSet::new(),
            checked: BTreeMap::new(),
            open: BTreeMap::new(),
            begun: 0,
        })
    }

    /// Reads a segment and sends it; what became of it, [`Uploader::ended`] says. `force` replaces documents that are there.
    /// False when a signal came.
    pub fn upload(&mut self, collection: Collection, segment: &Segment, force: bool) -> Result<bool> {
        let mut entry = UploadedSegment {
            collection: collection.name().to_owned(),
            segment: segment.name.to_string(),
            state: "started".to_owned(),
            started: now(),
            ..UploadedSegment::default()
        };
        self.begun += 1;
        let number = self.begun;
        let open = Open { entry: entry.clone(), sum: 0, outcome: Outcome::default(), batches: 0, read: None };
        self.open.insert(number, open);
        let mut sum = 0_u128;
        let read = self.read(collection, segment, force, number, &mut entry, &mut sum);
        let whole = match &read {
            Err(error) if error.chain().any(|cause| cause.is::<Failure>()) => return read,
            Err(_) => true,
            Ok(whole) => *whole,
        };
        if let Some(open) = self.open.get_mut(&number) {
            (open.entry, open.sum, open.read) = (entry, sum, Some(read));
        }
        Ok(whole)
    }

    /// What is uploaded from now on is sent when everything before is on the server.
    pub fn next_turn(&mut self) {
        self.turns.1.done();
        self.turns.0 = std::mem::replace(&mut self.turns.1, Turn::new());
    }

    /// Waits for everything that is on its way.
    pub fn drain(&mut self) -> Result<()> {
        self.prepared()?;
        while !self.tasks.is_empty() {
            self.reap()?;
        }
        Ok(())
    }

    /// The segments of which everything was answered since the last call.
    pub fn ended(&mut self, rejects: &mut Rejects) -> Result<Vec<Ended>> {
        // the ledger of what ended comes after what is prepared
        if !self.preparing.is_empty() {
            return Ok(Vec::new());
        }
        let is_ended = |open: &Open| open.read.is_some() && open.batches == 0;
        let numbers: Vec<u64> =
            self.open.iter().filter(|(_, open)| is_ended(open)).map(|(number, _)| *number).collect();
        let open: Vec<Open> = numbers.iter().filter_map(|number| self.open.remove(number)).collect();
        open.into_iter().map(|open| open.end(rejects)).collect()
    }

    /// Reads the segment and starts its batches; false when a signal came.
    fn read(
        &mut self,
        collection: Collection,
        segment: &Segment,
        force: bool,
        number: u64,
        entry: &mut UploadedSegment,
        sum: &mut u128,
    ) -> Result<bool> {
        let reader = SegmentReader::open(&segment.path)?;
        let footer = reader.footer()?;
        // a document made of damaged bytes would be in the way of the right one for ever
        let check = match self.checked.entry(segment.path.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => *free.insert(Check::of(&reader)?),
        };
        entry.hash = row_hash::hex(footer.hash);
        entry.extractor.clone_from(&footer.extractor);
        let terms = Terms {
            force: self.force || force,
            extractor: footer.extractor.clone(),
            day: (collection != Collection::Bodies).then(|| segment.day.start_millis()),
        };
        let sending = Sending { number, terms: Arc::new(terms) };
        let origin =
            Origin { day: segment.day, segment: segment.name.to_string(), extractor: footer.extractor.clone() };
        let mut batch = Batch::new(collection);
        let shutdown = self.shutdown;
        if collection == Collection::Bodies {
            let mut recent = std::mem::take(&mut self.recent);
            let wanted = |id: &str| recent.is_new(id);
            let whole = source::bodies(&reader, check, wanted, |body| {
                let rev = document::body_rev(&body.digest, body.bytes.len() as u64);
                let mut compressed = Ok(());
                batch.push(body.id, rev, |out| {
                    document::write_body(body.id, rev, body.bytes.len(), out, |out| {
                        compressed = self.compress(body.bytes, out);
                    });
                });
                compressed?;
                *sum = sum.wrapping_add(document::proof(body.id, rev));
                entry.documents += 1;
                self.pass_on(&mut batch, &sending)?;
                Ok(!shutdown.requested())
            });
            self.recent = recent;
            if !whole? {
                return Ok(false);
            }
        } else {
            let mut revs = 0_u128;
            let mut id = String::new();
            let whole = source::rows(&reader, collection.data_set(), |rows| {
                for row in 0..rows.len() {
                    rows.id(row, &mut id);
                    let rev = rows.rev(row);
                    batch.push(&id, rev, |out| rows.write(row, &id, &origin, out));
                    revs = revs.wrapping_add(rev);
                    *sum = sum.wrapping_add(document::proof(&id, rev));
                    entry.documents += 1;
                    self.pass_on(&mut batch, &sending)?;
                }
                Ok(!shutdown.requested())
            })?;
            if !whole {
                return Ok(false);
            }
            anyhow::ensure!(
                revs == footer.hash && entry.documents == footer.rows,
                "{} is damaged: its rows are not those that were sealed (hash {}, the footer says {}); {MENDS}",
                segment.path.display(),
                row_hash::hex(revs),
                row_hash::hex(footer.hash)
            );
        }
        if !batch.docs.is_empty() {
            self.start(batch, &sending)?;
        }
        Ok(true)
    }

    /// Starts a batch that is full.
    fn pass_on(&mut self, batch: &mut Batch, sending: &Sending) -> Result<()> {
        let last = if batch.is_over() { batch.pop() } else { None };
        if last.is_some() || batch.is_full() {
            let full = std::mem::replace(batch, Batch::new(batch.collection));
            self.start(full, sending)?;
        }
        if let Some(last) = last {
            batch.put(last);
        }
        Ok(())
    }

    /// Sends a batch as soon as fewer than `jobs` are in flight and there is room in the budget.
    fn start(&mut self, batch: Batch, sending: &Sending) -> Result<()> {
        while self.tasks.len() >= self.jobs {
            self.reap()?;
        }
        let bytes = u32::try_from(batch.bytes().min(IN_FLIGHT)).unwrap_or(u32::MAX);
        let room = loop {
            match self.budget.clone().try_acquire_many_owned(bytes) {
                Ok(room) => break room,
                // there is room when nothing is in flight
                Err(_) => self.reap()?,
            }
        };
        let (link, terms, number) = (self.mongo.link().clone(), sending.terms.clone(), sending.number);
        let (before, turn) = self.turns.clone();
        turn.begin();
        self.mongo.spawn(&mut self.tasks, async move {
            before.over().await;
            let outcome = send::send(&link, &batch, &terms).await;
            if outcome.is_ok() {
                turn.done();
            }
            drop(batch);
            drop(room);
            (number, outcome)
        });
        if let Some(open) = self.open.get_mut(&number) {
            open.batches += 1;
        }
        Ok(())
    }

    /// Waits for one batch.
    fn reap(&mut self) -> Result<()> {
        self.prepared()?;
        let Some(ended) = self.mongo.wait(self.tasks.join_next()) else { return Ok(()) };
        let (number, done) = ended.context("the task of a batch broke")?;
        let done = done?;
        self.progress.add(done.inserted + done.present + done.replaced + done.rejected.len() as u64);
        if let Some(open) = self.open.get_mut(&number) {
            open.batches -= 1;
            open.outcome.inserted += done.inserted;
            open.outcome.present += done.present;
            open.outcome.replaced += done.replaced;
            open.outcome.rejected.extend(done.rejected);
        }
        Ok(())
    }

    /// Waits until what has to be done first is done.
    fn prepared(&mut self) -> Result<()> {
        while let Some(done) = self.mongo.wait(self.preparing.join_next()) {
            done.context("the task that prepares the upload broke")??;
        }
        Ok(())
    }

    /// Writes a body's zstd frame behind what is in the buffer.
    fn compress(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let most = zstd::zstd_safe::compress_bound(bytes.len());
        let done = if most <= SMALL {
            out.reserve(most);
            let end = out.len() as u64;
            let mut behind = Cursor::new(out);
            behind.set_position(end);
            self.compressor.compress_to_buffer(bytes, &mut behind)
        } else {
            // so that the room for a large one is not kept with each batch that is in flight
            self.compressed.clear();
            self.compressed.reserve(most);
            let done = self.compressor.compress_to_buffer(bytes, &mut self.compressed);
            out.extend_from_slice(&self.compressed);
            done
        };
        done.context("cannot compress a body")?;
        Ok(())
    }
}

impl Open {
    /// The account of a segment.
    fn end(self, rejects: &mut Rejects) -> Result<Ended> {
        let Open { mut entry, mut sum, outcome, read, .. } = self;
        (entry.inserted, entry.present, entry.replaced) = (outcome.inserted, outcome.present, outcome.replaced);
        entry.rejected = outcome.rejected.len() as u64;
        for reject in outcome.rejected {
            sum = sum.wrapping_sub(document::proof(&reject.id, reject.rev));
            tracing::warn!(
                "{} {} is rejected: {} (code {})",
                entry.collection,
                reject.id,
                program::human::clean(&reject.message),
                reject.code
            );
            rejects.push(reject)?;
        }
        entry.sum = row_hash::hex(sum);
        entry.finished = Some(now());
        Ok(match read {
            Some(Ok(true)) => {
                entry.state = if entry.rejected == 0 { "done" } else { "partly" }.to_owned();
                Ended::Uploaded(entry)
            }
            Some(Err(error)) => {
                entry.state = "damaged".to_owned();
                Ended::Damaged(entry, error)
            }
            Some(Ok(false)) | None => Ended::Interrupted,
        })
    }
}

/// glibc asks the system for each large block, and gives it back when it is freed; so each batch would be paid for page by
/// page again. Once it has seen a block freed, it keeps smaller ones for the next (mallopt(3), dynamic mmap threshold). This
/// one is never touched, and takes no memory; the budget bounds what is kept.
fn keep_blocks() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
}

/// Now, RFC 3339 UTC.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
