//! Trends: terms whose share of all terms has changed between two spans.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Result;
use archive::{Day, Span};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::collocations::{ascending, descending, ratio};
use super::count::Term;
use super::tables;
use super::whole::{Summed, key, unkeyed};
use crate::findings::Table;
use crate::miner::TableSpec;
use crate::spill::{List, Room, Sorter};

/// Terms, most changed first.
#[derive(Debug)]
pub struct Trends {
    /// First day of the later span.
    pub split: Option<Day>,
    /// The ratio with its bits turned, the term (with 1 behind it where its share falls), occurrences before and after.
    terms: List<6>,
}

/// A term.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend<'a> {
    /// The term.
    pub term: Cow<'a, str>,
    /// Occurrences before the split.
    pub before: u64,
    /// Occurrences from the split on.
    pub after: u64,
    /// Log-likelihood ratio, negative where the share falls.
    pub llr: f64,
}

/// Compares the days before the split with those from it on; without a split, the halves of the span. Nothing when one side
/// has no terms.
pub fn find(counts: &Summed, span: Span, split: Option<Day>, room: &Room) -> Result<Trends> {
    let by_group = counts.days()?;
    let days: Vec<Day> = by_group.iter().flatten().copied().collect();
    let split = split.or_else(|| days.get(days.len().div_ceil(2)).copied());
    let split = split.filter(|split| span.from() < *split && *split <= span.to());
    let mut found = Sorter::<6, 4>::new(room);
    let side = |group: u32| by_group[group as usize].zip(split).map(|(day, split)| usize::from(day >= split));
    let mut totals = [0u64; 2];
    for (group, sum) in (0..).zip(&counts.sums) {
        if let Some(side) = side(group) {
            totals[side] += sum;
        }
    }
    if !totals.contains(&0) {
        let mut add = |term: Term, [before, after]: [u64; 2]| {
            let llr = ratio([before, totals[0] - before, after, totals[1] - after]);
            let falls = (before as f64) * (totals[1] as f64) > (after as f64) * (totals[0] as f64);
            let [a, b, c] = key(term, u32::from(falls));
            found.push([descending(llr), a, b, c, before, after])
        };
        let mut last: Option<(Term, [u64; 2])> = None;
        counts.tallies(|term, group, tally| {
            let Some(side) = side(group) else { return Ok(()) };
            if last.is_none_or(|(same, _)| same != term)
                && let Some((term, sides)) = last.replace((term, [0; 2]))
            {
                add(term, sides)?;
            }
            if let Some((_, sides)) = &mut last {
                sides[side] += tally.tf;
            }
            Ok(())
        })?;
        if let Some((term, sides)) = last {
            add(term, sides)?;
        }
    }
    Ok(Trends { split, terms: found.list()? })
}

fn trend<'a>(counts: &'a Summed, &[llr, a, b, c, before, after]: &[u64; 6]) -> Trend<'a> {
    let (term, falls) = unkeyed([a, b, c]);
    let llr = ascending(llr);
    Trend { term: counts.text(term), before, after, llr: if falls == 1 { -llr } else { llr } }
}

impl Trends {
    /// The first of those that rise, and of those that fall.
    pub fn first<'a>(&self, counts: &'a Summed, most: usize) -> Result<[Vec<Trend<'a>>; 2]> {
        let mut reader = self.terms.reader()?;
        let (mut rising, mut falling) = (Vec::new(), Vec::new());
        while rising.len().min(falling.len()) < most
            && let Some(record) = reader.next()?
        {
            let trend = trend(counts, &record);
            let side = if trend.llr > 0.0 { &mut rising } else { &mut falling };
            if trend.llr != 0.0 && side.len() < most {
                side.push(trend);
            }
        }
        Ok([rising, falling])
    }

    /// Table `trends`.
    pub fn table(self, spec: &'static TableSpec, counts: &Arc<Summed>) -> Table {
        let counts = Arc::clone(counts);
        tables::in_pieces(spec, move || self.terms.reader(), move |rows| frame(&counts, rows))
    }
}

fn frame(counts: &Summed, rows: &[[u64; 6]]) -> Result<DataFrame> {
    let trends: Vec<Trend<'_>> = rows.iter().map(|row| trend(counts, row)).collect();
    let columns = vec![
        Series::new("term".into(), trends.iter().map(|t| &*t.term).collect::<Vec<&str>>()).into(),
        Series::new("before".into(), trends.iter().map(|t| t.before as i64).collect::<Vec<_>>()).into(),
        Series::new("after".into(), trends.iter().map(|t| t.after as i64).collect::<Vec<_>>()).into(),
        Series::new("llr".into(), trends.iter().map(|t| t.llr).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(rows.len(), columns)?)
}
