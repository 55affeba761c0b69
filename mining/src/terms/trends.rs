//! Trends: terms whose share of all terms has changed between two spans.

use anyhow::Result;
use archive::{Day, Span};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::collocations::ratio;
use super::whole::Summed;

/// Terms, most changed first.
#[derive(Debug, Default)]
pub struct Trends<'a> {
    /// First day of the later span.
    pub split: Option<Day>,
    /// Terms.
    pub terms: Vec<Trend<'a>>,
}

/// A term.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend<'a> {
    /// The term.
    pub term: &'a str,
    /// Occurrences before the split.
    pub before: u64,
    /// Occurrences from the split on.
    pub after: u64,
    /// Log-likelihood ratio, negative where the share falls.
    pub llr: f64,
}

/// Compares the days before the split with those from it on; without a split, the halves of the span. Nothing when one side
/// has no terms.
pub fn find<'a>(counts: &'a Summed, span: Span, split: Option<Day>) -> Result<Trends<'a>> {
    let by_group = counts.days()?;
    let days: Vec<Day> = by_group.iter().flatten().copied().collect();
    let split = split.or_else(|| days.get(days.len().div_ceil(2)).copied());
    let Some(split) = split.filter(|split| span.from() < *split && *split <= span.to()) else {
        return Ok(Trends::default());
    };
    let mut terms = vec![[0u64; 2]; counts.terms.len()];
    let mut totals = [0u64; 2];
    counts.tallies(|group, term, tally| {
        if let Some(day) = by_group[group as usize] {
            let side = usize::from(day >= split);
            terms[term as usize][side] += tally.tf;
            totals[side] += tally.tf;
        }
        Ok(())
    })?;
    if totals.contains(&0) {
        return Ok(Trends { split: Some(split), terms: Vec::new() });
    }
    let rate = |(term, [before, after]): (&'a str, [u64; 2])| {
        let llr = ratio([before, totals[0] - before, after, totals[1] - after]);
        let falls = (before as f64) * (totals[1] as f64) > (after as f64) * (totals[0] as f64);
        Trend { term, before, after, llr: if falls { -llr } else { llr } }
    };
    let counted = counts.terms.iter().map(|term| &**term).zip(terms).filter(|(_, sides)| *sides != [0, 0]);
    let mut terms: Vec<Trend<'a>> = counted.map(rate).collect();
    terms.sort_by(|a, b| b.llr.abs().total_cmp(&a.llr.abs()).then(a.term.cmp(b.term)));
    Ok(Trends { split: Some(split), terms })
}

impl Trends<'_> {
    /// Table `trends`.
    pub fn table(&self) -> Result<DataFrame> {
        let columns = vec![
            Series::new("term".into(), self.terms.iter().map(|t| t.term).collect::<Vec<_>>()).into(),
            Series::new("before".into(), self.terms.iter().map(|t| t.before as i64).collect::<Vec<_>>()).into(),
            Series::new("after".into(), self.terms.iter().map(|t| t.after as i64).collect::<Vec<_>>()).into(),
            Series::new("llr".into(), self.terms.iter().map(|t| t.llr).collect::<Vec<_>>()).into(),
        ];
        Ok(DataFrame::new(self.terms.len(), columns)?)
    }
}
