//! Tables of the page: sortable ones, and counts by row and column.

use std::fmt::Write;

use super::{cell, escape};
use crate::findings::{Cell, Matrix, View};

/// What stands in place of an empty chart or table.
pub(super) const EMPTY: &str = "<p class=\"empty\">Nothing to show.</p>\n";

/// A sortable table.
pub(super) fn view(out: &mut String, view: &View) {
    if view.rows.is_empty() {
        out.push_str(EMPTY);
        return;
    }
    // A column is of numbers when no cell of it is text.
    let numeric = |column: usize| {
        view.rows.iter().all(|row| matches!(row[column], Cell::Int(_) | Cell::Float(_) | Cell::Null))
            && view.rows.iter().any(|row| row[column] != Cell::Null)
    };
    let pages = |column: usize| view.rows.iter().any(|row| matches!(row[column], Cell::Page { .. }));
    // Long texts get room, so that a row does not become a tower of letters on a narrow screen.
    let longest = |column: usize| view.rows.iter().map(|row| length(&row[column])).max().unwrap_or(0);
    let class = |column: usize| match (numeric(column), pages(column), longest(column)) {
        (true, ..) => " class=\"n\"",
        (_, _, 61..) => " class=\"w\"",
        (_, true, _) | (_, _, 12..) => " class=\"p\"",
        _ => "",
    };
    let class: Vec<&str> = (0..view.columns.len()).map(class).collect();
    out.push_str("<div class=\"scroll\"><table class=\"sortable\">\n<thead><tr>");
    for (name, class) in view.columns.iter().zip(&class) {
        let _ = write!(out, "<th scope=\"col\"{class}><button type=\"button\" disabled>{}</button></th>", escape(name));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &view.rows {
        out.push_str("<tr>");
        for (value, class) in row.iter().zip(&class) {
            match value {
                Cell::Int(n) => drop(write!(out, "<td{class} data-v=\"{n}\">")),
                Cell::Float(x) if x.is_finite() => drop(write!(out, "<td{class} data-v=\"{x:e}\">")),
                _ => drop(write!(out, "<td{class}>")),
            }
            cell(out, value);
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

/// Characters of a cell's text; not of a page, which has its own class.
fn length(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) | Cell::File { name: text, .. } => text.chars().count(),
        _ => 0,
    }
}

/// Counts by row and column: columns are numbered, their names stand in a list below; the darker, the more (by the
/// logarithm).
pub(super) fn matrix(out: &mut String, matrix: &Matrix) {
    if matrix.rows.is_empty() || matrix.columns.is_empty() {
        out.push_str(EMPTY);
        return;
    }
    let most = matrix.counts.iter().flatten().copied().max().unwrap_or(0);
    let shade = |count: u64| ((count as f64).ln_1p() / (most.max(1) as f64).ln_1p() * 9.0).ceil() as u32;
    out.push_str("<div class=\"scroll\"><table class=\"matrix\">\n<thead><tr><th scope=\"col\">from \\ to</th>");
    for (number, name) in matrix.columns.iter().enumerate() {
        let _ = write!(out, "<th scope=\"col\" class=\"n\" title=\"{}\">{}</th>", escape(name), number + 1);
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (name, counts) in matrix.rows.iter().zip(&matrix.counts) {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(name));
        for (count, column) in counts.iter().zip(&matrix.columns) {
            let title = format!("{name} → {column}: {}", crate::report::grouped(*count as i64));
            let text = if *count == 0 { String::new() } else { compact(*count) };
            let _ = write!(out, "<td class=\"n s{}\" title=\"{}\">{text}</td>", shade(*count), escape(&title));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n<ol class=\"legend\">\n");
    for name in &matrix.columns {
        let _ = writeln!(out, "<li>{}</li>", escape(name));
    }
    out.push_str("</ol>\n");
}

/// A count in at most four characters: 999, 1.2k, 12k, 123k, 1.2M.
fn compact(count: u64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    for (size, unit) in UNITS {
        let scaled = count as f64 / size;
        if scaled >= 0.9995 {
            return if scaled < 9.95 { format!("{scaled:.1}{unit}") } else { format!("{scaled:.0}{unit}") };
        }
    }
    count.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short_and_round_up_to_the_next_unit() {
        let pairs = [
            (0, "0"),
            (999, "999"),
            (1000, "1.0k"),
            (9_949, "9.9k"),
            (9_951, "10k"),
            (999_499, "999k"),
            (999_999, "1.0M"),
        ];
        for (count, wanted) in pairs {
            assert_eq!(compact(count), wanted);
        }
    }
}
