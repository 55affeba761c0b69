//! From counts to tables: sorted by frequency, then by name, so that equal counts give equal bytes. Rows are sorted, on disk
//! where they do not fit in memory, and made piece by piece.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context, Result};
use archive::Day;
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series};

use super::count::{Axis, Tally, Term};
use super::whole::{Summed, key, unkeyed};
use crate::findings::Table;
use crate::miner::TableSpec;
use crate::spill::{Reader, Room, Sorter};

/// Rows that are made at once, and become a row group.
const PIECE: usize = 1 << 17;

/// A term over all languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The term.
    pub term: String,
    /// Occurrences and documents.
    pub tally: Tally,
}

/// Terms over all languages.
#[derive(Debug, Default)]
pub struct Totals {
    /// How many there are.
    pub count: usize,
    /// The most frequent, the first first.
    pub first: Vec<Total>,
    /// Rank (from 1) and occurrences of some of them, spread over all.
    pub points: Vec<(f64, f64)>,
}

/// Terms over all languages: the `first` most frequent, and the ranks that `chosen` picks of so many.
pub fn totals<I: Iterator<Item = usize>>(
    counts: &Summed,
    room: &Room,
    first: usize,
    chosen: impl FnOnce(usize) -> I,
) -> Result<Totals> {
    let mut rows = Sorter::<5, 4>::new(room);
    let mut found = 0;
    let mut add = |term: Term, tally: Tally| {
        if tally.tf == 0 {
            return Ok(());
        }
        found += 1;
        let [a, b, c] = key(term, 0);
        rows.push([!tally.tf, a, b, c, tally.df])
    };
    let mut last: Option<(Term, Tally)> = None;
    counts.tallies(|term, group, tally| {
        if counts.groups[group as usize].0 != Axis::Language {
            return Ok(());
        }
        match &mut last {
            Some((same, sum)) if *same == term => {
                sum.tf += tally.tf;
                sum.df += tally.df;
            }
            _ => {
                if let Some((term, tally)) = last.replace((term, tally)) {
                    add(term, tally)?;
                }
            }
        }
        Ok(())
    })?;
    if let Some((term, tally)) = last {
        add(term, tally)?;
    }
    let mut totals = Totals { count: found, ..Totals::default() };
    let (mut place, mut chosen) = (0, chosen(found).peekable());
    rows.drain(|[tf, a, b, c, df]| {
        let tally = Tally { tf: !tf, df };
        if place < first {
            totals.first.push(Total { term: counts.text(unkeyed([a, b, c]).0).into_owned(), tally });
        }
        if chosen.next_if_eq(&place).is_some() {
            totals.points.push(((place + 1) as f64, tally.tf as f64));
        }
        place += 1;
        Ok(())
    })?;
    Ok(totals)
}

/// A table with columns `term`, name of the group, `tf`, `df`; for the axes of hosts and days the group comes first. Its rows
/// are sorted when it is written.
pub fn table(spec: &'static TableSpec, counts: &Arc<Summed>, axis: Axis, room: &Room) -> Table {
    let (sorting, framing, room) = (Arc::clone(counts), Arc::clone(counts), room.clone());
    in_pieces(spec, move || sorted(&sorting, axis, &room), move |rows| frame(&framing, axis, rows))
}

/// A table of sorted records: `rows` gives them when the table is written, `frame` makes rows of some.
pub fn in_pieces<const K: usize>(
    spec: &'static TableSpec,
    rows: impl FnOnce() -> Result<Reader<K>> + 'static,
    frame: impl Fn(&[[u64; K]]) -> Result<DataFrame> + Send + Sync + 'static,
) -> Table {
    let (mut start, mut reader, frame) = (Some(rows), None, Arc::new(frame));
    Table::in_pieces(spec, move || {
        if let Some(rows) = start.take() {
            reader = Some(rows()?);
        }
        let Some(rows) = &mut reader else { return Ok(None) };
        let mut piece = Vec::new();
        while piece.len() < PIECE
            && let Some(row) = rows.next()?
        {
            piece.push(row);
        }
        if piece.is_empty() {
            // The next table needs the room.
            reader = None;
            return Ok(None);
        }
        let frame = Arc::clone(&frame);
        Ok(Some(Box::new(move || frame(&piece))))
    })
}

/// Rows of an axis: tf with its bits turned, so that the greatest comes first; term and group; df.
fn sorted(counts: &Summed, axis: Axis, room: &Room) -> Result<Reader<5>> {
    let mut rows = Sorter::<5, 4>::new(room);
    counts.tallies(|term, group, tally| {
        if counts.groups[group as usize].0 == axis {
            let [a, b, c] = key(term, group);
            rows.push([!tally.tf, a, b, c, tally.df])?;
        }
        Ok(())
    })?;
    rows.list()?.reader()
}

fn frame(counts: &Summed, axis: Axis, rows: &[[u64; 5]]) -> Result<DataFrame> {
    let keys = || rows.iter().map(|row| unkeyed([row[1], row[2], row[3]]));
    let term = keys().map(|(term, _)| counts.text(term)).collect::<Vec<Cow<'_, str>>>();
    let term = Column::from(Series::new("term".into(), term));
    let tf = Column::from(Series::new("tf".into(), rows.iter().map(|row| !row[0] as i64).collect::<Vec<_>>()));
    let df = Column::from(Series::new("df".into(), rows.iter().map(|row| row[4] as i64).collect::<Vec<_>>()));
    let names = keys().map(|(_, group)| &*counts.groups[group as usize].1);
    let columns = match axis {
        Axis::Language => vec![term, Series::new("lang".into(), names.collect::<Vec<&str>>()).into(), tf, df],
        Axis::Host => vec![Series::new("host".into(), names.collect::<Vec<&str>>()).into(), term, tf, df],
        Axis::Day => vec![days(counts, keys().map(|(_, group)| group))?, term, tf, df],
    };
    Ok(DataFrame::new(rows.len(), columns)?)
}

fn days(counts: &Summed, groups: impl Iterator<Item = u32>) -> Result<Column> {
    let epoch = chrono::NaiveDate::default();
    let number = |day: Option<Day>| day.map_or(Ok(0), |day| i32::try_from((day.0 - epoch).num_days()));
    let numbers: Vec<i32> =
        counts.days()?.into_iter().map(number).collect::<Result<_, _>>().context("day out of range")?;
    let days: Vec<i32> = groups.map(|group| numbers[group as usize]).collect();
    Ok(Column::from(Series::new("day".into(), days).cast(&DataType::Date)?))
}
