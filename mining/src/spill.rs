//! Records in any order, brought into order, with what is counted twice summed up.
//!
//! A record is `K` numbers, of which the first `KEY` say what it is about; the others of records with one key are added. Up to
//! [`Room`]'s bytes of them stay in memory. More are written to a folder as sorted runs, which are merged in one pass (external
//! merge sort: Knuth, "The Art of Computer Programming" 3, 5.4): what comes out is the same either way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use archive::{DataDir, TmpDir};
use rayon::slice::ParallelSliceMut;

/// Runs that are merged at once; more are first merged into one.
const FAN: usize = 128;
/// Bytes that are read and written at once of each run; of many small runs fewer.
const BUFFER: usize = 256 << 10;
const LEAST_BUFFER: usize = 8 << 10;
/// Records after which equal keys are looked for the first time.
const FIRST_LOOK: usize = 1 << 20;

/// How much of one thing may be in memory, and where the rest goes. Cheap to clone; its files go with the last clone.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: usize,
    data: DataDir,
    dir: OnceLock<TmpDir>,
    files: AtomicUsize,
}

impl Room {
    /// So many bytes, and the rest below the data directory's `tmp/`.
    pub fn new(bytes: usize, data: DataDir) -> Room {
        Room(Arc::new(Inner { bytes, data, dir: OnceLock::new(), files: AtomicUsize::new(0) }))
    }

    /// Bytes in memory at most.
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// Another number of bytes, the same place.
    pub fn of_bytes(&self, bytes: usize) -> Room {
        Room::new(bytes, self.0.data.clone())
    }

    fn folder(&self) -> Result<&Path> {
        if let Some(dir) = self.0.dir.get() {
            return Ok(dir.path());
        }
        TmpDir::sweep(&self.0.data, "mine").context("cannot remove what an earlier run left")?;
        let dir = TmpDir::create(&self.0.data, "mine").context("what does not fit in memory needs a place")?;
        Ok(self.0.dir.get_or_init(|| dir).path())
    }

    /// A new file.
    pub fn file(&self, what: &str) -> Result<(PathBuf, BufWriter<File>)> {
        let path = self.place(what)?;
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, BufWriter::with_capacity(BUFFER, file)))
    }

    /// A new file to be written and read at any place.
    pub fn random(&self, what: &str) -> Result<(PathBuf, File)> {
        let path = self.place(what)?;
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, file))
    }

    fn place(&self, what: &str) -> Result<PathBuf> {
        let number = self.0.files.fetch_add(1, Ordering::Relaxed);
        Ok(self.folder()?.join(format!("{what}-{number}")))
    }
}

/// Collects records.
#[derive(Debug)]
pub struct Sorter<const K: usize, const KEY: usize> {
    room: Room,
    most: usize,
    repeating: bool,
    /// Records at which the buffer is looked at next.
    look: usize,
    buffer: Vec<[u64; K]>,
    runs: Vec<PathBuf>,
}

impl<const K: usize, const KEY: usize> Sorter<K, KEY> {
    /// None yet; most have a key of their own.
    pub fn new(room: &Room) -> Sorter<K, KEY> {
        let most = (room.0.bytes / (8 * K)).max(1);
        Sorter { room: room.clone(), most, repeating: false, look: most, buffer: Vec::new(), runs: Vec::new() }
    }

    /// None yet; many will have one key, so it pays to look for those now and then.
    pub fn repeating(room: &Room) -> Sorter<K, KEY> {
        let sorter = Sorter::new(room);
        Sorter { repeating: true, look: sorter.most.min(FIRST_LOOK), ..sorter }
    }

    /// Adds a record.
    pub fn push(&mut self, record: [u64; K]) -> Result<()> {
        if self.buffer.len() >= self.look {
            self.unite();
            if self.buffer.len() > self.most / 2 {
                self.spill()?;
            }
            let twice = (self.buffer.len() * 2).clamp(FIRST_LOOK.min(self.most), self.most);
            self.look = if self.repeating { twice } else { self.most };
        }
        self.buffer.push(record);
        Ok(())
    }

    /// Whether some are on disk.
    pub fn spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Sorts what is in memory; of one key one record is left.
    fn unite(&mut self) {
        match KEY {
            1 => self.buffer.par_sort_unstable_by_key(|record| record[0]),
            _ => self.buffer.par_sort_unstable_by(|a, b| a[..KEY].cmp(&b[..KEY])),
        }
        self.buffer.dedup_by(|later, first| {
            let same = later[..KEY] == first[..KEY];
            if same {
                add::<K, KEY>(first, later);
            }
            same
        });
    }

    fn spill(&mut self) -> Result<()> {
        let (path, mut out) = self.room.file("run")?;
        let written = self.buffer.iter().try_for_each(|record| write(&mut out, record));
        written.and_then(|()| out.flush()).with_context(|| format!("cannot write {}", path.display()))?;
        self.buffer.clear();
        self.runs.push(path);
        if self.runs.len() >= FAN {
            let runs = std::mem::take(&mut self.runs);
            let path = self.merged("run", &runs)?;
            self.runs.push(path);
        }
        Ok(())
    }

    fn merged(&self, what: &str, runs: &[PathBuf]) -> Result<PathBuf> {
        let (path, mut out) = self.room.file(what)?;
        let failed = || format!("cannot write {}", path.display());
        merge::<K, KEY>(runs, &self.room, |record| write(&mut out, &record).with_context(failed))?;
        out.flush().with_context(failed)?;
        Ok(path)
    }

    /// Calls `take` with each record, in order.
    pub fn drain(mut self, mut take: impl FnMut([u64; K]) -> Result<()>) -> Result<()> {
        self.unite();
        if self.runs.is_empty() {
            return self.buffer.drain(..).try_for_each(take);
        }
        self.spill()?;
        self.buffer = Vec::new();
        merge::<K, KEY>(&self.runs, &self.room, &mut take)
    }

    /// All of them in order, to be read as often as one likes.
    pub fn list(mut self) -> Result<List<K>> {
        self.unite();
        if self.runs.is_empty() {
            return Ok(List::Memory(Arc::new(self.buffer)));
        }
        self.spill()?;
        self.buffer = Vec::new();
        let path = self.merged("list", &self.runs)?;
        Ok(List::Disk(path, self.room))
    }
}

fn add<const K: usize, const KEY: usize>(sum: &mut [u64; K], more: &[u64; K]) {
    for (sum, more) in sum[KEY..].iter_mut().zip(&more[KEY..]) {
        *sum = sum.wrapping_add(*more);
    }
}

fn write<const K: usize>(out: &mut impl Write, record: &[u64; K]) -> std::io::Result<()> {
    record.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))
}

/// Records in order, each key once. Cheap to clone.
#[derive(Debug, Clone)]
pub enum List<const K: usize> {
    /// At hand.
    Memory(Arc<Vec<[u64; K]>>),
    /// In a file, which lives as long as its room.
    Disk(PathBuf, Room),
}

impl<const K: usize> List<K> {
    /// Reads from the start.
    pub fn reader(&self) -> Result<Reader<K>> {
        Ok(match self {
            List::Memory(records) => Reader::Memory(Arc::clone(records), 0),
            List::Disk(path, room) => Reader::Disk { run: Run::open(path, BUFFER)?, _room: room.clone() },
        })
    }

    /// Calls `take` with each record, in order.
    pub fn each(&self, mut take: impl FnMut([u64; K]) -> Result<()>) -> Result<()> {
        let mut reader = self.reader()?;
        while let Some(record) = reader.next()? {
            take(record)?;
        }
        Ok(())
    }
}

/// A place in a list.
#[derive(Debug)]
pub enum Reader<const K: usize> {
    /// At hand, with the number of the next record.
    Memory(Arc<Vec<[u64; K]>>, usize),
    /// In a file.
    Disk {
        /// The file.
        run: Run<K>,
        /// Keeps it.
        _room: Room,
    },
}

impl<const K: usize> Reader<K> {
    /// The next record.
    pub fn next(&mut self) -> Result<Option<[u64; K]>> {
        match self {
            Reader::Memory(records, at) => {
                *at += 1;
                Ok(records.get(*at - 1).copied())
            }
            Reader::Disk { run, .. } => run.next(),
        }
    }
}

/// A sorted file of records.
#[derive(Debug)]
pub struct Run<const K: usize> {
    file: BufReader<File>,
    path: PathBuf,
}

impl<const K: usize> Run<K> {
    fn open(path: &Path, buffer: usize) -> Result<Run<K>> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Run { file: BufReader::with_capacity(buffer, file), path: path.to_owned() })
    }

    fn next(&mut self) -> Result<Option<[u64; K]>> {
        let mut record = [0; K];
        for number in &mut record {
            let mut bytes = [0; 8];
            match self.file.read_exact(&mut bytes) {
                Ok(()) => *number = u64::from_le_bytes(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.path.display())),
            }
        }
        Ok(Some(record))
    }
}

/// Gives the records of sorted runs in order, those of one key summed, and removes the runs.
fn merge<const K: usize, const KEY: usize>(
    paths: &[PathBuf],
    room: &Room,
    mut take: impl FnMut([u64; K]) -> Result<()>,
) -> Result<()> {
    // All buffers together take half of the room.
    let buffer = (room.bytes() / 2 / paths.len().max(1)).clamp(LEAST_BUFFER, BUFFER);
    let mut runs: Vec<Run<K>> = paths.iter().map(|path| Run::open(path, buffer)).collect::<Result<_>>()?;
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for (number, run) in runs.iter_mut().enumerate() {
        heads.extend(run.next()?.map(|record| Reverse((record, number))));
    }
    let mut sum: Option<[u64; K]> = None;
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((record, number)) = *head;
        // The smallest is replaced in place: one way down the heap instead of two.
        match runs[number].next()? {
            Some(next) => *head = Reverse((next, number)),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        match &mut sum {
            Some(sum) if sum[..KEY] == record[..KEY] => add::<K, KEY>(sum, &record),
            _ => {
                if let Some(done) = sum.replace(record) {
                    take(done)?;
                }
            }
        }
    }
    if let Some(done) = sum {
        take(done)?;
    }
    for path in paths {
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_out_in_order_and_summed_however_few_fit(records in prop::collection::vec((0u64..9, 0u64..9, 0u64..5), 0..400), most in 1usize..50) {
            let dir = tempfile::tempdir().unwrap();
            let room = Room::new(most * 24, DataDir::new(dir.path()));
            let mut sums: BTreeMap<(u64, u64), u64> = BTreeMap::new();
            records.iter().for_each(|&(a, b, n)| *sums.entry((a, b)).or_default() += n);
            let wanted: Vec<[u64; 3]> = sums.into_iter().map(|((a, b), n)| [a, b, n]).collect();
            let collect = || {
                let mut all = Sorter::<3, 2>::new(&room);
                records.iter().for_each(|&(a, b, n)| all.push([a, b, n]).unwrap());
                all
            };
            let mut found = Vec::new();
            collect().drain(|record| { found.push(record); Ok(()) }).unwrap();
            prop_assert_eq!(&found, &wanted);
            let list = collect().list().unwrap();
            for _ in 0..2 {
                found.clear();
                list.each(|record| { found.push(record); Ok(()) }).unwrap();
                prop_assert_eq!(&found, &wanted);
            }
            prop_assert_eq!(matches!(list, List::Disk(..)), collect().spilled());
        }
    }

    #[test]
    fn more_runs_than_are_merged_at_once_are_merged_in_turns_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::new(16, DataDir::new(dir.path()));
        let mut all = Sorter::<1, 1>::new(&room);
        (0..1000).for_each(|i| all.push([i * 7919 % 1000]).unwrap());
        assert!(all.spilled());
        let mut next = 0;
        all.drain(|record| {
            assert_eq!(record, [next]);
            next += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!((next, std::fs::read_dir(room.folder().unwrap()).unwrap().count()), (1000, 0));
        drop(room);
        assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0, "its folder goes with the room");
    }
}
