//! Extracts one segment: a thread reads, all threads parse, this thread writes the three files.
//!
//! The files are written in a folder for unfinished files, synced, and renamed one after the other: `links`, `scripts`, and
//! `pages` last. Whether a segment is extracted, and by which version, is read off its `pages` file; so a crash in between
//! leaves it to be done again. A newer version's files take the place of the older ones in the same way.

use std::path::Path;
use std::sync::mpsc::sync_channel;

use anyhow::{Context, Result};
use archive::{DataDir, DataSet, Segment, create_dir, sync_dir};
use rayon::prelude::*;

use super::budget::Budget;
use super::facts::VERSION;
use super::page::{self, Input, Output, Trouble};
use super::source::{self, Chunk};
use super::tables::{Links, Pages, Scripts, Table};
use crate::footer::Footer;
use crate::segment_reader;
use crate::segment_writer::{Finished, SegmentWriter};
use program::{Progress, Shutdown};

/// Bytes of rows that wait for the encoder.
const WAITING_BYTES: usize = 1 << 20;
/// Bytes of encoded pages after which a row group ends, so that three files need little memory.
const GROUP_MEMORY: usize = 12 << 20;

/// What was done.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Counts {
    /// Segments extracted.
    pub segments: u64,
    /// Pages.
    pub pages: u64,
    /// Links.
    pub links: u64,
    /// Scripts.
    pub scripts: u64,
    /// Bytes of HTML read.
    pub bytes: u64,
    /// Bytes of the files written.
    pub written: u64,
    /// Pages that were read as a stream, because their tree would have been too large, too deep or too slow.
    pub streamed: u64,
    /// Pages on which the parser panicked.
    pub panicked: u64,
}

/// What a run shares among its segments.
pub struct Extractor<'a> {
    /// The archive.
    pub data: &'a DataDir,
    /// Folder of unfinished files.
    pub tmp: &'a Path,
    /// Bound of the memory of trees.
    pub budget: Budget,
    /// Threads that parse.
    pub pool: rayon::ThreadPool,
    /// Asks to stop.
    pub shutdown: &'a Shutdown,
    /// Bytes read.
    pub progress: &'a Progress,
}

impl Extractor<'_> {
    /// Extracts a segment; none when shutdown came in between, and nothing was changed then.
    pub fn extract(&self, segment: &Segment) -> Result<Option<Counts>> {
        let mut files = Files::create(self.tmp, segment)?;
        let mut counts = Counts { segments: 1, ..Counts::default() };
        let (send, receive) = sync_channel::<Chunk>(1);
        let done = std::thread::scope(|scope| {
            let reading = scope.spawn(move || source::chunks(&segment.path, |chunk| send.send(chunk).is_ok()));
            let written = receive.iter().try_for_each(|chunk| {
                if self.shutdown.requested() {
                    return Err(Stop::Shutdown);
                }
                self.chunk(&chunk, &mut files, &mut counts).map_err(Stop::Failed)
            });
            drop(receive);
            let read = reading
                .join()
                .map_err(|_| anyhow::anyhow!("the thread that reads {} panicked", segment.path.display()));
            match written {
                Err(Stop::Shutdown) => Ok(false),
                Err(Stop::Failed(e)) => Err(e),
                Ok(()) => read.and_then(|read| read).map(|()| true),
            }
        });
        if !done? {
            files.discard();
            return Ok(None);
        }
        let origin = segment_reader::footer(&segment.path)?;
        for finished in files.finish(origin)? {
            counts.written += finished.1.bytes;
            self.put_in_place(segment, finished.0, &finished.1)?;
        }
        Ok(Some(counts))
    }

    fn chunk(&self, chunk: &Chunk, files: &mut Files, counts: &mut Counts) -> Result<()> {
        let outputs: Vec<Output> = self.pool.install(|| {
            (0..chunk.len())
                .into_par_iter()
                .with_max_len(1)
                .map(|i| page::extract(&input(chunk, i), &self.budget))
                .collect()
        });
        counts.bytes += chunk.bytes() as u64;
        self.progress.add(chunk.bytes() as u64);
        for (i, output) in outputs.into_iter().enumerate() {
            let (artefact, ..) = chunk.row(i);
            match &output.trouble {
                None => {}
                Some(Trouble::TooLarge) => {
                    tracing::info!(
                        url = artefact.url,
                        "this page is too large, deep or slow for a tree; it was read as a stream"
                    );
                    counts.streamed += 1;
                }
                Some(Trouble::Panicked(message)) => {
                    tracing::warn!(
                        url = artefact.url,
                        message,
                        "the parser failed on this page; what it did not give is empty"
                    );
                    counts.panicked += 1;
                }
            }
            if let Some(page) = &output.page {
                files.pages.table.push(&artefact, page, output.links.len());
                files.pages.encode_when_full()?;
                counts.pages += 1;
            }
            for (ordinal, link) in output.links.iter().enumerate() {
                files.links.table.push(&artefact, ordinal, link);
                files.links.encode_when_full()?;
            }
            for (ordinal, script) in output.scripts.iter().enumerate() {
                files.scripts.table.push(&artefact, ordinal, script);
                files.scripts.encode_when_full()?;
            }
            counts.links += output.links.len() as u64;
            counts.scripts += output.scripts.len() as u64;
        }
        Ok(())
    }

    fn put_in_place(&self, segment: &Segment, set: DataSet, finished: &Finished) -> Result<()> {
        let target = self.data.segment(segment.day, &segment.name.in_set(set));
        let folder = self.data.day_dir(set, segment.day);
        create_dir(&folder)?;
        std::fs::rename(&finished.path, &target)
            .with_context(|| format!("cannot put {} in place", target.display()))?;
        Ok(sync_dir(&folder)?)
    }
}

enum Stop {
    Shutdown,
    Failed(anyhow::Error),
}

fn input(chunk: &Chunk, i: usize) -> Input<'_> {
    let (artefact, body, location) = chunk.row(i);
    Input { url: artefact.url, content_type: artefact.content_type, body, location }
}

/// The three files that are being written.
struct Files {
    pages: Writing<Pages>,
    links: Writing<Links>,
    scripts: Writing<Scripts>,
}

impl Files {
    fn create(tmp: &Path, segment: &Segment) -> Result<Files> {
        Ok(Files {
            pages: Writing::create(tmp, segment)?,
            links: Writing::create(tmp, segment)?,
            scripts: Writing::create(tmp, segment)?,
        })
    }

    /// In the order in which they are put in place.
    fn finish(self, origin: Footer) -> Result<[(DataSet, Finished); 3]> {
        let footer = Footer { extractor: Some(VERSION.into()), ..origin };
        Ok([
            (DataSet::Links, self.links.finish(footer.clone())?),
            (DataSet::Scripts, self.scripts.finish(footer.clone())?),
            (DataSet::Pages, self.pages.finish(footer)?),
        ])
    }

    fn discard(self) {
        for path in [self.pages.file.path(), self.links.file.path(), self.scripts.file.path()] {
            // What stays is removed with its folder.
            let _ = std::fs::remove_file(path);
        }
    }
}

struct Writing<T> {
    table: T,
    file: SegmentWriter,
}

impl<T: Table> Writing<T> {
    fn create(tmp: &Path, segment: &Segment) -> Result<Writing<T>> {
        let path = tmp.join(segment.name.in_set(T::SET).to_string());
        Ok(Writing { table: T::default(), file: SegmentWriter::create(&path, T::SET)? })
    }

    fn encode_when_full(&mut self) -> Result<()> {
        if self.table.bytes() < WAITING_BYTES {
            return Ok(());
        }
        self.encode()?;
        if self.file.memory() > GROUP_MEMORY { self.file.flush() } else { Ok(()) }
    }

    fn encode(&mut self) -> Result<()> {
        match self.table.take()? {
            Some((batch, bytes)) => self.file.write(&batch, bytes, None),
            None => Ok(()),
        }
    }

    fn finish(mut self, footer: Footer) -> Result<Finished> {
        self.encode()?;
        self.file.finish(footer)
    }
}
