//! Edges in any order, brought into order: by source, then by target, each once.
//!
//! Up to [`Room::most`] of them stay in memory. More are written to a folder as sorted runs, which are merged in one pass
//! (external merge sort: Knuth, "The Art of Computer Programming" 3, 5.4): the result is the same either way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use rayon::slice::ParallelSliceMut;

/// Runs that are merged at once; more are first merged into one.
const FAN: usize = 128;
/// Bytes that are read and written at once of each run.
const BUFFER: usize = 256 << 10;

/// How much may be in memory, and where the rest goes.
pub struct Room<'a> {
    /// Edges in memory at most.
    pub most: usize,
    /// Gives a folder when there are more.
    pub folder: &'a (dyn Fn() -> Result<PathBuf> + Sync),
}

/// Numbers of files in the folder.
static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Room<'_> {
    /// A new file in the folder.
    pub(super) fn file(&self, what: &str) -> Result<(PathBuf, BufWriter<File>)> {
        let path = (self.folder)()?.join(format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, BufWriter::with_capacity(BUFFER, file)))
    }
}

/// Collects edges.
pub struct Edges<'a> {
    room: &'a Room<'a>,
    /// Source in the upper half, target in the lower: numbers in the order of edges.
    buffer: Vec<u64>,
    runs: Vec<PathBuf>,
}

impl<'a> Edges<'a> {
    /// None yet.
    pub fn new(room: &'a Room<'a>) -> Edges<'a> {
        Edges { room, buffer: Vec::new(), runs: Vec::new() }
    }

    /// Adds an edge.
    pub fn push(&mut self, from: u32, to: u32) -> Result<()> {
        if self.buffer.len() >= self.room.most.max(1) {
            self.sort();
            // Repetitions may be most of them.
            if self.buffer.len() > self.room.most / 2 {
                self.spill()?;
            }
        }
        self.buffer.push(u64::from(from) << 32 | u64::from(to));
        Ok(())
    }

    /// Whether some are on disk.
    pub fn spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    fn sort(&mut self) {
        self.buffer.par_sort_unstable();
        self.buffer.dedup();
    }

    fn spill(&mut self) -> Result<()> {
        let (path, mut out) = self.room.file("run")?;
        let written = self.buffer.iter().try_for_each(|edge| out.write_all(&edge.to_le_bytes()));
        written.and_then(|()| out.flush()).with_context(|| format!("cannot write {}", path.display()))?;
        self.buffer.clear();
        self.runs.push(path);
        if self.runs.len() >= FAN {
            let (path, mut out) = self.room.file("run")?;
            let runs = std::mem::take(&mut self.runs);
            merge(&runs, |edge| Ok(out.write_all(&edge.to_le_bytes())?))?;
            out.flush().with_context(|| format!("cannot write {}", path.display()))?;
            self.runs.push(path);
        }
        Ok(())
    }

    /// Calls `take` with each edge once, in order.
    pub fn drain(mut self, mut take: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        self.sort();
        let mut each = |edge: u64| take((edge >> 32) as u32, edge as u32);
        if self.runs.is_empty() {
            return self.buffer.drain(..).try_for_each(each);
        }
        self.spill()?;
        self.buffer = Vec::new();
        merge(&self.runs, &mut each)
    }

    /// All of them in order, to be read as often as one likes.
    pub fn list(mut self) -> Result<List> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(List::Memory(self.buffer));
        }
        let (path, mut out) = self.room.file("edges")?;
        let failed = |path: &Path| format!("cannot write {}", path.display());
        self.drain(|from, to| {
            let edge = u64::from(from) << 32 | u64::from(to);
            out.write_all(&edge.to_le_bytes()).with_context(|| failed(&path))
        })?;
        out.flush().with_context(|| failed(&path))?;
        Ok(List::Disk(path))
    }
}

/// Edges in order, each once.
#[derive(Debug)]
pub enum List {
    /// At hand.
    Memory(Vec<u64>),
    /// In a file.
    Disk(PathBuf),
}

impl List {
    /// Calls `take` with each edge, in order.
    pub fn each(&self, mut take: impl FnMut(u32, u32) -> Result<()>) -> Result<()> {
        let mut each = |edge: u64| take((edge >> 32) as u32, edge as u32);
        match self {
            List::Memory(edges) => edges.iter().copied().try_for_each(each),
            List::Disk(path) => {
                let mut run = Run::open(path)?;
                while let Some(edge) = run.next()? {
                    each(edge)?;
                }
                Ok(())
            }
        }
    }
}

/// A sorted file of edges.
struct Run {
    file: BufReader<File>,
    path: PathBuf,
}

impl Run {
    fn open(path: &Path) -> Result<Run> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Run { file: BufReader::with_capacity(BUFFER, file), path: path.to_owned() })
    }

    fn next(&mut self) -> Result<Option<u64>> {
        let mut bytes = [0; 8];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(u64::from_le_bytes(bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        }
    }
}

/// Gives the edges of sorted runs in order, each once, and removes the runs.
fn merge(paths: &[PathBuf], mut take: impl FnMut(u64) -> Result<()>) -> Result<()> {
    let mut runs: Vec<Run> = paths.iter().map(|path| Run::open(path)).collect::<Result<_>>()?;
    let mut heads = BinaryHeap::with_capacity(runs.len());
    for (number, run) in runs.iter_mut().enumerate() {
        heads.extend(run.next()?.map(|edge| Reverse((edge, number))));
    }
    let mut last = None;
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((edge, number)) = *head;
        // The smallest is replaced in place: one way down the heap instead of two.
        match runs[number].next()? {
            Some(next) => *head = Reverse((next, number)),
            None => drop(std::collections::binary_heap::PeekMut::pop(head)),
        }
        if last != Some(edge) {
            last = Some(edge);
            take(edge)?;
        }
    }
    for path in paths {
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn edges_come_out_in_order_and_once_however_few_fit(edges in prop::collection::vec((0u32..9, 0u32..9), 0..400), most in 1usize..50) {
            let dir = tempfile::tempdir().unwrap();
            let room = Room { most, folder: &|| Ok(dir.path().to_owned()) };
            let collect = || {
                let mut all = Edges::new(&room);
                edges.iter().for_each(|&(from, to)| all.push(from, to).unwrap());
                all
            };
            let wanted: Vec<(u32, u32)> = edges.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            let mut found = Vec::new();
            collect().drain(|from, to| { found.push((from, to)); Ok(()) }).unwrap();
            prop_assert_eq!(&found, &wanted);
            let list = collect().list().unwrap();
            for _ in 0..2 {
                found.clear();
                list.each(|from, to| { found.push((from, to)); Ok(()) }).unwrap();
                prop_assert_eq!(&found, &wanted);
            }
            prop_assert_eq!(matches!(list, List::Disk(_)), collect().spilled());
        }
    }

    #[test]
    fn more_runs_than_are_merged_at_once_are_merged_in_turns() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room { most: 2, folder: &|| Ok(dir.path().to_owned()) };
        let mut edges = Edges::new(&room);
        (0..1000).for_each(|i| edges.push(i * 7919 % 1000, i).unwrap());
        let mut next = 0;
        edges
            .drain(|from, _| {
                assert_eq!(from, next);
                next += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(next, 1000);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "runs go when they are merged");
    }
}
