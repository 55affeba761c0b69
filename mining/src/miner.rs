//! What a miner is, and the list of them all.
//!
//! A miner is one entry of [`MINERS`]: plain data about itself and one function from data sets to tables. Everything else
//! (flags, help, reading, report folder, HTML page, `mine schema`) follows from the entry.

use anyhow::{Result, bail};
use archive::DataSet;
use clap::Args;
use polars::prelude::{DataFrame, DataType, Field};

use crate::findings::Findings;
use crate::options::Flags;
use crate::source::Source;

/// All miners, in the order of the help.
pub const MINERS: &[Miner] = &[
    crate::terms::MINER,
    crate::keywords::MINER,
    crate::links::MINER,
    crate::cluster::MINER,
    crate::duplicates::MINER,
    crate::hosts::MINER,
    crate::languages::MINER,
];

/// One miner.
#[derive(Debug, Clone, Copy)]
pub struct Miner {
    /// Name of the subcommand and of the folder of its reports.
    pub name: &'static str,
    /// One line of help.
    pub about: &'static str,
    /// Long help: what goes in, the method with its source, the cost in memory. Output columns are added from `tables`.
    pub help: &'static str,
    /// Data sets that it reads.
    pub inputs: &'static [DataSet],
    /// Tables that it gives, in order.
    pub tables: &'static [TableSpec],
    /// Adds its own flags to its subcommand.
    pub flags: fn(clap::Command) -> clap::Command,
    /// Whether its work on documents is kept as partials, which `--shard` can share out.
    pub shards: bool,
    /// The work: a function of the source and the parameters only. It writes nothing.
    pub mine: fn(&Source, &Params<'_>) -> Result<Findings>,
}

/// What a miner is told besides its source.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a> {
    /// Its own flags, as `flags` declared them.
    pub flags: &'a clap::ArgMatches,
    /// Rows that the summary shows.
    pub rows: usize,
    /// `--top`, where it was given.
    pub top: Option<usize>,
    /// `--seed`, else 0.
    pub seed: u64,
}

/// A table of a report, declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// File name without the ending.
    pub name: &'static str,
    /// What a row is, and how rows are sorted.
    pub doc: &'static str,
    /// Columns in order.
    pub columns: &'static [ColumnSpec],
}

/// A column of a report's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: ColumnKind,
    /// May be null.
    pub nullable: bool,
    /// What it holds, with its unit.
    pub doc: &'static str,
}

/// Type of a column of a report: those that every Parquet reader has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Int,
    /// 64-bit floating point.
    Float,
    /// Day, UTC.
    Date,
    /// True or false.
    Bool,
}

impl ColumnKind {
    /// Name, as `mine schema` prints it.
    pub fn name(self) -> &'static str {
        match self {
            ColumnKind::Text => "text",
            ColumnKind::Int => "int64",
            ColumnKind::Float => "float64",
            ColumnKind::Date => "date",
            ColumnKind::Bool => "boolean",
        }
    }

    fn dtype(self) -> DataType {
        match self {
            ColumnKind::Text => DataType::String,
            ColumnKind::Int => DataType::Int64,
            ColumnKind::Float => DataType::Float64,
            ColumnKind::Date => DataType::Date,
            ColumnKind::Bool => DataType::Boolean,
        }
    }
}

/// A column that is never null.
pub const fn column(name: &'static str, kind: ColumnKind, doc: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, doc }
}

/// A column that may be null.
pub const fn nullable(name: &'static str, kind: ColumnKind, doc: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: true, doc }
}

impl TableSpec {
    /// The table without rows.
    pub fn empty(&self) -> DataFrame {
        DataFrame::empty_with_schema(&self.columns.iter().map(|c| Field::new(c.name.into(), c.kind.dtype())).collect())
    }

    /// Holds a table to what was declared: names, order, types, nulls.
    pub fn check(&self, frame: &DataFrame) -> Result<()> {
        if frame.width() != self.columns.len() {
            bail!("bug: table {} has {} columns, {} are declared", self.name, frame.width(), self.columns.len());
        }
        for (spec, column) in self.columns.iter().zip(frame.columns()) {
            if column.name().as_str() != spec.name || column.dtype() != &spec.kind.dtype() {
                bail!(
                    "bug: table {} has column {} ({}) in place of {}",
                    self.name,
                    column.name(),
                    column.dtype(),
                    spec.name
                );
            }
            if !spec.nullable && column.null_count() > 0 {
                bail!("bug: column {} of table {} has nulls", spec.name, self.name);
            }
        }
        Ok(())
    }
}

impl Miner {
    /// The subcommand: own flags, those of every miner, and the help on what comes out.
    pub fn command(&self) -> clap::Command {
        // A type of flags sets what its command says of itself, so the miner's own words come behind them.
        Flags::augment_args((self.flags)(clap::Command::new(self.name)))
            .about(self.about)
            .long_about(format!("{}\n\n{}", self.about, self.help))
            .after_long_help(self.outputs())
    }

    fn outputs(&self) -> String {
        let mut text = String::from("Output (Parquet whole; CSV of the same name: the first --top rows):\n");
        for table in self.tables {
            text.push_str(&format!("  {}.parquet: {}\n", table.name, table.doc));
            let width = table.columns.iter().map(|c| c.name.len()).max().unwrap_or(0);
            for column in table.columns {
                text.push_str(&format!("    {:width$}  {:7}  {}\n", column.name, column.kind.name(), column.doc));
            }
        }
        text.push_str(
            "  report.html (self-contained page), manifest.json (how it was made), _SUCCESS (written last)\n",
        );
        text
    }
}
