//! From counts to tables: sorted by frequency, then by name, so that equal counts give equal bytes.

use anyhow::{Context, Result};
use archive::Day;
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series};
use rayon::prelude::ParallelSliceMut;

use super::count::{Axis, Counts, Tally};

/// A term over all languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total<'a> {
    /// The term.
    pub term: &'a str,
    /// Occurrences and documents.
    pub tally: Tally,
}

/// Counts with terms and groups in alphabetical order.
#[derive(Debug)]
pub struct Ranked<'a> {
    counts: &'a Counts,
    /// Terms, ascending.
    terms: Vec<&'a str>,
    /// Place in `terms` by number.
    term_ranks: Vec<u32>,
    /// Groups, ascending by axis and name.
    groups: Vec<(Axis, &'a str)>,
    group_ranks: Vec<u32>,
}

struct Row {
    tally: Tally,
    term: u32,
    group: u32,
}

impl<'a> Ranked<'a> {
    /// Sorts the names.
    pub fn new(counts: &'a Counts) -> Ranked<'a> {
        let mut groups = vec![(Axis::Language, ""); counts.groups.len()];
        for ((axis, name), &number) in &counts.groups {
            groups[number as usize] = (*axis, name.as_ref());
        }
        let (terms, term_ranks) = sorted(counts.terms.texts());
        let (groups, group_ranks) = sorted(groups);
        Ranked { counts, terms, term_ranks, groups, group_ranks }
    }

    /// Columns `term`, name of the group, `tf`, `df`; for the axes of hosts and days the group comes first.
    pub fn table(&self, axis: Axis) -> Result<DataFrame> {
        let mut rows: Vec<Row> = Vec::new();
        for (&(term, group), &tally) in &self.counts.tallies {
            let group = self.group_ranks[group as usize];
            if self.groups[group as usize].0 == axis {
                rows.push(Row { tally, term: self.term_ranks[term as usize], group });
            }
        }
        rows.par_sort_unstable_by_key(|row| (std::cmp::Reverse(row.tally.tf), row.term, row.group));
        let term = Column::from(Series::new(
            "term".into(),
            rows.iter().map(|row| self.terms[row.term as usize]).collect::<Vec<_>>(),
        ));
        let tf = Column::from(Series::new("tf".into(), rows.iter().map(|row| row.tally.tf as i64).collect::<Vec<_>>()));
        let df = Column::from(Series::new("df".into(), rows.iter().map(|row| row.tally.df as i64).collect::<Vec<_>>()));
        let names = rows.iter().map(|row| self.groups[row.group as usize].1);
        let columns = match axis {
            Axis::Language => vec![term, Series::new("lang".into(), names.collect::<Vec<_>>()).into(), tf, df],
            Axis::Host => vec![Series::new("host".into(), names.collect::<Vec<_>>()).into(), term, tf, df],
            Axis::Day => vec![days(names)?, term, tf, df],
        };
        Ok(DataFrame::new(rows.len(), columns)?)
    }

    /// Days with terms, ascending.
    pub fn days(&self) -> Result<Vec<Day>> {
        let days = self.groups.iter().filter(|(axis, _)| *axis == Axis::Day);
        Ok(days.map(|(_, name)| name.parse()).collect::<Result<_, _>>()?)
    }

    /// Calls `take` with the occurrences of each term on each day, in no order.
    pub fn each_day(&self, mut take: impl FnMut(Day, &'a str, u64)) -> Result<()> {
        let mut days: Vec<Option<Day>> = Vec::with_capacity(self.groups.len());
        for (axis, name) in &self.groups {
            days.push(if *axis == Axis::Day { Some(name.parse()?) } else { None });
        }
        for (&(term, group), tally) in &self.counts.tallies {
            if let Some(day) = days[self.group_ranks[group as usize] as usize] {
                take(day, self.terms[self.term_ranks[term as usize] as usize], tally.tf);
            }
        }
        Ok(())
    }

    /// Terms over all languages, the most frequent first.
    pub fn totals(&self) -> Vec<Total<'a>> {
        let mut tallies = vec![Tally::default(); self.terms.len()];
        for (&(term, group), tally) in &self.counts.tallies {
            if self.groups[self.group_ranks[group as usize] as usize].0 == Axis::Language {
                let sum = &mut tallies[self.term_ranks[term as usize] as usize];
                sum.tf += tally.tf;
                sum.df += tally.df;
            }
        }
        let mut totals: Vec<Total<'a>> = self
            .terms
            .iter()
            .zip(tallies)
            .map(|(&term, tally)| Total { term, tally })
            .filter(|t| t.tally.tf > 0)
            .collect();
        // Stable, and the terms stand in alphabetical order.
        totals.par_sort_by_key(|total| std::cmp::Reverse(total.tally.tf));
        totals
    }
}

/// Sorts items; gives them and the place of each by its old number.
fn sorted<T: Ord + Copy + Send>(items: Vec<T>) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<(T, u32)> = items.into_iter().zip(0..).collect();
    order.par_sort_unstable();
    let mut ranks = vec![0; order.len()];
    for (rank, (_, number)) in (0..).zip(&order) {
        ranks[*number as usize] = rank;
    }
    (order.into_iter().map(|(item, _)| item).collect(), ranks)
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
