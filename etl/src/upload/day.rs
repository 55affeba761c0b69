//! Uploads one day: what the ledger does not know as done, then compares, then sends once more what differs.
//!
//! The order of the steps is what makes a crash harmless. A segment counts as done in the ledger only after the server has
//! acknowledged all of it, and as done for this run only when the database's mirror of the ledger says so too; a day counts
//! as verified only after the server's documents were read back. Whatever stops in between is sent again, and what is there
//! already is recognised by its `rev`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use archive::{Catalogue, DataDir, Day, Segment, Upload, UploadedSegment};
use program::{Progress, Shutdown};

use super::mirror;
use super::rejects::{self, Rejects};
use super::segment::{Ended, Uploader, now};
use super::send::make_indexes;
use crate::mongo::document::Collection;
use crate::mongo::{Mongo, Target};
use crate::{row_hash, segment_reader};

/// How often the ledger is written while segments go by. What it lags behind is sent again after a crash.
const LEDGER_EVERY: Duration = Duration::from_secs(2);
/// How often its mirror is.
const MIRROR_EVERY: Duration = Duration::from_secs(10);

/// How a day is to be uploaded.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which collections, in the order of [`Collection::ALL`].
    pub collections: Vec<Collection>,
    /// Read back what the server has.
    pub verify: bool,
    /// Batches in flight.
    pub jobs: usize,
    /// Send everything, and replace what is there.
    pub force: bool,
    /// The day is not complete.
    pub partial: bool,
}

/// What was done.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Report {
    /// Day.
    pub day: String,
    /// `verified`, `uploaded`, `partly` or `interrupted`.
    pub state: String,
    /// Segments that were sent.
    pub segments: u64,
    /// Segments that the ledger knows as done.
    pub skipped: u64,
    /// Documents that were sent, and of these
    pub sent: u64,
    /// new on the server,
    pub inserted: u64,
    /// there already, the same,
    pub present: u64,
    /// put in place of an older or another one,
    pub replaced: u64,
    /// not taken.
    pub rejected: u64,
    /// Documents of an older extractor that were removed.
    pub removed: u64,
    /// Documents that the server holds of the day, by the verification.
    pub documents: u64,
    /// What needs a person, one line each.
    pub trouble: Vec<String>,
}

/// One day and one server.
pub struct Work<'a> {
    /// The archive.
    pub data: &'a DataDir,
    /// Folder of unfinished files.
    pub tmp: &'a std::path::Path,
    /// The server.
    pub mongo: &'a Mongo,
    /// Its name.
    pub target: &'a Target,
    /// How.
    pub options: &'a Options,
    /// Asks to stop.
    pub shutdown: &'a Shutdown,
}

/// A segment, the collection that it goes to, and whether what is there is replaced.
pub(super) type Piece = (Collection, Segment, bool);

impl Work<'_> {
    /// Uploads a day; its lock is held by the caller.
    pub fn day(&self, day: Day) -> Result<Report> {
        let mut run = Run::begin(self, day)?;
        let pieces = run.pending()?;
        let total = pieces.len();
        let progress = Progress::new(&format!("upload {day}"), "documents", None);
        let ended = run.whole(pieces, &progress);
        progress.finish();
        match ended {
            Ok(true) => run.end(),
            Ok(false) => {
                run.save(true)?;
                run.report.state = "interrupted".to_owned();
                Ok(run.report)
            }
            Err(error) => {
                // what is done stays done; the server may be away, so only the archive's own ledger is written
                run.ledger.write(self.data, &run.key)?;
                let done = run.report.segments;
                Err(error.context(format!(
                    "uploaded {done} of {total} segments of {day} that were to be sent; run the same command again, which does the \
                     rest"
                )))
            }
        }
    }
}

pub(super) struct Run<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) day: Day,
    key: String,
    before: Option<Upload>,
    pub(super) ledger: Upload,
    mirror: Option<Upload>,
    pub(super) rejects: Rejects,
    pub(super) report: Report,
    catalogue: Catalogue,
    saved: Instant,
    mirrored: Instant,
}

impl<'a> Run<'a> {
    fn begin(work: &'a Work<'a>, day: Day) -> Result<Run<'a>> {
        let key = work.target.key();
        let before = Upload::read(work.data, day, &key)?;
        let mut ledger = before.clone().unwrap_or_else(|| Upload {
            day: day.to_string(),
            server: work.target.shown().to_owned(),
            archive: String::new(),
            started: now(),
            ..Upload::default()
        });
        ledger.archive = work.data.archive_id()?;
        // without a ledger of ours nothing counts as done, whatever the mirror says
        let mirror = if before.is_some() { mirror::read(work.mongo, &ledger)? } else { None };
        let mut rejects = Rejects::new(work.data, work.tmp, day, &key);
        let kept = rejects::read(&rejects::path(work.data, day, &key))?;
        for reject in kept.into_iter().filter(|reject| !work.options.collections.contains(&reject.collection)) {
            rejects.push(reject)?;
        }
        let report = Report { day: day.to_string(), ..Report::default() };
        let (saved, mirrored) = (Instant::now(), Instant::now());
        let catalogue = Catalogue::read(work.data)?;
        Ok(Run { work, day, key, before, ledger, mirror, rejects, report, catalogue, saved, mirrored })
    }

    pub(super) fn segments(&self, collection: Collection) -> Vec<Segment> {
        let segments = self.catalogue.segments(collection.data_set(), Some(self.day), Some(self.day));
        segments.into_iter().cloned().collect()
    }

    /// What is to be sent. Entries of segments that are gone (compacted, or set aside) leave the ledger.
    fn pending(&mut self) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        for collection in self.work.options.collections.clone() {
            let segments = self.segments(collection);
            let damaged: Vec<archive::SegmentName> = self
                .ledger
                .segments
                .iter()
                .filter(|one| one.collection == collection.name() && one.state == "damaged")
                .filter_map(|one| one.segment.parse().ok())
                .collect();
            let names: BTreeSet<String> = segments.iter().map(|segment| segment.name.to_string()).collect();
            self.ledger.segments.retain(|one| one.collection != collection.name() || names.contains(&one.segment));
            for segment in segments {
                // what was sent of a damaged file may be wrong, and what replaces the file is right
                let force = damaged.iter().any(|name| name.overlaps(&segment.name));
                if self.work.options.force || force || !self.is_done(collection, &segment) {
                    pieces.push((collection, segment, force));
                } else {
                    self.report.skipped += 1;
                }
            }
        }
        Ok(pieces)
    }

    /// The ledger and its mirror say so, of these very rows.
    fn is_done(&self, collection: Collection, segment: &Segment) -> bool {
        let name = segment.name.to_string();
        let ours = self.ledger.segment(collection.name(), &name);
        let theirs = self.mirror.as_ref().and_then(|mirror| mirror.segment(collection.name(), &name));
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
        // a file that cannot be read is found out when it is sent
        let Ok(footer) = segment_reader::footer(&segment.path) else { return false };
        let same = |one: &UploadedSegment| (one.state.clone(), one.hash.clone(), one.sum.clone());
        ours.state == "done"
            && same(ours) == same(theirs)
            && ours.hash == row_hash::hex(footer.hash)
            && ours.extractor == footer.extractor
    }

    /// Sends, compares, sends again what differs, compares again; false when a signal came.
    fn whole(&mut self, pieces: Vec<Piece>, progress: &Progress) -> Result<bool> {
        if !self.send(pieces, progress)? {
            return Ok(false);
        }
        if !self.work.options.verify {
            return Ok(true);
        }
        let known = self.report.trouble.len();
        let again = match self.compare(false)? {
            None => return Ok(false),
            Some(again) => again,
        };
        if again.is_empty() {
            return Ok(true);
        }
        tracing::warn!(
            "the server differs from the ledger in {} segments of {}; sending them again",
            again.len(),
            self.day
        );
        // what the first comparison found is found again, or mended
        self.report.trouble.truncate(known);
        if !self.send(again, progress)? {
            return Ok(false);
        }
        Ok(self.compare(true)?.is_some())
    }

    fn send(&mut self, pieces: Vec<Piece>, progress: &Progress) -> Result<bool> {
        if pieces.is_empty() {
            return Ok(true);
        }
        let link = self.work.mongo.link().clone();
        self.ledger.state = "started".to_owned();
        self.ledger.partial = self.work.options.partial;
        let asked = self.work.options.collections.iter().map(|collection| collection.name().to_owned());
        let known: BTreeSet<String> = self.ledger.collections.drain(..).chain(asked).collect();
        self.ledger.collections = known.into_iter().collect();
        self.ledger.write(self.work.data, &self.key)?;
        (self.saved, self.mirrored) = (Instant::now(), Instant::now());
        let wanted: BTreeSet<Collection> = pieces.iter().map(|(collection, ..)| *collection).collect();
        let (day, ledger) = (self.day, self.ledger.clone());
        // before the first document; the first batches are made meanwhile
        let prepare = async move {
            mirror::put(&link, day, &ledger).await?;
            for collection in wanted {
                make_indexes(&link, collection).await?;
            }
            Ok(())
        };
        let options = self.work.options;
        let mut uploader =
            Uploader::new(self.work.mongo, self.work.shutdown, progress, options.jobs, options.force, prepare)?;
        let count = pieces.len();
        let (mut whole, mut last) = (true, None);
        for (i, (collection, segment, force)) in pieces.into_iter().enumerate() {
            progress.say(&format!("{} of {count} segments", i + 1));
            // what refers to a body finds it
            if last == Some(Collection::Bodies) && collection != Collection::Bodies {
                uploader.next_turn();
            }
            last = Some(collection);
            whole = !self.work.shutdown.requested() && uploader.upload(collection, &segment, force)?;
            if !whole {
                break;
            }
            let ended = uploader.ended(&mut self.rejects)?;
            self.account(ended)?;
        }
        uploader.drain()?;
        let ended = uploader.ended(&mut self.rejects)?;
        self.account(ended)?;
        // what comes next without verification writes it in any case
        if self.work.options.verify {
            self.save(true)?;
        }
        Ok(whole)
    }

    /// Takes note of segments of which everything was answered.
    fn account(&mut self, ended: Vec<Ended>) -> Result<()> {
        for one in ended {
            let entry = match one {
                Ended::Interrupted => continue,
                Ended::Uploaded(entry) => entry,
                Ended::Damaged(entry, error) => {
                    let line = format!("{error:#}");
                    tracing::error!("{line}");
                    self.report.trouble.push(line);
                    entry
                }
            };
            self.report.segments += 1;
            self.report.sent += entry.documents;
            self.report.inserted += entry.inserted;
            self.report.present += entry.present;
            self.report.replaced += entry.replaced;
            self.ledger.put(entry);
            self.save(false)?;
        }
        Ok(())
    }

    /// Writes the ledger and its mirror, when they are due.
    fn save(&mut self, now: bool) -> Result<()> {
        if now || self.saved.elapsed() >= LEDGER_EVERY {
            self.ledger.write(self.work.data, &self.key)?;
            self.saved = Instant::now();
        }
        if now || self.mirrored.elapsed() >= MIRROR_EVERY {
            mirror::write(self.work.mongo, self.day, &self.ledger)?;
            self.mirrored = Instant::now();
        }
        Ok(())
    }

    /// Rejects, ledger and mirror say how it ended.
    fn end(mut self) -> Result<Report> {
        let rejected = self.rejects.count();
        let good = self.report.trouble.is_empty() && rejected == 0;
        let verified = self.work.options.verify;
        if let Some(path) = self.rejects.finish()? {
            self.report.trouble.push(format!("{rejected} documents were rejected; see {}", path.display()));
        }
        self.report.rejected = rejected;
        self.report.state = match (good, verified) {
            (false, _) => "partly",
            (true, true) => "verified",
            (true, false) => "uploaded",
        }
        .to_owned();
        let was_verified = self.before.as_ref().is_some_and(|before| before.state == "verified");
        let sent = self.report.segments + self.report.removed > 0;
        let keep = !sent && was_verified && self.report.state == "uploaded";
        self.ledger.state = if keep { "verified".to_owned() } else { self.report.state.clone() };
        self.ledger.rejected = rejected;
        self.ledger.partial = if sent || self.before.is_none() {
            self.work.options.partial
        } else {
            self.ledger.partial && self.work.options.partial
        };
        if verified {
            self.ledger.documents = self.report.documents;
        }
        // run again, a day that is as it was leaves ledger and mirror as they were
        let changed = sent || self.before.as_ref() != Some(&self.ledger);
        if changed {
            self.ledger.finished = Some(now());
            if self.report.state == "verified" {
                self.ledger.verified = Some(now());
            }
        }
        if changed || self.mirror.as_ref() != Some(&self.ledger) {
            self.ledger.write(self.work.data, &self.key)?;
            mirror::write(self.work.mongo, self.day, &self.ledger)?;
        }
        Ok(self.report)
    }
}
