//! Tables as CSV (RFC 4180, UTF-8), with cells that a spreadsheet would run as formulas made harmless.

use std::borrow::Cow;
use std::path::Path;

use anyhow::Result;
use polars::prelude::DataFrame;

/// Writes a table. Numbers and days stand as they are; text goes through [`defused`].
pub fn write(path: &Path, frame: &DataFrame) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_path(path)?;
    writer.write_record(frame.get_column_names().iter().map(|name| name.as_str()))?;
    for row in 0..frame.height() {
        for column in frame.columns() {
            let value = column.get(row)?;
            match value.get_str() {
                Some(text) => writer.write_field(defused(text).as_bytes())?,
                None if value.is_null() => writer.write_field("")?,
                None => writer.write_field(value.to_string())?,
            }
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()?;
    Ok(())
}

/// The text with a `'` before it when a spreadsheet would take it for a formula: when it begins with `=`, `+`, `-`, `@`, a
/// tab or a carriage return (OWASP, "CSV Injection").
pub fn defused(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use polars::prelude::{Column, NamedFrom, PlSmallStr, Scalar, Series};

    use super::*;

    #[test]
    fn cells_that_would_run_are_defused_and_all_others_are_as_they_were() {
        let texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "a=b", "a,\"b\"\n", "", "'=1"];
        let column = Series::new("=head".into(), &texts);
        let numbers = Series::new("n".into(), &[-1i64, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let same = Column::new_scalar("same".into(), Scalar::from(PlSmallStr::from("=same")), texts.len());
        let frame = DataFrame::new(texts.len(), vec![Column::from(column), Column::from(numbers), same]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        write(&path, &frame).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let cells: Vec<&str> = rows.iter().map(|row| &row[0]).collect();
        assert_eq!(cells, ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", "a=b", "a,\"b\"\n", "", "'=1"]);
        assert_eq!((&rows[0][1], &rows[0][2]), ("-1", "'=same"), "a number is no formula");
    }
}
