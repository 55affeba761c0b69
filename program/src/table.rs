//! Tables for people: columns as wide as their cells, and on a terminal no wider than it.

use std::fmt;
use std::io::{self, IsTerminal};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::human;

/// Between two columns.
const GAP: &str = "  ";
/// Narrowest that a column is made to fit the terminal.
const LEAST: usize = 8;

/// A plain table. It holds all rows, so it is for summaries and lists that a person reads, not for millions of rows.
///
/// ```
/// let mut table = program::Table::new(["term", "count"]).right(1);
/// table.row(["web", "1,204"]);
/// table.row(["crawler", "7"]);
/// assert_eq!(table.to_string(), "term     count\nweb      1,204\ncrawler      7\n");
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    head: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings; its columns are aligned left.
    pub fn new<const N: usize>(head: [&str; N]) -> Table {
        Table { head: head.map(str::to_owned).to_vec(), right: vec![false; N], rows: Vec::new() }
    }

    /// A table with as many columns as there are headings, where their number is known only when the program runs.
    pub fn with_columns(head: &[&str]) -> Table {
        Table {
            head: head.iter().map(|&name| name.to_owned()).collect(),
            right: vec![false; head.len()],
            rows: Vec::new(),
        }
    }

    /// Aligns a column (counted from 0) right, as numbers are.
    #[must_use]
    pub fn right(mut self, column: usize) -> Table {
        if let Some(right) = self.right.get_mut(column) {
            *right = true;
        }
        self
    }

    /// Adds a row. Cells may come from anywhere: they are made harmless by [`human::clean`].
    pub fn row<const N: usize>(&mut self, cells: [impl Into<String>; N]) {
        self.push(cells.map(Into::into).to_vec());
    }

    /// Adds a row of as many cells as there are columns; [`Table::row`] where their number is fixed.
    pub fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| human::clean(cell).into_owned()).collect());
    }

    /// Prints to standard output; cells are cut with … only where it is a terminal and too narrow.
    pub fn print(&self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let width = stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout)).flatten();
        io::Write::write_all(&mut stdout, self.render(width.map(|(width, _)| width.0.into())).as_bytes())
    }

    /// The text, cut to `width` columns where that is given.
    fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let mut text = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            let mut line = String::new();
            for (column, width) in widths.iter().enumerate() {
                let cell = cut(row.get(column).map_or("", String::as_str), *width);
                let pad = " ".repeat(width.saturating_sub(cell.width()));
                let gap = if column == 0 { "" } else { GAP };
                match self.right[column] {
                    true => line.extend([gap, &pad, &cell]),
                    false => line.extend([gap, &cell, &pad]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// Width of each column: that of its widest cell; the widest columns give way until the whole fits.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let rows = || std::iter::once(&self.head).chain(&self.rows);
        let widest =
            |column: usize| rows().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
        let mut widths: Vec<usize> = (0..self.head.len()).map(widest).collect();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let Some(limit) = limit else { return widths };
        while widths.iter().sum::<usize>() + gaps > limit {
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > LEAST) else { break };
            *widest -= 1;
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(None))
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in cell.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["url", "bytes"]).right(1);
        table.row(["http://example.org/a/rather/long/path", "12"]);
        table.row(["http://e.org/\u{1b}[31m\n", "1,200"]);
        table
    }

    #[test]
    fn a_table_off_a_terminal_is_never_cut_and_shows_no_control_characters() {
        assert_eq!(
            table().to_string(),
            "url                                    bytes\n\
             http://example.org/a/rather/long/path     12\n\
             http://e.org/�[31m                     1,200\n"
        );
    }

    #[test]
    fn on_a_narrow_terminal_the_widest_column_gives_way() {
        let text = table().render(Some(20));
        assert_eq!(text, "url            bytes\nhttp://examp…     12\nhttp://e.org…  1,200\n");
        assert!(table().render(Some(1)).lines().all(|line| line.width() <= 2 * LEAST + 2));
    }

    proptest::proptest! {
        #[test]
        fn a_cut_cell_is_never_wider_than_its_column(cell in "\\PC{0,40}", width in 1usize..30) {
            proptest::prop_assert!(cut(&cell, width).width() <= width);
        }
    }
}
