//! Writes the segments of an import: tmp file, sync, rename without replacing, sync of the folder, as every segment.
//!
//! A row's ordinal is the place of its URL among all; ordinals that a segment of this import holds already are passed over.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use archive::{Catalogue, DataDir, DataSet, Day, SegmentName, Source, create_dir, rename_new, sync_dir};
use bus::Delivered;
use bus::payload::{Artefact, HttpHeaders};
use bytes::Bytes;
use program::{Progress, Shutdown};
use sha2::{Digest, Sha256};

use super::folder::{Entry, Folder};
use super::media::media_type;
use crate::footer::Footer;
use crate::segment_reader;
use crate::segment_writer::SegmentWriter;
use crate::stage::rows::{Row, Rows};

/// Bytes of bodies after which a segment ends.
const SEGMENT_BYTES: u64 = 256 << 20;
/// Bytes of rows that wait for the encoder.
const WAITING_BYTES: usize = 512 << 10;
/// Largest body, as on the bus; a larger file is an artefact with the error `too_large`.
const MAX_BODY: u64 = 15 << 20;

/// One import into one archive.
#[derive(Debug)]
pub struct Import<'a> {
    /// The archive.
    pub data: &'a DataDir,
    /// Hash of what is imported, hexadecimal.
    pub hash: &'a str,
    /// Crawl of the artefacts.
    pub crawl: &'a str,
    /// URL of the folder.
    pub base: &'a str,
    /// When it is imported, milliseconds since 1970 UTC.
    pub at: i64,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Rows written.
    pub rows: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Segments written.
    pub segments: u64,
    /// Rows that were there already.
    pub there: u64,
}

/// A segment that is being written.
struct Open {
    from: i64,
    writer: SegmentWriter,
    waiting: Rows,
    bytes: u64,
}

impl Import<'_> {
    /// What would be written.
    pub fn missing(&self, folder: &Folder) -> Result<Done> {
        let there = self.there()?;
        let mut done = Done::default();
        for (ordinal, entry) in (0..).zip(folder.entries.values()) {
            if holds(&there, ordinal) {
                done.there += 1;
            } else {
                done.rows += 1;
                if let Entry::File { path, .. } = entry {
                    done.bytes += path.metadata().map_or(0, |file| file.len());
                }
            }
        }
        Ok(done)
    }

    /// Writes what is missing; none when it was asked to stop, and what is written by then stays.
    pub fn write(&self, folder: &Folder, tmp: &Path, progress: &Progress, shutdown: &Shutdown) -> Result<Option<Done>> {
        let there = self.there()?;
        let mut done = Done::default();
        let mut open: Option<Open> = None;
        for (ordinal, (url, entry)) in (0..).zip(&folder.entries) {
            if shutdown.requested() {
                return Ok(None);
            }
            progress.add(1);
            if holds(&there, ordinal) {
                done.there += 1;
                self.close(&mut open, ordinal, &mut done)?;
                continue;
            }
            let row = self.row(url, entry, ordinal)?;
            let segment = match &mut open {
                Some(segment) => segment,
                None => {
                    let path = tmp.join(format!("{ordinal:020}.unfinished"));
                    let writer = SegmentWriter::create(&path, DataSet::Artefacts)?;
                    open.insert(Open { from: ordinal, writer, waiting: Rows::default(), bytes: 0 })
                }
            };
            segment.bytes += row.size() as u64;
            segment.waiting.push(&row);
            done.rows += 1;
            done.bytes += row.body_bytes() as u64;
            if segment.waiting.bytes() >= WAITING_BYTES {
                segment.encode()?;
            }
            if segment.bytes >= SEGMENT_BYTES {
                self.close(&mut open, ordinal + 1, &mut done)?;
            }
        }
        self.close(&mut open, folder.entries.len() as i64, &mut done)?;
        Ok(Some(done))
    }

    fn source(&self) -> Source {
        Source::Import(self.hash[..8].to_owned())
    }

    /// Intervals of this import that the archive has, on whatever day.
    fn there(&self) -> Result<Vec<(i64, i64)>> {
        let catalogue = Catalogue::read(self.data)?;
        let mut there = Vec::new();
        for segment in catalogue.segments(DataSet::Artefacts, None, None) {
            if segment.name.source == self.source() {
                let whole = segment_reader::footer(&segment.path)?.topic_id;
                ensure!(
                    whole == self.hash,
                    "{} is of another import with the same short name; import into another --data",
                    segment.path.display()
                );
                there.push((segment.name.from, segment.name.next));
            }
        }
        Ok(there)
    }

    fn close(&self, open: &mut Option<Open>, next: i64, done: &mut Done) -> Result<()> {
        let Some(mut segment) = open.take() else { return Ok(()) };
        segment.encode()?;
        let name = SegmentName::new(DataSet::Artefacts, self.source(), segment.from, next)?;
        let finished = segment.writer.finish(Footer {
            cluster: "import".into(),
            topic: self.base.into(),
            topic_id: self.hash.into(),
            from: segment.from,
            next,
            min_time: self.at,
            max_time: self.at,
            archive: self.data.archive_id()?,
            ..Footer::default()
        })?;
        let day = Day::of_millis(self.at);
        let dir = self.data.day_dir(DataSet::Artefacts, day);
        create_dir(&dir)?;
        rename_new(&finished.path, &self.data.segment(day, &name))?;
        sync_dir(&dir)?;
        done.segments += 1;
        Ok(())
    }

    fn row(&self, url: &str, entry: &Entry, ordinal: i64) -> Result<Row> {
        let mut artefact = Artefact {
            id: self.id(url),
            source: "etl/import".into(),
            url: url.to_owned(),
            fetched_at: self.at.saturating_mul(1000),
            crawl: self.crawl.to_owned(),
            status: Some(200),
            ..Artefact::default()
        };
        match entry {
            Entry::Redirect(to) => {
                artefact.status = Some(301);
                artefact.http_headers = HttpHeaders(Bytes::from(format!("location: {to}\r\n")));
            }
            Entry::File { path, digest } => read(path, digest, &mut artefact)?,
        }
        let delivered = Delivered {
            topic: "artefacts".into(),
            partition: 0,
            offset: ordinal,
            time: self.at,
            epoch: bus::Epoch::default(),
            record: artefact.into_record(),
        };
        Row::decode(&delivered).map_err(|why| anyhow::anyhow!("{url}: {why}"))
    }

    /// UUIDv8 from the import and the URL, so that the same import has the same ids everywhere.
    fn id(&self, url: &str) -> uuid::Uuid {
        let digest = Sha256::new().chain_update(self.hash).chain_update(url).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Uuid::new_v8(bytes)
    }
}

impl Open {
    fn encode(&mut self) -> Result<()> {
        if self.waiting.len() > 0 {
            let (batch, digests, bytes) = self.waiting.take()?;
            self.writer.write(&batch, bytes, Some(&digests))?;
        }
        Ok(())
    }
}

fn holds(intervals: &[(i64, i64)], ordinal: i64) -> bool {
    intervals.iter().any(|(from, next)| (*from..*next).contains(&ordinal))
}

/// Takes a file as the body; fails when it is not the one that was hashed.
fn read(path: &Path, digest: &[u8; 32], artefact: &mut Artefact) -> Result<()> {
    let failed = || format!("cannot read {}", path.display());
    let file = std::fs::metadata(path).with_context(failed)?;
    let media = path.file_name().and_then(|name| media_type(&name.to_string_lossy()));
    artefact.content_type = media.map(str::to_owned);
    if file.len() > MAX_BODY {
        artefact.status = None;
        artefact.error = Some("too_large".into());
        return Ok(());
    }
    let body = std::fs::read(path).with_context(failed)?;
    let found: [u8; 32] = Sha256::digest(&body).into();
    if found != *digest {
        bail!("{} has changed while it was imported; run the same command again", path.display());
    }
    let modified = file.modified().ok().map(chrono::DateTime::<chrono::Utc>::from);
    let mut headers = format!("content-length: {}\r\n", body.len());
    if let Some(media) = media {
        headers.push_str(&format!("content-type: {media}\r\n"));
    }
    if let Some(time) = modified {
        headers.push_str(&format!("last-modified: {}\r\n", time.format("%a, %d %b %Y %H:%M:%S GMT")));
    }
    artefact.http_headers = HttpHeaders(Bytes::from(headers));
    artefact.sha256 = hex::encode(digest);
    artefact.body = Bytes::from(body);
    Ok(())
}
