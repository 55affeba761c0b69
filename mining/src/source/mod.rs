//! Where a miner reads: which segments over which days, in batches, with a bound on memory.
//!
//! A miner sees rows of a data set, never files: which span, which rows are each URL's newest, and the rows themselves in
//! batches. A database is first brought into an archive of its own ([`mongo`]), so all that follows is the same.

mod batch;
mod budget;
mod mongo;
mod newest;
mod partial;
mod scan;
mod shared;
mod span;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Result, bail};
use archive::{Catalogue, DataDir, DataSet, Segment, Span, TmpDir};
use program::Shutdown;

pub use batch::{Batch, record_key};
pub use budget::Budget;
pub use mongo::Server;
pub use newest::Newest;
pub use partial::{Shard, ShareDone, hash_file};
use scan::Task;
pub use shared::pairs;

use crate::options::{Options, Place};
use crate::spill::Room;

/// The command was asked to end before it was done; exit code 130.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; nothing was written")]
pub struct Interrupted;

/// Memory that each thread must have for [`Source::side_by_side`].
const EACH: u64 = 256 << 20;

/// Data sets over a span of days.
#[derive(Debug)]
pub struct Source {
    root: PathBuf,
    /// What came from a database, and its name.
    fetched: Option<(TmpDir, String)>,
    data: DataDir,
    span: Span,
    segments: BTreeMap<DataSet, Vec<Segment>>,
    tasks: BTreeMap<DataSet, Vec<Task>>,
    read: Mutex<BTreeSet<DataSet>>,
    partials: PathBuf,
    shard: Option<Shard>,
    merging: bool,
    threads: usize,
    budget: Budget,
    shutdown: Shutdown,
}

/// A segment that was read.
#[derive(Debug)]
pub struct Input<'a> {
    /// Which.
    pub segment: &'a Segment,
    /// Its rows.
    pub rows: u64,
    /// Hash of its rows, where its footer states one; a segment without a row group is not asked.
    pub hash: Option<String>,
}

impl Source {
    /// Opens the archive: reads its directory and the footers of the segments of the data sets that are needed. From a
    /// database these data sets are fetched first, the `bodies` of artefacts only when they are wanted.
    pub fn open(options: &Options, needed: &[DataSet], bodies: bool, shutdown: Shutdown) -> Result<Source> {
        let budget = Budget::new(options.memory);
        let (root, fetched) = match &options.source {
            Place::Folder(folder) => (folder.clone(), None),
            Place::Server(server) => {
                let wanted = mongo::Wanted { options, sets: needed, bodies };
                let dir = mongo::fetch(server, &wanted, &budget, &shutdown)?;
                (dir.path().to_owned(), Some((dir, server.shown().to_owned())))
            }
        };
        let data = DataDir::new(&root);
        let catalogue = Catalogue::read(&data)?;
        let span = span::span(&catalogue, &data, options, needed)?;
        let mut segments = BTreeMap::new();
        let mut tasks = BTreeMap::new();
        for &set in needed {
            let found = checked(&catalogue, set, span)?;
            tasks.insert(set, scan::tasks(set, &found)?);
            segments.insert(set, found);
        }
        Ok(Source {
            root,
            fetched,
            data: DataDir::new(&options.data),
            span,
            segments,
            tasks,
            read: Mutex::new(BTreeSet::new()),
            partials: options.partials.clone(),
            shard: options.shard,
            merging: options.merging,
            threads: options.threads,
            budget,
            shutdown,
        })
    }

    /// The days.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Segments that were read so far, in order.
    pub fn inputs<'a>(&'a self) -> Vec<Input<'a>> {
        let read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut known: BTreeMap<&Path, (u64, Option<&str>)> = BTreeMap::new();
        for task in read.iter().flat_map(|set| &self.tasks[set]) {
            let (rows, hash) = known.entry(&task.path).or_default();
            *rows += task.rows as u64;
            *hash = task.identity.as_deref();
        }
        let input = |segment: &'a Segment| {
            let (rows, hash) = known.get(segment.path.as_path()).copied().unwrap_or_default();
            Input { segment, rows, hash: hash.map(str::to_owned) }
        };
        read.iter().flat_map(|set| &self.segments[set]).map(input).collect()
    }

    /// Bytes that may be used, where a limit is known.
    pub fn memory(&self) -> Option<u64> {
        self.budget.limit()
    }

    /// Threads for what may be done side by side within a row group or besides other work: one where memory is too scarce for it.
    pub fn side_by_side(&self) -> usize {
        let scarce = self.memory().is_some_and(|limit| limit / (self.threads as u64) < EACH);
        if scarce { 1 } else { self.threads }
    }

    /// Segments of a data set over the span, in order; those that are read by other means than [`Source::scan`].
    pub fn segments(&self, set: DataSet) -> &[Segment] {
        self.segments.get(&set).map_or(&[], Vec::as_slice)
    }

    /// A segment's place as a manifest names it: relative to the archive, or below the name of the database.
    pub fn name(&self, segment: &Segment) -> String {
        let path = segment.path.strip_prefix(&self.root).unwrap_or(&segment.path).to_string_lossy();
        match &self.fetched {
            Some((_, shown)) => format!("{shown}/{path}"),
            None => path.into_owned(),
        }
    }

    /// For what may have to be sorted on disk: an eighth of the limit of memory.
    pub fn room(&self) -> Room {
        let bytes = self.memory().map_or(u64::MAX, |limit| limit / 8);
        Room::new(usize::try_from(bytes).unwrap_or(usize::MAX), self.data.clone())
    }

    /// Ends the work when the user asked for it; long computations call it now and then.
    pub fn go_on(&self) -> Result<()> {
        if self.shutdown.requested() {
            bail!(Interrupted);
        }
        self.budget.check()
    }

    /// As [`Source::go_on`], before so many bytes are taken.
    pub fn allow(&self, bytes: usize) -> Result<()> {
        self.go_on()?;
        self.budget.allow(bytes as u64)
    }
}

/// Segments of a data set over the span: refused when they overlap, with a warning when extraction is behind.
fn checked(catalogue: &Catalogue, set: DataSet, span: Span) -> Result<Vec<Segment>> {
    let (from, to) = (Some(span.from()), Some(span.to()));
    if set != DataSet::Artefacts {
        let behind = catalogue.uncovered(DataSet::Artefacts, set, from, to).len();
        if behind > 0 {
            tracing::warn!(
                "{behind} segments are not extracted to {} yet and do not count: run `etl extract`",
                set.name()
            );
        }
    }
    let found: Vec<Segment> = catalogue.segments(set, from, to).into_iter().cloned().collect();
    let within = |path: &Path| found.iter().any(|segment| segment.path == path);
    if let Some(overlap) = catalogue.overlaps(set).iter().find(|overlap| within(&overlap.a) || within(&overlap.b)) {
        bail!("{} and {} share records; one of them must go first", overlap.a.display(), overlap.b.display());
    }
    Ok(found)
}
