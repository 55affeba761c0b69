//! Collocations: pairs of neighbours that stand together more often than by chance.

use anyhow::Result;
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::whole::Summed;

/// A pair of words.
#[derive(Debug, Clone, PartialEq)]
pub struct Collocation<'a> {
    /// First word.
    pub first: &'a str,
    /// The word after it.
    pub second: &'a str,
    /// Occurrences.
    pub count: u64,
    /// Log-likelihood ratio.
    pub llr: f64,
}

/// Pairs with at least so many occurrences that attract each other, strongest first.
pub fn find(counts: &Summed, min_count: u32) -> Result<Vec<Collocation<'_>>> {
    // By word: occurrences as the first and as the second of a pair.
    let mut margins = vec![[0u64; 2]; counts.terms.len()];
    let (mut pairs, mut total) = (Vec::new(), 0);
    counts.pairs(|first, second, count| {
        margins[first as usize][0] += count;
        margins[second as usize][1] += count;
        total += count;
        if count >= u64::from(min_count) {
            pairs.push((first, second, count));
        }
    })?;
    let rated = pairs.into_iter().filter_map(|(first, second, count)| {
        let (row, column) = (margins[first as usize][0], margins[second as usize][1]);
        let attract = (count as f64) * (total as f64) > (row as f64) * (column as f64);
        let llr = ratio([count, row - count, column - count, total + count - row - column]);
        let (first, second) = (&*counts.terms[first as usize], &*counts.terms[second as usize]);
        attract.then_some(Collocation { first, second, count, llr })
    });
    let mut found: Vec<Collocation<'_>> = rated.collect();
    found.sort_unstable_by(|a, b| b.llr.total_cmp(&a.llr).then((a.first, a.second).cmp(&(b.first, b.second))));
    Ok(found)
}

/// Log-likelihood ratio of a two-by-two table, row by row: 2 (H(table) - H(rows) - H(columns)), where H sums k ln (k / n).
pub fn ratio(cells: [u64; 4]) -> f64 {
    let x_log_x = |x: u64| if x == 0 { 0.0 } else { x as f64 * (x as f64).ln() };
    let [a, b, c, d] = cells;
    let table: f64 = cells.into_iter().map(x_log_x).sum();
    let margins = x_log_x(a + b) + x_log_x(c + d) + x_log_x(a + c) + x_log_x(b + d);
    (2.0 * (table - margins + x_log_x(a + b + c + d))).max(0.0)
}

/// Table `collocations`.
pub fn table(found: &[Collocation<'_>]) -> Result<DataFrame> {
    let columns = vec![
        Series::new("first".into(), found.iter().map(|c| c.first).collect::<Vec<_>>()).into(),
        Series::new("second".into(), found.iter().map(|c| c.second).collect::<Vec<_>>()).into(),
        Series::new("count".into(), found.iter().map(|c| c.count as i64).collect::<Vec<_>>()).into(),
        Series::new("llr".into(), found.iter().map(|c| c.llr).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(found.len(), columns)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::count::Counts;
    use super::super::whole::tests::summed;
    use super::*;

    #[test]
    fn the_ratio_is_that_of_dunnings_paper() {
        // Dunning 1993, table 2: "the swiss" has 270.72 with these counts.
        assert!((ratio([110, 2442, 111, 29114]) - 270.72).abs() < 0.01);
        assert!(ratio([10, 90, 100, 900]).abs() < 1e-9, "independent words");
        assert!(ratio([0, 0, 0, 0]) == 0.0);
    }

    #[test]
    fn only_pairs_that_attract_each_other_are_found() {
        let mut counts = Counts::default();
        for (first, second, count) in [("new", "york", 20), ("new", "car", 2), ("old", "car", 20), ("old", "york", 1)] {
            let pair = (counts.terms.number(first), counts.terms.number(second));
            counts.pairs.insert(pair, count);
        }
        let dir = tempfile::tempdir().unwrap();
        let counts = summed(&[counts], 16, dir.path());
        let found = find(&counts, 2).unwrap();
        assert_eq!(
            found.iter().map(|c| (c.first, c.second, c.count)).collect::<Vec<_>>(),
            [("new", "york", 20), ("old", "car", 20)]
        );
        assert!(found[0].llr > 10.0);
    }
}
