//! Reading a data set: row groups go to as many threads as there are, each read and worked on by one thread, and the
//! results come together on the calling thread. These threads are none of the pool's, so work on a row group may be shared out
//! to the pool (the gate below would block a thread of the pool for ever, were it to wait for what lies beneath on its stack).
//!
//! Results arrive in any order, so `absorb` must not depend on it: counts, sets and maxima do not. At most one row group
//! a thread is in memory, and no more of them at once than the limit of memory allows ([`Gate`]), besides what waits to be
//! absorbed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use archive::schema::{self, Kind};
use archive::{DataSet, Day, MENDS, Segment};
use polars::prelude::{DataType, FileMetadata, ParallelStrategy, ParquetReader, SerReader, TimeUnit};
use program::Progress;

use super::{Batch, Source};

/// One row group of one segment.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) path: PathBuf,
    pub(super) day: Day,
    pub(super) group: usize,
    pub(super) rows: usize,
    /// Uncompressed size of each declared column, in KiB.
    sizes: Arc<[u32]>,
    /// Hash of the segment's rows, where its footer states one.
    pub(super) identity: Option<Arc<str>>,
}

/// Row groups of segments, in order. Reads footers only, and holds them to the declared columns.
pub(super) fn tasks(set: DataSet, segments: &[Segment]) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for segment in segments {
        let (groups, identity) = contained(&segment.path, || {
            let mut reader = ParquetReader::new(File::open(&segment.path)?);
            check_columns(set, &mut reader)?;
            let footer = reader.get_metadata()?;
            let stated = footer.key_value_metadata().iter().flatten().find(|pair| pair.key == "kafkaspider.hash");
            let identity = stated.and_then(|pair| pair.value.as_deref()).map(Arc::from);
            let groups = footer.row_groups.iter().enumerate();
            let groups = groups.map(|(place, group)| (group.num_rows(), sizes(set, footer, place)));
            Ok((groups.collect::<Vec<_>>(), identity))
        })?;
        let groups = groups.into_iter().enumerate();
        tasks.extend(groups.map(|(group, (rows, sizes))| Task {
            path: segment.path.clone(),
            day: segment.day,
            group,
            rows,
            sizes,
            identity: identity.clone(),
        }));
    }
    Ok(tasks)
}

fn sizes(set: DataSet, footer: &FileMetadata, group: usize) -> Arc<[u32]> {
    let size = |column: &schema::Column| {
        let parts = footer.row_groups[group].columns_under_root_iter(column.name).into_iter().flatten();
        let bytes: i64 = parts.map(|part| part.uncompressed_size()).sum();
        u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
    };
    schema::columns(set).iter().map(size).collect()
}

/// What work on a row group takes at most, as a multiple of its uncompressed columns, besides what does not grow with it.
const SWELL: u64 = 4;
/// What it takes besides, whatever the row group: a part of a file of bags, for one.
const BASE: u64 = 32 << 20;

/// Lets as many row groups be worked on at once as fit in half of the limit of memory; one always.
struct Gate {
    most: u64,
    inside: Mutex<u64>,
    left: Condvar,
}

impl Gate {
    fn enter(&self, bytes: u64) -> Inside<'_> {
        let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |inside: &mut u64| *inside > 0 && inside.saturating_add(bytes) > self.most;
        let mut inside = self.left.wait_while(inside, full).unwrap_or_else(PoisonError::into_inner);
        *inside += bytes;
        Inside { gate: self, bytes }
    }
}

/// Leaves when it is dropped, also by an error or a panic.
struct Inside<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.gate.inside.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.gate.left.notify_all();
    }
}

fn check_columns(set: DataSet, reader: &mut ParquetReader<File>) -> Result<()> {
    let schema = reader.schema()?;
    for column in schema::columns(set) {
        let field = schema.get(column.name).with_context(|| {
            format!("it has no column `{}`, so another version wrote it: run `etl extract` again", column.name)
        })?;
        let found = DataType::from_arrow_field(field);
        let fits = match column.kind {
            Kind::Text => found == DataType::String,
            Kind::Int => found == DataType::Int64,
            Kind::Bool => found == DataType::Boolean,
            Kind::Binary => found == DataType::Binary,
            Kind::Timestamp => matches!(found, DataType::Datetime(TimeUnit::Microseconds, _)),
            Kind::Pairs => matches!(found, DataType::List(_)),
        };
        if !fits {
            bail!("its column `{}` has type {found} and not {:?}", column.name, column.kind);
        }
    }
    Ok(())
}

impl Source {
    /// Number of batches of a data set.
    pub fn batches(&self, set: DataSet) -> usize {
        self.tasks.get(&set).map_or(0, Vec::len)
    }

    /// Works on each batch of a data set with the columns named. `what` is the name of the pass, for the progress bar.
    pub fn scan<R: Send>(
        &self,
        set: DataSet,
        columns: &[&str],
        what: &str,
        work: impl Fn(&Batch) -> Result<R> + Sync,
        absorb: impl FnMut(R) -> Result<()>,
    ) -> Result<()> {
        let all: Vec<usize> = (0..self.batches(set)).collect();
        self.scan_tasks(set, &all, columns, what, work, absorb)
    }

    /// Notes that a data set is an input of the run.
    pub(super) fn note_read(&self, set: DataSet) {
        self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(set);
    }

    /// As [`Source::scan`], over the batches with these numbers.
    pub fn scan_tasks<R: Send>(
        &self,
        set: DataSet,
        chosen: &[usize],
        columns: &[&str],
        what: &str,
        work: impl Fn(&Batch) -> Result<R> + Sync,
        mut absorb: impl FnMut(R) -> Result<()>,
    ) -> Result<()> {
        let tasks = self.tasks.get(&set).map_or(&[][..], Vec::as_slice);
        self.note_read(set);
        let rows = chosen.iter().map(|&number| tasks[number].rows as u64).sum();
        let progress = Progress::new(what, "rows", Some(rows));
        let most = self.budget.limit().map_or(u64::MAX, |limit| limit / 2);
        let gate = Gate { most, inside: Mutex::new(0), left: Condvar::new() };
        let one = |number: usize| -> Result<R> {
            let task = &tasks[number];
            let _inside = gate.enter(task.bytes(set, columns).saturating_mul(SWELL).saturating_add(BASE));
            let batch = task.read(number, columns)?;
            let result = work(&batch).with_context(|| task.path.display().to_string())?;
            progress.add(task.rows as u64);
            Ok(result)
        };
        if self.threads == 1 {
            for &number in chosen {
                self.go_on()?;
                absorb(one(number)?)?;
            }
            progress.finish();
            return Ok(());
        }
        // The largest first, so that no thread is left with one of them in the end.
        let mut chosen = chosen.to_vec();
        chosen.sort_by_key(|&number| std::cmp::Reverse((tasks[number].bytes(set, columns), tasks[number].rows)));
        let chosen = &chosen;
        let next = AtomicUsize::new(0);
        let result = std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(self.threads);
            for _ in 0..self.threads.min(chosen.len()) {
                let (sender, next, one) = (sender.clone(), &next, &one);
                scope.spawn(move || {
                    while let Some(&number) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A closed channel means that the receiver gave up: its error is the one that is told.
                        if sender.send(one(number)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for result in receiver {
                self.go_on()?;
                absorb(result?)?;
            }
            Ok(())
        });
        progress.finish();
        result
    }
}

impl Task {
    /// Uncompressed size of some columns.
    fn bytes(&self, set: DataSet, columns: &[&str]) -> u64 {
        let sizes = schema::columns(set).iter().zip(&*self.sizes).filter(|(column, _)| columns.contains(&column.name));
        sizes.map(|(_, &kib)| u64::from(kib) * 1024).sum()
    }

    fn read(&self, number: usize, columns: &[&str]) -> Result<Batch> {
        let frame = contained(&self.path, || {
            let mut reader = ParquetReader::new(File::open(&self.path)?);
            // A footer that knows of this row group only: the reader would look into those before it.
            let mut footer = FileMetadata::clone(reader.get_metadata()?);
            let group = footer.row_groups.get(self.group).cloned().context("it has changed while it was read")?;
            footer.num_rows = group.num_rows();
            footer.row_groups = vec![group];
            reader.set_metadata(Arc::new(footer));
            let frame = reader
                .with_columns(Some(columns.iter().map(|&c| c.to_owned()).collect()))
                // One thread a row group: the threads are busy with other row groups.
                .read_parallel(ParallelStrategy::None)
                .finish()?;
            if frame.height() != self.rows {
                bail!("it has {} rows where its footer says {}", frame.height(), self.rows);
            }
            Ok(frame)
        })?;
        Ok(Batch::new(number, self.day, frame))
    }
}

/// Runs the Parquet reader on a file that may be damaged: errors and panics name the file and what to do.
fn contained<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    program::contained(read)
        .unwrap_or_else(|panic| Err(anyhow!("the Parquet reader gave up: {panic}")))
        .with_context(|| format!("cannot read segment {}; {MENDS}", path.display()))
}
