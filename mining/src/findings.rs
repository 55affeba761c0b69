//! What a miner hands back: tables for machines, facts and charts for people. Plain data, no file and no HTML.

use anyhow::Result;
use polars::prelude::DataFrame;

use crate::miner::TableSpec;

/// All that a miner found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Tables in the order of the miner's `tables`.
    pub tables: Vec<Table>,
    /// Figures for the head of the page and of the summary.
    pub facts: Vec<Fact>,
    /// The page, from top to bottom.
    pub sections: Vec<Section>,
    /// What standard output shows, best first.
    pub summary: View,
    /// Further files of the report: (name, what it is, writes it).
    pub files: Vec<Extra>,
}

/// Writes the content of a file.
pub type Writing = Box<dyn FnOnce(&mut (dyn std::io::Write + Send)) -> Result<()>>;

/// A file of a report that is no table.
pub struct Extra {
    /// File name.
    pub name: String,
    /// What it is.
    pub doc: &'static str,
    /// Writes its content.
    pub write: Writing,
}

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Extra({})", self.name)
    }
}

/// One finished table.
#[derive(Debug)]
pub struct Table {
    /// Its declaration.
    pub spec: &'static TableSpec,
    /// Its rows, sorted.
    pub rows: Rows,
}

/// The rows of a table: all at hand, or made piece by piece when they are written, so that they need not fit in memory.
pub enum Rows {
    /// All of them.
    Whole(DataFrame),
    /// Gives what makes the next rows, in order; none at the end.
    Pieces(Box<dyn FnMut() -> Result<Option<Piece>>>),
}

/// Makes some rows of a table, on any thread.
pub type Piece = Box<dyn FnOnce() -> Result<DataFrame> + Send>;

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rows::Whole(frame) => write!(f, "Whole({} rows)", frame.height()),
            Rows::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

impl Table {
    /// A table that is as declared.
    pub fn new(spec: &'static TableSpec, frame: DataFrame) -> Result<Table> {
        spec.check(&frame)?;
        Ok(Table { spec, rows: Rows::Whole(frame) })
    }

    /// A table whose rows come piece by piece; each piece becomes a row group, and several may be made at once.
    pub fn in_pieces(spec: &'static TableSpec, next: impl FnMut() -> Result<Option<Piece>> + 'static) -> Table {
        Table { spec, rows: Rows::Pieces(Box::new(next)) }
    }
}

/// A figure with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Name, lower case: `documents`.
    pub name: &'static str,
    /// Value.
    pub value: Cell,
}

impl Fact {
    /// A count.
    pub fn count(name: &'static str, value: usize) -> Fact {
        Fact { name, value: Cell::count(value) }
    }
}

/// A piece of the HTML page.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Heading.
    pub title: String,
    /// How to read it, with units.
    pub note: String,
    /// The drawing or table.
    pub body: Body,
}

/// What a section shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Horizontal bars with labels.
    Bars(Vec<Bar>),
    /// Points on two logarithmic axes.
    LogLog(LogLog),
    /// Points on two plain axes that mean nothing by themselves: what lies together is alike.
    Map(Vec<Series>),
    /// Counts by row and column.
    Matrix(Matrix),
    /// A sortable table.
    Table(View),
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Label; shown whole.
    pub label: Cell,
    /// Length; not negative.
    pub value: f64,
    /// The value as text.
    pub text: String,
}

/// Series of positive points on logarithmic axes; points that are not positive are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLog {
    /// Name and unit of the horizontal axis.
    pub x: String,
    /// Name and unit of the vertical axis.
    pub y: String,
    /// At most four series.
    pub series: Vec<Series>,
}

/// Points with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Points (x, y).
    pub points: Vec<(f64, f64)>,
}

/// Counts by row and column; `counts[row][column]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Counts.
    pub counts: Vec<Vec<u64>>,
}

/// A table for people: a few columns, the first rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Headings.
    pub columns: Vec<&'static str>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell for people.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Text, from anywhere: escaped where it is shown.
    Text(String),
    /// A count.
    Int(i64),
    /// A score.
    Float(f64),
    /// A page: its URL, and its title where that is known.
    Page {
        /// Canonical URL.
        url: String,
        /// Title as on the page.
        title: Option<String>,
    },
    /// A file beside the page, with a name to show.
    File {
        /// Path, relative to the page.
        path: String,
        /// What the link says.
        name: String,
    },
}

impl Cell {
    /// A count; more than an `i64` holds is shown as the largest.
    pub fn count(value: usize) -> Cell {
        Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// Text or nothing.
    pub fn maybe(text: Option<&str>) -> Cell {
        text.map_or(Cell::Null, |t| Cell::Text(t.to_owned()))
    }
}
