//! As many threads as the user wants, in every pool of the process.
//!
//! Polars reads the size of its pool from the environment, once: so `mine` starts itself again, in place, with the variable set.

use anyhow::{Context, Result};
use program::{again_with, unset};

use crate::options::Options;

const POLARS: &str = "POLARS_MAX_THREADS";
/// Row groups that the streaming engine reads ahead, and how much it may keep before it spills what it can.
const AHEAD: &str = "POLARS_ROW_GROUP_PREFETCH_SIZE";
const SPILL: &str = "POLARS_OOC_MEMORY_BUDGET_MB";

/// For glibc's allocator; any other ignores them. A query decodes row groups into buffers of some megabytes and frees them at
/// once: as the allocator comes, each is mapped anew, and page faults are a third of a scan. One arena that keeps what is freed,
/// in large pages, makes queries a seventh cheaper (docs/mine-2026-11-22.md). Its sizes are for a limit of memory far above them.
const ALLOCATOR: [(&str, &str); 5] = [
    ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "33554432"),
    ("MALLOC_TRIM_THRESHOLD_", "268435456"),
    ("MALLOC_TOP_PAD_", "67108864"),
];
/// Limit of memory from which on the allocator may keep so much.
const AMPLE: u64 = 2 << 30;

/// For a run that is to keep within `--memory`: as the allocator comes, each thread has an arena of its own (up to eight a core)
/// that keeps what is freed, and of a limit of 256 MiB a third was lost to what nobody used (docs/mine-2026-11-22.md).
const BOUNDED: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "1048576")];

/// Sets the size of the pools, and the allocator to what the limit of memory wants. Comes before any other use of them; may
/// replace the process.
pub fn limit(options: &Options) -> Result<()> {
    let mut wanted = Vec::new();
    if options.threads_given {
        wanted.push((POLARS, options.threads.to_string()));
    }
    if options.memory.is_some() {
        wanted.extend(unset(&BOUNDED));
    }
    again_with(&wanted)?;
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).build_global().context("cannot start threads")
}

/// The same for a run of the streaming engine, with its appetite for memory; `limit` is what it may use in all.
pub fn limit_streaming(options: &Options, limit: Option<u64>) -> Result<()> {
    let mut wanted = vec![(AHEAD, options.threads.to_string())];
    if options.threads_given {
        wanted.push((POLARS, options.threads.to_string()));
    }
    if let Some(memory) = options.memory {
        wanted.push((SPILL, (memory / 2 / 1_000_000).max(16).to_string()));
    }
    match limit {
        Some(limit) if limit >= AMPLE => wanted.extend(unset(&ALLOCATOR)),
        _ if options.memory.is_some() => wanted.extend(unset(&BOUNDED)),
        _ => {}
    }
    again_with(&wanted)
}

/// Works on each of some things, and gives what came of them in their order: side by side, but on a thread of the pool one after the
/// other. What waits there for others takes up another task meanwhile, and stays beneath it on its stack though its own is done.
pub fn each<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if things.len() < 2 || rayon::current_thread_index().is_some() {
        return things.iter().map(work).collect();
    }
    let mut found: Vec<Option<R>> = things.iter().map(|_| None).collect();
    rayon::in_place_scope(|scope| {
        for (thing, found) in things.iter().zip(&mut found) {
            let work = &work;
            scope.spawn(move |_| *found = Some(work(thing)));
        }
    });
    found.into_iter().flatten().collect()
}

/// Does two things: side by side where there is more than one thread. The second is done by the calling thread; so both may wait
/// for the pool.
pub fn both<A: Send, B>(threads: usize, first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B) -> (A, B) {
    if threads == 1 {
        return (first(), second());
    }
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), second)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keeps_the_order_on_a_thread_of_the_pool_and_off_it() {
        let things: Vec<u64> = (0..1000).collect();
        let squares = || each(&things, |thing| thing * thing);
        let wanted: Vec<u64> = things.iter().map(|thing| thing * thing).collect();
        assert_eq!(squares(), wanted);
        assert_eq!(rayon::join(squares, squares), (wanted.clone(), wanted));
        assert_eq!(each(&[] as &[u64], |_| 1), [0u64; 0]);
    }
}
