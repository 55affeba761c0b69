//! The link graph at any size: a graph drawn from a seed, sorted, kept in files where it does not fit, and all that `mine links`
//! computes on it, with wall time, processor time and peak memory.
//!
//! usage: bench_graph [--nodes N] [--edges N] [--file TSV] [--memory SIZE] [--threads N] [--tolerance T] [--folder DIR] [--check]
//!
//! Half of the edges lead to a near node, as links within a site do, the others to any node, popular ones more often (a power
//! law). An edge drawn twice counts once. With `--file` edges are those that `mine links --export edges` has written. With `--check` the same is computed in memory, and must be equal bit by bit.
#![allow(missing_docs, reason = "an executable")]

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use mining::graph::{Csr, Edges, Pull, Room, hits, pagerank, strong, weak};
use program::Usage;

#[derive(Debug, Parser)]
struct Args {
    /// Nodes
    #[arg(long, default_value_t = 20_000_000)]
    nodes: u32,
    /// Distinct edges, about
    #[arg(long, default_value_t = 500_000_000)]
    edges: u64,
    /// Edges to read instead: two URLs a line, a tab between them
    #[arg(long, conflicts_with_all = ["nodes", "edges"])]
    file: Option<PathBuf>,
    /// Limit of memory in MiB; an eighth of it holds edges
    #[arg(long, default_value_t = 1024)]
    memory: u64,
    /// Threads [default: one a core]
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// L1 distance of two rounds at which PageRank and HITS are done, as of `mine links`
    #[arg(long, default_value_t = 1e-10)]
    tolerance: f64,
    /// Folder for files [default: the working directory]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Compute the same in memory and compare
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global().context("cannot start threads")?;
    let folder = args.folder.clone().unwrap_or_else(|| PathBuf::from("."));
    let folder = folder.join(format!("bench-graph-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let done = run(&args, &folder);
    std::fs::remove_dir_all(&folder).context("cannot remove the files")?;
    done
}

fn run(args: &Args, folder: &Path) -> Result<()> {
    let room = |bytes| Room::new(bytes, archive::DataDir::new(folder));
    let found = compute(args, &room(usize::try_from(args.memory)? * (1 << 20) / 8))?;
    println!("peak memory {:.0} MiB, of {} MiB", Usage::now().peak_memory_bytes as f64 / 1048576.0, args.memory);
    if args.check {
        println!("in memory:");
        ensure!(compute(args, &room(usize::MAX))? == found, "the results differ");
        println!("all results are equal");
    }
    Ok(())
}

/// Hashes of the bytes of: weak and strong components, PageRank, hubs, authorities.
fn compute(args: &Args, room: &Room) -> Result<[u64; 5]> {
    let mut clock = Clock::new();
    let mut edges = Edges::new(room);
    let nodes = match &args.file {
        Some(file) => read(file, &mut edges)?,
        None => {
            for number in 0..args.edges {
                let (from, to) = draw(number, u64::from(args.nodes));
                edges.push(from, to)?;
            }
            args.nodes as usize
        }
    };
    clock.told("sorted into runs");
    let outgoing = Csr::new(nodes, edges, room)?;
    clock.told("rows by source");
    let incoming = outgoing.reversed(room)?;
    clock.told("rows by target");
    println!("  {} nodes, {} distinct edges", outgoing.nodes(), outgoing.edges());
    // Each result is let go of: in `mine links` they stand beside the pages.
    let weak = hash(weak(&outgoing)?.iter().map(|&c| u64::from(c)));
    clock.told("weak components");
    let strong = hash(strong(&outgoing)?.iter().map(|&c| u64::from(c)));
    clock.told("strong components");
    let pull = Pull::new(&incoming)?;
    clock.told("runs by target");
    let ranks = pagerank(&pull, outgoing.degrees(), 0.85, args.tolerance, || Ok(()))?;
    let cpu = clock.told(&format!("PageRank, {} rounds, the last moved {:.1e}", ranks.rounds, ranks.distance));
    let updates = outgoing.edges() as f64 * ranks.rounds as f64;
    println!("  {:.1} million edge updates of PageRank a CPU-second", updates / cpu / 1e6);
    let ranks = hash(ranks.ranks.iter().map(|rank| rank.to_bits()));
    let scores = hits(nodes, &Pull::new(&outgoing)?, &pull, args.tolerance, || Ok(()))?;
    clock.told(&format!("HITS, {} rounds, the last moved {:.1e}", scores.rounds, scores.distance));
    clock.total();
    let hubs = hash(scores.hubs.iter().map(|score| score.to_bits()));
    Ok([weak, strong, ranks, hubs, hash(scores.authorities.iter().map(|score| score.to_bits()))])
}

/// Reads edges; gives the number of nodes, which are numbered in alphabetical order, as in `mine links`.
fn read(file: &Path, edges: &mut Edges) -> Result<usize> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let pairs = || text.lines().filter_map(|line| line.split_once('\t'));
    let names: BTreeSet<&str> = pairs().flat_map(|(from, to)| [from, to]).collect();
    let numbers: HashMap<&str, u32> = names.into_iter().zip(0..).collect();
    pairs().try_for_each(|(from, to)| edges.push(numbers[from], numbers[to]))?;
    Ok(numbers.len())
}

/// An edge: SplitMix64 of its number.
fn draw(number: u64, nodes: u64) -> (u32, u32) {
    let (a, b) = (mixed(number), mixed(number ^ 0xa5a5_a5a5_a5a5_a5a5));
    let from = ((u128::from(a) * u128::from(nodes)) >> 64) as u64;
    let share = (b >> 11) as f64 / (1u64 << 53) as f64;
    let to = match b & 1 {
        0 => (from + 1 + (share * 10_000.0) as u64) % nodes,
        // The popular ones are spread over all numbers.
        _ => ((nodes as f64 * share * share) as u64 * 7_919_993) % nodes,
    };
    (from as u32, to as u32)
}

fn mixed(mut x: u64) -> u64 {
    x = x.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn hash(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, |hash, value| mixed(hash ^ value))
}

/// Time since the last stage and since the start.
struct Clock {
    start: (Instant, f64),
    last: (Instant, f64),
}

impl Clock {
    fn new() -> Clock {
        let now = (Instant::now(), Usage::now().cpu_seconds);
        Clock { start: now, last: now }
    }

    /// Prints a stage; gives its processor time.
    fn told(&mut self, what: &str) -> f64 {
        let usage = Usage::now();
        let (wall, cpu) = (self.last.0.elapsed().as_secs_f64(), usage.cpu_seconds - self.last.1);
        let peak = usage.peak_memory_bytes as f64 / 1048576.0;
        println!("  {wall:8.1} s {cpu:8.1} CPU-s {peak:6.0} MiB peak  {what}");
        self.last = (Instant::now(), usage.cpu_seconds);
        cpu
    }

    fn total(&self) {
        let (wall, cpu) = (self.start.0.elapsed().as_secs_f64(), Usage::now().cpu_seconds - self.start.1);
        println!("  {wall:8.1} s {cpu:8.1} CPU-s in all");
    }
}
