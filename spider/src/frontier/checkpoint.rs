//! The checkpoint: indexes on disk, so that a restart reads only what is new on the bus.
//!
//! It is a help and never the truth. It is written to a temporary file, synced, and renamed; it names the cluster, the
//! topics' ids and the offsets up to which it is true, and ends in a hash of itself. One that is damaged, foreign, of
//! another version, or older than a day (after which the bus drops tombstones) is not used.
//!
//! ```text
//! "kafkaspider index 1\n"  header length u32  header JSON
//! per partition, in the header's order: entries u64, then each: host u64, url u64, offset i64, next u32, depth u16, flags u8
//! SHA-256 of everything before
//! ```

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bus::payload::Tally;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::index::{Entry, Index};
use crate::fingerprint::{Fingerprint, Key};

const MAGIC: &[u8; 20] = b"kafkaspider index 1\n";
const ENTRY: usize = 31;
const MAX_HEADER: u32 = 1 << 20;
/// Older ones may miss tombstones that the bus has dropped (`delete.retention.ms`), milliseconds.
const MAX_AGE: i64 = 24 * 3600 * 1000;

/// What a checkpoint is about; another identity makes it worthless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Id of the cluster.
    pub cluster: String,
    /// Id of the frontier topic.
    pub frontier: String,
    /// Id of the tallies topic.
    pub tallies: String,
    /// Crawl.
    pub crawl: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    identity: Identity,
    /// Milliseconds since 1970 UTC, by the bus.
    written: i64,
    key: [u64; 2],
    /// Offset in `tallies` up to which they are known.
    tallies_next: i64,
    partitions: Vec<Part>,
}

/// One partition's place in a checkpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Part {
    /// Partition.
    pub partition: u32,
    /// All records below this offset of the frontier partition are in the index.
    pub next: i64,
    /// Its tally.
    pub tally: Tally,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint {
    /// Key of its fingerprints.
    pub key: Key,
    /// Offset in `tallies` up to which they are known.
    pub tallies_next: i64,
    /// Partitions with their indexes.
    pub partitions: Vec<(Part, Index)>,
}

/// Path in the crawl's folder.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("index")
}

/// Writes a checkpoint; the one before stays until this one is whole and on disk.
pub fn write(
    folder: &Path,
    identity: &Identity,
    now: i64,
    key: Key,
    tallies_next: i64,
    parts: &[(Part, &Index)],
) -> Result<()> {
    let path = path(folder);
    let tmp = folder.join("index.tmp");
    let partitions = parts.iter().map(|(part, _)| part.clone()).collect();
    let header = Header { identity: identity.clone(), written: now, key: key.0, tallies_next, partitions };
    let write = || -> Result<()> {
        let mut out = Hashing { inner: BufWriter::new(File::create(&tmp)?), hash: Sha256::new() };
        let header = serde_json::to_vec(&header)?;
        out.write_all(MAGIC)?;
        out.write_all(&u32::try_from(header.len())?.to_le_bytes())?;
        out.write_all(&header)?;
        for (_, index) in parts {
            out.write_all(&index.known().to_le_bytes())?;
            for (print, entry) in index.iter() {
                out.write_all(&encode(print, entry))?;
            }
        }
        let hash = out.hash.finalize();
        let mut file = out.inner;
        file.write_all(&hash)?;
        let file = file.into_inner().map_err(|e| e.into_error())?;
        file.sync_all()?;
        std::fs::rename(&tmp, &path)?;
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the checkpoint; none when there is none. An error says why it is of no use.
pub fn read(folder: &Path, identity: &Identity, now: i64) -> Result<Option<Checkpoint>> {
    let file = match File::open(path(folder)) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let length = file.metadata()?.len();
    let mut input = Hashing { inner: BufReader::new(file), hash: Sha256::new() };
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic)?;
    ensure!(&magic == MAGIC, "it is of another version");
    let size = u32::from_le_bytes(input.array()?);
    ensure!(size <= MAX_HEADER, "its header is damaged");
    let mut header = vec![0; size as usize];
    input.read_exact(&mut header)?;
    let header: Header = serde_json::from_slice(&header).context("its header is damaged")?;
    ensure!(header.identity == *identity, "it belongs to another bus or crawl");
    ensure!((0..=MAX_AGE).contains(&(now - header.written)), "it is older than a day");
    let mut partitions = Vec::new();
    for part in header.partitions {
        let mut index = Index::default();
        let entries = u64::from_le_bytes(input.array()?);
        ensure!(entries <= length / ENTRY as u64, "it is damaged");
        for _ in 0..entries {
            let (print, entry) = decode(&input.array()?).ok_or_else(|| anyhow!("it is damaged"))?;
            index.put(print, entry);
        }
        partitions.push((part, index));
    }
    let hash = input.hash.finalize();
    let mut rest = Vec::new();
    input.inner.take(64).read_to_end(&mut rest)?;
    if rest != hash[..] {
        bail!("it is damaged");
    }
    Ok(Some(Checkpoint { key: Key(header.key), tallies_next: header.tallies_next, partitions }))
}

fn encode(print: &Fingerprint, entry: &Entry) -> [u8; ENTRY] {
    let (offset, next, depth, flags) = entry.to_parts();
    let mut bytes = [0; ENTRY];
    bytes[..8].copy_from_slice(&print.host.to_le_bytes());
    bytes[8..16].copy_from_slice(&print.url.to_le_bytes());
    bytes[16..24].copy_from_slice(&offset.to_le_bytes());
    bytes[24..28].copy_from_slice(&next.to_le_bytes());
    bytes[28..30].copy_from_slice(&depth.to_le_bytes());
    bytes[30] = flags;
    bytes
}

fn decode(bytes: &[u8; ENTRY]) -> Option<(Fingerprint, Entry)> {
    let (host, rest) = bytes.split_first_chunk()?;
    let (url, rest) = rest.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (next, rest) = rest.split_first_chunk()?;
    let (depth, rest) = rest.split_first_chunk()?;
    let print = Fingerprint { host: u64::from_le_bytes(*host), url: u64::from_le_bytes(*url) };
    let entry = Entry::from_parts(
        i64::from_le_bytes(*offset),
        u32::from_le_bytes(*next),
        u16::from_le_bytes(*depth),
        *rest.first()?,
    )?;
    Some((print, entry))
}

/// Hashes what passes.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Read> Hashing<T> {
    fn array<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(into)?;
        self.hash.update(&into[..n]);
        Ok(n)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use bus::payload::{State, UrlState};

    use super::*;

    fn identity() -> Identity {
        let [cluster, frontier, tallies, crawl] = ["c", "f", "t", "main"].map(String::from);
        Identity { cluster, frontier, tallies, crawl }
    }

    fn index(entries: u64) -> Index {
        let mut index = Index::default();
        for n in 0..entries {
            let state =
                UrlState { state: State::Fetched, ok: true, next_fetch: 1000 + n as i64, ..UrlState::default() };
            index.put(Fingerprint { host: n % 7, url: n }, Entry::new(&state, n as i64, 0));
        }
        index
    }

    fn written(folder: &Path) {
        let (one, two) = (index(100), index(0));
        let part = |partition| Part { partition, next: 100, tally: Tally::default() };
        write(folder, &identity(), 5_000, Key([1, 2]), 9, &[(part(3), &one), (part(4), &two)]).unwrap();
    }

    #[test]
    fn a_checkpoint_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path(), &identity(), 0).unwrap().is_none());
        written(folder.path());
        let checkpoint = read(folder.path(), &identity(), 6_000).unwrap().unwrap();
        assert_eq!((checkpoint.key, checkpoint.tallies_next), (Key([1, 2]), 9));
        let [(one, index), (two, empty)] = &checkpoint.partitions[..] else { panic!("two partitions") };
        assert_eq!((one.partition, one.next, two.partition), (3, 100, 4));
        assert_eq!((index.known(), index.counted(), empty.known()), (100, 100, 0));
        assert_eq!(index.get(&Fingerprint { host: 3, url: 10 }).unwrap().offset, 10);
    }

    #[test]
    fn foreign_old_and_future_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let other = Identity { frontier: "anew".into(), ..identity() };
        assert!(read(folder.path(), &other, 6_000).is_err());
        assert!(read(folder.path(), &identity(), 5_001 + MAX_AGE).is_err());
        assert!(read(folder.path(), &identity(), 4_000).is_err());
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = path(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&path, &damaged).unwrap();
            assert!(read(folder.path(), &identity(), 6_000).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(read(folder.path(), &identity(), 6_000).is_err(), "cut at {at}");
        }
        std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(read(folder.path(), &identity(), 6_000).is_err());
    }
}
