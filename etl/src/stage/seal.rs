//! Sealing: how open segments become files of the archive, of several partitions at once.
//!
//! One rule: the unfinished file and its folder are synced; the seal record is published and `next` covered, atomically and
//! fenced; the files are renamed without replacing; their new folders are synced; only then the partitions go on. A crash before
//! the publish leaves a file that no seal names, and its records are read again. A crash after it leaves a seal whose rename
//! the next stager on this archive finishes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use archive::{rename_unsynced, sync_dir};
use bus::payload::{Seal, SealKey};
use bus::topic::{ARTEFACTS, MAX_BATCH_BYTES, MAX_BATCH_RECORDS};
use bus::{Batch, Cover, PublishError};

use super::open::{Ended, remove};
use super::stager::Stager;

/// How often a publish that was aborted for a passing reason is tried again, and how long after.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

impl Stager {
    /// Seals the open segments of these partitions; those with none are left alone.
    pub fn seal(&mut self, partitions: &[u32]) -> Result<()> {
        let mut ended = Vec::new();
        for p in partitions {
            let Some(part) = self.parts.get_mut(p) else { continue };
            if let Some(open) = part.open.take() {
                ended.push((*p, open.finish(part.next, &super::origin_of(&self.origin, *p))?));
            }
        }
        if ended.is_empty() {
            return Ok(());
        }
        sync_dir(self.tmp.path()?)?;
        while !ended.is_empty() {
            let batch = self.split_off(&mut ended);
            self.publish_and_rename(batch)?;
        }
        Ok(())
    }

    /// As many segments as fit into one publish; at least one.
    fn split_off(&self, ended: &mut Vec<(u32, Ended)>) -> Vec<(u32, Ended)> {
        let (mut records, mut bytes) = (0, 0);
        let mut fits = 0;
        for (_, segment) in ended.iter() {
            records += segment.dead.len() + 1;
            bytes += segment.dead.iter().map(|letter| letter.record.size()).sum::<usize>() + 4096;
            if fits > 0 && (records > MAX_BATCH_RECORDS || bytes > MAX_BATCH_BYTES) {
                break;
            }
            fits += 1;
        }
        ended.drain(..fits).collect()
    }

    fn publish_and_rename(&mut self, mut segments: Vec<(u32, Ended)>) -> Result<()> {
        self.tmp.hold();
        let mut tries = 0;
        loop {
            let batch = self.batch(&segments)?;
            if batch.covers.is_empty() {
                self.tmp.release();
                return Ok(());
            }
            match self.writer.publish(&batch) {
                Ok(_) => break,
                Err(PublishError::Lost(lost)) => {
                    let lost: Vec<u32> = lost.into_iter().filter(|(t, _)| t == ARTEFACTS).map(|(_, p)| p).collect();
                    tracing::warn!(?lost, "partitions went to another stager; their unsealed work is dropped");
                    for (_, segment) in segments.extract_if(.., |(p, _)| lost.contains(p)) {
                        remove(&segment.file.path);
                    }
                    self.forget(lost);
                }
                Err(PublishError::Aborted(reason)) if tries < TRIES => {
                    tries += 1;
                    tracing::warn!(reason, "publishing a seal was aborted; trying again");
                    #[allow(
                        clippy::disallowed_methods,
                        reason = "a bounded pause between tries; a drain waits for them too"
                    )]
                    std::thread::sleep(PAUSE);
                }
                // Nothing of it is visible, says the bus; the next run, which can look, removes these files.
                Err(e) => return Err(anyhow::Error::new(e).context("cannot publish seals")),
            }
        }
        let mut days = BTreeSet::new();
        for (p, segment) in &segments {
            let in_place = self.rename(segment, &mut days);
            in_place.with_context(|| format!("partition {p} is sealed, but its segment not in place yet"))?;
        }
        days.iter().try_for_each(|day| sync_dir(day))?;
        for (_, segment) in &segments {
            self.sealed(segment);
        }
        self.tmp.release();
        Ok(())
    }

    fn batch(&self, segments: &[(u32, Ended)]) -> Result<Batch> {
        let mut batch = Batch::default();
        for (p, segment) in segments {
            let part = self.parts.get(p).with_context(|| format!("partition {p} is not owned"))?;
            let relative = |path: &std::path::Path| -> Result<String> {
                let path =
                    path.strip_prefix(self.data.root()).context("an unfinished file outside the data directory")?;
                Ok(path.to_str().context("a path that is not UTF-8")?.to_owned())
            };
            let seal = Seal {
                file: Some(relative(&self.data.segment(segment.day, &segment.name))?),
                tmp: Some(relative(&segment.file.path)?),
                sha256: Some(segment.file.sha256.clone()),
                from: segment.name.from,
                next: segment.name.next,
                max_time: part.max_time,
                covered: part.cover,
            };
            let key = SealKey { archive: self.origin.archive.clone(), topic: ARTEFACTS.into(), partition: *p };
            batch.outputs.extend(segment.dead.iter().cloned());
            batch.outputs.push(seal.to_output(&key));
            batch.covers.push(Cover {
                topic: ARTEFACTS.into(),
                partition: *p,
                next: part.cover.unwrap_or(segment.name.next),
                epoch: part.assignment.epoch,
            });
        }
        Ok(batch)
    }

    /// Renames a segment; `days` are the folders that were made sure of, and are to be synced.
    fn rename(&self, segment: &Ended, days: &mut BTreeSet<PathBuf>) -> Result<()> {
        let to = self.data.segment(segment.day, &segment.name);
        let day = to.parent().context("a segment without a folder")?;
        if !days.contains(day) {
            super::recover::make_day_dir(&self.data, &to)?;
            days.insert(day.to_owned());
        }
        match rename_unsynced(&segment.file.path, &to) {
            Err(archive::Error::Exists(path)) => bail!(
                "{} is there already, although its records were staged only now; move it away and run `etl stage` again",
                path.display()
            ),
            renamed => Ok(renamed?),
        }
    }

    fn sealed(&mut self, segment: &Ended) {
        self.counts.segments += 1;
        self.first_day = Some(self.first_day.map_or(segment.day, |first| first.min(segment.day)));
        self.counts.segment_bytes += segment.file.bytes;
        tracing::info!(segment = %segment.name, day = %segment.day, rows = segment.file.rows, "sealed");
    }
}
