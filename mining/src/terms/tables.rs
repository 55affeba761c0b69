//! From counts to tables: sorted by frequency, then by name, so that equal counts give equal bytes.

use std::sync::Arc;

use anyhow::{Context, Result};
use archive::Day;
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series};
use rayon::prelude::ParallelSliceMut;

use super::count::{Axis, Tally};
use super::whole::Summed;
use crate::findings::Table;
use crate::miner::TableSpec;
use crate::spill::{Reader, Room, Sorter};

/// Rows that are made at once, and become a row group.
const PIECE: usize = 1 << 18;

/// A term over all languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total<'a> {
    /// The term.
    pub term: &'a str,
    /// Occurrences and documents.
    pub tally: Tally,
}

/// Terms over all languages, the most frequent first.
pub fn totals(counts: &Summed) -> Result<Vec<Total<'_>>> {
    let mut tallies = vec![Tally::default(); counts.terms.len()];
    counts.tallies(|group, term, tally| {
        if counts.groups[group as usize].0 == Axis::Language {
            let sum = &mut tallies[term as usize];
            sum.tf += tally.tf;
            sum.df += tally.df;
        }
        Ok(())
    })?;
    let totals = counts.terms.iter().zip(tallies).map(|(term, tally)| Total { term, tally });
    let mut totals: Vec<Total<'_>> = totals.filter(|total| total.tally.tf > 0).collect();
    // Stable, and the terms stand in alphabetical order.
    totals.par_sort_by_key(|total| std::cmp::Reverse(total.tally.tf));
    Ok(totals)
}

/// A table with columns `term`, name of the group, `tf`, `df`; for the axes of hosts and days the group comes first. Its rows
/// are sorted when it is written.
pub fn table(spec: &'static TableSpec, counts: &Arc<Summed>, axis: Axis, room: &Room) -> Table {
    let (counts, room) = (Arc::clone(counts), room.clone());
    let mut rows: Option<Reader<3>> = None;
    Table::in_pieces(spec, move || {
        let rows = match &mut rows {
            Some(rows) => rows,
            None => rows.insert(sorted(&counts, axis, &room)?),
        };
        let mut piece = Vec::new();
        while piece.len() < PIECE
            && let Some(row) = rows.next()?
        {
            piece.push(row);
        }
        if piece.is_empty() { Ok(None) } else { frame(&counts, axis, &piece).map(Some) }
    })
}

/// Rows of an axis: tf with its bits turned, so that the greatest comes first; places of term and group; df.
fn sorted(counts: &Summed, axis: Axis, room: &Room) -> Result<Reader<3>> {
    let mut rows = Sorter::<3, 2>::new(room);
    counts.tallies(|group, term, tally| {
        if counts.groups[group as usize].0 == axis {
            rows.push([!tally.tf, u64::from(term) << 32 | u64::from(group), tally.df])?;
        }
        Ok(())
    })?;
    rows.list()?.reader()
}

fn frame(counts: &Summed, axis: Axis, rows: &[[u64; 3]]) -> Result<DataFrame> {
    let term = rows.iter().map(|row| &*counts.terms[(row[1] >> 32) as usize]).collect::<Vec<&str>>();
    let term = Column::from(Series::new("term".into(), term));
    let tf = Column::from(Series::new("tf".into(), rows.iter().map(|row| !row[0] as i64).collect::<Vec<_>>()));
    let df = Column::from(Series::new("df".into(), rows.iter().map(|row| row[2] as i64).collect::<Vec<_>>()));
    let names = rows.iter().map(|row| &*counts.groups[(row[1] & u64::from(u32::MAX)) as usize].1);
    let columns = match axis {
        Axis::Language => vec![term, Series::new("lang".into(), names.collect::<Vec<&str>>()).into(), tf, df],
        Axis::Host => vec![Series::new("host".into(), names.collect::<Vec<&str>>()).into(), term, tf, df],
        Axis::Day => vec![days(names)?, term, tf, df],
    };
    Ok(DataFrame::new(rows.len(), columns)?)
}

fn days<'a>(names: impl Iterator<Item = &'a str>) -> Result<Column> {
    let epoch = chrono::NaiveDate::default();
    let days: Vec<i32> = names
        .map(|name| {
            let day: Day = name.parse()?;
            i32::try_from((day.0 - epoch).num_days()).context("day out of range")
        })
        .collect::<Result<_>>()?;
    Ok(Column::from(Series::new("day".into(), days).cast(&DataType::Date)?))
}
