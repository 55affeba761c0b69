//! Flags that every miner has: first parsed into a plain struct, then checked into what the work needs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use archive::Day;
use program::{Common, Misuse};

use crate::source::{Server, Shard};

/// Flags of every miner, as given.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Input, output and limits")]
pub struct Flags {
    /// Mine this day of the archive (UTC)
    #[arg(long, value_name = "DAY", conflicts_with_all = ["from", "to"])]
    pub day: Option<Day>,
    /// First day of the span [default: the first of the archive]
    #[arg(long, value_name = "DAY")]
    pub from: Option<Day>,
    /// Last day of the span [default: the last of the archive]
    #[arg(long, value_name = "DAY")]
    pub to: Option<Day>,
    /// Data directory to read from, or mongodb://[user@]host:port/database with what `etl upload` brought there [default:
    /// --data]
    #[arg(long, value_name = "DIR|URL")]
    pub source: Option<String>,
    /// File whose first line is the password of the server; else KAFKASPIDER_MONGODB_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub mongodb_password_file: Option<PathBuf>,
    /// Folder of the reports [default: <data>/reports]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Rows of the CSV files and of the summary [default: 1000 and 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub top: Option<u32>,
    /// Threads; results do not depend on them [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Stop with an error rather than use more memory, for example 1GiB [default: 80 % of what is free]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Size>,
    /// Folder of partials, which make the next run short [default: <source>/partials, of a server's <data>/partials]
    #[arg(long, value_name = "DIR")]
    pub partials: Option<PathBuf>,
    /// Only do share I of N of the work on documents, kept as partials for `mine merge`
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Seed, for the miners that draw at random; stands in the manifest
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Where records at rest are.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a data directory.
    Folder(PathBuf),
    /// In a database.
    Server(Box<Server>),
}

/// Checked options.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is read.
    pub source: Place,
    /// Data directory, for what is written: reports, unfinished files.
    pub data: PathBuf,
    /// Folder of the reports.
    pub out: PathBuf,
    /// First day, where it was given.
    pub from: Option<Day>,
    /// Last day, where it was given.
    pub to: Option<Day>,
    /// Folder of partials.
    pub partials: PathBuf,
    /// The share of the work that is done.
    pub shard: Option<Shard>,
    /// Whether partials are joined, and none may be missing.
    pub merging: bool,
    /// `--top`, where it was given.
    pub top: Option<usize>,
    /// Rows of a CSV.
    pub csv_rows: usize,
    /// Rows of the summary.
    pub summary_rows: usize,
    /// Threads.
    pub threads: usize,
    /// Whether the user said how many.
    pub threads_given: bool,
    /// Limit of memory in bytes, where it was given.
    pub memory: Option<u64>,
    /// Seed, where it was given.
    pub seed: Option<u64>,
}

impl Options {
    /// Checks the flags against each other and fills in the defaults.
    pub fn new(flags: &Flags, common: &Common) -> Result<Options, Misuse> {
        let (from, to) = match flags.day {
            Some(day) => (Some(day), Some(day)),
            None => (flags.from, flags.to),
        };
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(Misuse::new(format!("--from {from} is after --to {to}")));
        }
        let source = match &flags.source {
            Some(url) if url.contains("://") => {
                Place::Server(Box::new(Server::new(url, flags.mongodb_password_file.as_deref())?))
            }
            Some(folder) => Place::Folder(PathBuf::from(folder)),
            None => Place::Folder(common.data.clone()),
        };
        let home = match &source {
            Place::Folder(folder) => folder,
            Place::Server(_) => &common.data,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Options {
            partials: flags.partials.clone().unwrap_or_else(|| home.join("partials")),
            shard: flags.shard,
            merging: false,
            top: flags.top.map(|top| top as usize),
            source,
            data: common.data.clone(),
            out: flags.out.clone().unwrap_or_else(|| common.data.join("reports")),
            from,
            to,
            csv_rows: flags.top.unwrap_or(1000) as usize,
            summary_rows: flags.top.unwrap_or(20) as usize,
            threads: flags.threads.map_or(cores, usize::from),
            threads_given: flags.threads.is_some(),
            memory: flags.memory.map(|size| size.0),
            seed: flags.seed,
        })
    }
}

/// A size in bytes: `800MB`, `1GiB`, `1.5G`, `4096`. K, M, G and T are powers of 1000, with an `i` of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let wrong = || format!("`{text}` is not a size; write it as 800MB or 1GiB");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = text[digits..].trim().to_ascii_lowercase();
        let unit = unit.strip_suffix('b').unwrap_or(&unit);
        let factor = match unit {
            "" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            "g" => 1e9,
            "t" => 1e12,
            "ki" => 1024.0,
            "mi" => 1024.0 * 1024.0,
            "gi" => 1024.0 * 1024.0 * 1024.0,
            "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return Err(wrong()),
        };
        let bytes = number * factor;
        if !(1.0..1e18).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Size(bytes as u64))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.0 as f64 / (1024.0 * 1024.0);
        if mib >= 1024.0 { write!(f, "{:.2} GiB", mib / 1024.0) } else { write!(f, "{mib:.0} MiB") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        assert_eq!("4096".parse(), Ok(Size(4096)));
        assert_eq!("1GiB".parse(), Ok(Size(1 << 30)));
        assert_eq!("1.5 k".parse(), Ok(Size(1500)));
        assert_eq!("800MB".parse(), Ok(Size(800_000_000)));
        for wrong in ["", "GiB", "-1", "1X", "1.2.3", "0", "1e30T"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
