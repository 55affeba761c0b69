//! What the page and the summary of `mine terms` show.

use super::collocations::Collocation;
use super::tables::Total;
use super::trends::Trends;
use super::whole::Summed;
use crate::findings::{Bar, Body, Cell, Fact, Findings, LogLog, Section, Series, View};

/// Bars that the chart shows.
const BARS: usize = 30;
/// Points that the rank-frequency plot shows, spread evenly over the logarithm of the rank.
const POINTS: usize = 400;
/// Rows of the page's table.
const ROWS: usize = 200;

/// Facts, sections and a summary of so many rows; no tables yet.
pub fn describe(
    counts: &Summed,
    totals: &[Total<'_>],
    pairs: &[Collocation<'_>],
    trends: &Trends<'_>,
    rows: usize,
) -> Findings {
    let mut sections = vec![top(totals), rank_frequency(totals), table(totals, counts.documents), collocations(pairs)];
    sections.extend(changes(trends));
    Findings {
        facts: vec![
            Fact::count("documents", counts.documents as usize),
            Fact::count("distinct terms", totals.len()),
            Fact::count("occurrences", counts.occurrences as usize),
        ],
        sections,
        summary: view(totals, counts.documents, rows),
        ..Findings::default()
    }
}

fn collocations(pairs: &[Collocation<'_>]) -> Section {
    let rows = pairs.iter().take(ROWS).map(|pair| {
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

fn changes(trends: &Trends<'_>) -> Vec<Section> {
    let Some(split) = trends.split else { return Vec::new() };
    let section = |title: &str, rises: bool| {
        let terms = trends.terms.iter().filter(|trend| (trend.llr > 0.0) == rises && trend.llr != 0.0);
        let rows = terms.take(ROWS / 2).map(|trend| {
            vec![
                Cell::Text(trend.term.to_owned()),
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
    };
    vec![section("Rising terms", true), section("Falling terms", false)]
}

fn top(totals: &[Total<'_>]) -> Section {
    let bars = totals.iter().take(BARS).map(|total| Bar {
        label: Cell::Text(total.term.to_owned()),
        value: total.tally.tf as f64,
        text: crate::report::grouped(total.tally.tf as i64),
    });
    Section {
        title: format!("The {} most frequent terms", totals.len().min(BARS)),
        note: "Occurrences over all languages (tf).".to_owned(),
        body: Body::Bars(bars.collect()),
    }
}

fn rank_frequency(totals: &[Total<'_>]) -> Section {
    let points = spread(totals.len(), POINTS).map(|i| ((i + 1) as f64, totals[i].tally.tf as f64)).collect();
    Section {
        title: "Rank and frequency".to_owned(),
        note: "Each point is a term: its rank by frequency and its occurrences, both axes logarithmic. In natural \
               language the points lie near a falling straight line (Zipf's law)."
            .to_owned(),
        body: Body::LogLog(LogLog {
            x: "rank".to_owned(),
            y: "occurrences".to_owned(),
            series: vec![Series { name: "terms".to_owned(), points }],
        }),
    }
}

fn table(totals: &[Total<'_>], documents: u64) -> Section {
    Section {
        title: "Terms".to_owned(),
        note: "tf: occurrences; df: documents that hold the term, and df % of all documents. The Parquet file has all terms, by language."
            .to_owned(),
        body: Body::Table(view(totals, documents, ROWS)),
    }
}

fn view(totals: &[Total<'_>], documents: u64, rows: usize) -> View {
    let rows = totals.iter().take(rows).enumerate().map(|(i, total)| {
        let share = 100.0 * total.tally.df as f64 / documents.max(1) as f64;
        vec![
            Cell::count(i + 1),
            Cell::Text(total.term.to_owned()),
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
