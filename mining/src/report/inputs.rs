//! The inputs of a run with their hashes, for its manifest.
//!
//! Hashing costs as much as some miners do, and one segment may be larger than all others: so it is done beside the work, from its
//! beginning, where there is more than one thread.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use archive::{DataSet, FileEntry};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::options::Options;
use crate::source::Source;

/// Hashes of segments, as far as they are there.
#[derive(Debug)]
pub struct Hashing {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Work {
    /// The largest first.
    paths: Vec<PathBuf>,
    /// Place of the next that nobody has begun.
    next: AtomicUsize,
    stop: AtomicBool,
    found: Mutex<BTreeMap<PathBuf, std::io::Result<String>>>,
}

impl Hashing {
    /// Begins with the segments of these data sets on a thread of its own. A run of one thread, or one that writes no manifest,
    /// begins with none.
    pub fn begin(options: &Options, source: &Source, sets: &[DataSet]) -> Hashing {
        let mut work = Work::default();
        if options.threads == 1 || options.shard.is_some() {
            return Hashing { work: Arc::new(work), thread: None };
        }
        let mut segments: Vec<_> = sets.iter().flat_map(|&set| source.segments(set)).collect();
        segments.sort_by_key(|segment| std::cmp::Reverse(segment.bytes));
        work.paths = segments.into_iter().map(|segment| segment.path.clone()).collect();
        let work = Arc::new(work);
        let shared = Arc::clone(&work);
        // Without the thread all is hashed in the end.
        let thread = std::thread::Builder::new().name("hashes".to_owned()).spawn(move || shared.go_on()).ok();
        Hashing { work, thread }
    }

    /// Segments that were read, with hash, size and rows. What is not hashed yet is done now, by as many threads as there are.
    pub fn entries(mut self, source: &Source) -> Result<Vec<FileEntry>> {
        (0..rayon::current_num_threads()).into_par_iter().for_each(|_| self.work.go_on());
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| anyhow!("bug: hashing the inputs has failed"))?;
        }
        let mut found = std::mem::take(&mut *self.work.found());
        let inputs = source.inputs().into_iter().map(|(segment, rows)| (segment, rows, found.remove(&segment.path)));
        let entry = |(segment, rows, known): (&archive::Segment, u64, Option<std::io::Result<String>>)| {
            let sha256 = known.unwrap_or_else(|| hash(&segment.path, &AtomicBool::new(false)));
            let sha256 = sha256.with_context(|| format!("cannot read segment {}", segment.path.display()))?;
            Ok(FileEntry { path: source.name(segment), sha256, bytes: segment.bytes, rows: Some(rows) })
        };
        inputs.collect::<Vec<_>>().into_par_iter().map(entry).collect()
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.work.stop.store(true, Ordering::Relaxed);
    }
}

impl Work {
    fn found(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, std::io::Result<String>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hashes what nobody has begun.
    fn go_on(&self) {
        while let Some(path) = self.paths.get(self.next.fetch_add(1, Ordering::Relaxed))
            && !self.stop.load(Ordering::Relaxed)
        {
            let hash = hash(path, &self.stop);
            self.found().insert(path.clone(), hash);
        }
    }
}

/// SHA-256 of the file; of a part of it where it is told to stop.
fn hash(path: &Path, stop: &AtomicBool) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hex::encode(hash.finalize()))
}
