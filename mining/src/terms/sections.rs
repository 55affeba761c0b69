//! What the page and the summary of `mine terms` show.

use anyhow::Result;

use super::collocations::{self, Collocation};
use super::tables::Totals;
use super::trends::{Trend, Trends};
use super::whole::Summed;
use crate::findings::{Bar, Body, Cell, Fact, Findings, LogLog, Section, Series, View};
use crate::spill::List;

/// Bars that the chart shows.
const BARS: usize = 30;
/// Points that the rank-frequency plot shows, spread evenly over the logarithm of the rank.
const POINTS: usize = 400;
/// Rows of the page's table.
const ROWS: usize = 200;

/// Terms that the page and a summary of so many rows show.
pub fn shown(rows: usize) -> usize {
    rows.max(ROWS)
}

/// Ranks of the plot, of so many terms.
pub fn ranks(terms: usize) -> impl Iterator<Item = usize> {
    spread(terms, POINTS)
}

/// Facts, sections and a summary of so many rows; no tables yet.
pub fn describe(counts: &Summed, totals: &Totals, pairs: &List<3>, trends: &Trends, rows: usize) -> Result<Findings> {
    let pairs = collocations::first(counts, pairs, ROWS)?;
    let mut sections = vec![top(totals), rank_frequency(totals), table(totals, counts.documents), together(&pairs)];
    if let Some(split) = trends.split {
        let [rising, falling] = trends.first(counts, ROWS / 2)?;
        sections.push(changes("Rising terms", &rising, &split.to_string()));
        sections.push(changes("Falling terms", &falling, &split.to_string()));
    }
    Ok(Findings {
        facts: vec![
            Fact::count("documents", counts.documents as usize),
            Fact::count("distinct terms", totals.count),
            Fact::count("occurrences", counts.occurrences as usize),
        ],
        sections,
        summary: view(totals, counts.documents, rows),
        ..Findings::default()
    })
}

fn together(pairs: &[Collocation<'_>]) -> Section {
    let rows = pairs.iter().map(|pair| {
        vec![
            Cell::Text(format!("{} {}", pair.first, pair.second)),
            Cell::count(pair.count as usize),
            Cell::Float(pair.llr),
        ]
    });
    Section {
        title: "Collocations".to_owned(),
        note: "Pairs of neighbours that stand together more often than by chance. LLR: log-likelihood ratio (Dunning 1993); \
               above 10.83 the odds against chance are 1,000 to 1."
            .to_owned(),
        body: Body::Table(View { columns: vec!["pair", "count", "LLR"], rows: rows.collect() }),
    }
}

fn changes(title: &str, terms: &[Trend<'_>], split: &str) -> Section {
    let rows = terms.iter().map(|trend| {
        vec![
            Cell::Text(trend.term.clone().into_owned()),
            Cell::count(trend.before as usize),
            Cell::count(trend.after as usize),
            Cell::Float(trend.llr),
        ]
    });
    Section {
        title: title.to_owned(),
        note: format!(
            "before: occurrences in the fetches before {split}; after: in those from that day on. LLR: log-likelihood \
             ratio of the change of the term's share."
        ),
        body: Body::Table(View { columns: vec!["term", "before", "after", "LLR"], rows: rows.collect() }),
    }
}

fn top(totals: &Totals) -> Section {
    let bars = totals.first.iter().take(BARS).map(|total| Bar {
        label: Cell::Text(total.term.clone()),
        value: total.tally.tf as f64,
        text: crate::report::grouped(total.tally.tf as i64),
    });
    Section {
        title: format!("The {} most frequent terms", totals.count.min(BARS)),
        note: "Occurrences over all languages (tf).".to_owned(),
        body: Body::Bars(bars.collect()),
    }
}

fn rank_frequency(totals: &Totals) -> Section {
    Section {
        title: "Rank and frequency".to_owned(),
        note: "Each point is a term: its rank by frequency and its occurrences, both axes logarithmic. In natural \
               language the points lie near a falling straight line (Zipf's law)."
            .to_owned(),
        body: Body::LogLog(LogLog {
            x: "rank".to_owned(),
            y: "occurrences".to_owned(),
            series: vec![Series { name: "terms".to_owned(), points: totals.points.clone() }],
        }),
    }
}

fn table(totals: &Totals, documents: u64) -> Section {
    Section {
        title: "Terms".to_owned(),
        note: "tf: occurrences; df: documents that hold the term, and df % of all documents. The Parquet file has all terms, by language."
            .to_owned(),
        body: Body::Table(view(totals, documents, ROWS)),
    }
}

fn view(totals: &Totals, documents: u64, rows: usize) -> View {
    let rows = totals.first.iter().take(rows).enumerate().map(|(i, total)| {
        let share = 100.0 * total.tally.df as f64 / documents.max(1) as f64;
        vec![
            Cell::count(i + 1),
            Cell::Text(total.term.clone()),
            Cell::Int(total.tally.tf as i64),
            Cell::Int(total.tally.df as i64),
            Cell::Float((share * 10.0).round() / 10.0),
        ]
    });
    View { columns: vec!["rank", "term", "tf", "df", "df %"], rows: rows.collect() }
}

/// At most `wanted` of the numbers below `len`, the first and the last among them, even on a logarithmic scale.
fn spread(len: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let step = (len.max(1) as f64).ln() / (wanted - 1) as f64;
    let mut numbers: Vec<usize> =
        (0..wanted).map(|i| ((i as f64 * step).exp().round() as usize).clamp(1, len.max(1)) - 1).collect();
    numbers.dedup();
    numbers.into_iter().filter(move |&i| i < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_both_ends_and_no_number_twice() {
        for len in [1, 2, 10, 399, 400, 401, 1_000_000] {
            let numbers: Vec<usize> = spread(len, 400).collect();
            assert_eq!((numbers[0], numbers[numbers.len() - 1]), (0, len - 1));
            assert!(numbers.windows(2).all(|w| w[0] < w[1]) && numbers.len() <= 400);
        }
        assert_eq!(spread(0, 400).count(), 0);
    }
}
