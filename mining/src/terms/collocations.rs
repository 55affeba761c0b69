//! Collocations: pairs of neighbours that stand together more often than by chance.

use std::sync::Arc;

use anyhow::Result;
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::tables;
use super::whole::Summed;
use crate::findings::Table;
use crate::miner::TableSpec;
use crate::spill::{List, Room, Sorter};

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

/// Pairs with at least so many occurrences that attract each other, strongest first: the ratio with its bits turned, the places
/// of the words (as one number), the occurrences.
pub fn find(counts: &Summed, min_count: u32, room: &Room) -> Result<List<3>> {
    // By word: occurrences as the first and as the second of a pair.
    let mut margins = vec![[0u64; 2]; counts.words.len()];
    let mut total = 0;
    counts.pairs(|first, second, count| {
        margins[first as usize][0] += count;
        margins[second as usize][1] += count;
        total += count;
        Ok(())
    })?;
    let mut found = Sorter::<3, 2>::new(room);
    counts.pairs(|first, second, count| {
        let (row, column) = (margins[first as usize][0], margins[second as usize][1]);
        let attract = (count as f64) * (total as f64) > (row as f64) * (column as f64);
        if count < u64::from(min_count) || !attract {
            return Ok(());
        }
        let llr = ratio([count, row - count, column - count, total + count - row - column]);
        found.push([descending(llr), u64::from(first) << 32 | u64::from(second), count])
    })?;
    found.list()
}

/// A number that is the smaller the greater the ratio is: the bits of floating-point numbers from 0 up are in their order.
pub fn descending(ratio: f64) -> u64 {
    !(ratio + 0.0).to_bits()
}

/// The ratio again.
pub fn ascending(number: u64) -> f64 {
    f64::from_bits(!number)
}

/// Log-likelihood ratio of a two-by-two table, row by row: 2 (H(table) - H(rows) - H(columns)), where H sums k ln (k / n).
pub fn ratio(cells: [u64; 4]) -> f64 {
    let x_log_x = |x: u64| if x == 0 { 0.0 } else { x as f64 * (x as f64).ln() };
    let [a, b, c, d] = cells;
    let table: f64 = cells.into_iter().map(x_log_x).sum();
    let margins = x_log_x(a + b) + x_log_x(c + d) + x_log_x(a + c) + x_log_x(b + d);
    (2.0 * (table - margins + x_log_x(a + b + c + d))).max(0.0)
}

fn pair<'a>(counts: &'a Summed, &[llr, words, count]: &[u64; 3]) -> Collocation<'a> {
    let word = |place: u64| &*counts.words[place as u32 as usize];
    Collocation { first: word(words >> 32), second: word(words), count, llr: ascending(llr) }
}

/// The first of them.
pub fn first<'a>(counts: &'a Summed, found: &List<3>, most: usize) -> Result<Vec<Collocation<'a>>> {
    let mut reader = found.reader()?;
    let mut pairs = Vec::new();
    while pairs.len() < most
        && let Some(record) = reader.next()?
    {
        pairs.push(pair(counts, &record));
    }
    Ok(pairs)
}

/// Table `collocations`.
pub fn table(spec: &'static TableSpec, counts: &Arc<Summed>, found: List<3>) -> Table {
    let counts = Arc::clone(counts);
    tables::in_pieces(spec, move || found.reader(), move |rows| frame(&counts, rows))
}

fn frame(counts: &Summed, rows: &[[u64; 3]]) -> Result<DataFrame> {
    let pairs: Vec<Collocation<'_>> = rows.iter().map(|row| pair(counts, row)).collect();
    let columns = vec![
        Series::new("first".into(), pairs.iter().map(|c| c.first).collect::<Vec<_>>()).into(),
        Series::new("second".into(), pairs.iter().map(|c| c.second).collect::<Vec<_>>()).into(),
        Series::new("count".into(), pairs.iter().map(|c| c.count as i64).collect::<Vec<_>>()).into(),
        Series::new("llr".into(), pairs.iter().map(|c| c.llr).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(rows.len(), columns)?)
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
    fn ratios_are_ordered_by_their_numbers() {
        let numbers = [1e300, 2.0, 1.5, 1e-300, 0.0].map(descending);
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((ascending(numbers[2]), descending(-0.0)), (1.5, numbers[4]));
    }

    #[test]
    fn only_pairs_that_attract_each_other_are_found() {
        let mut counts = Counts::of_day("2026-11-21");
        for (first, second, count) in
            [("new", "york", 12), ("new", "car", 2), ("old", "car", 20), ("old", "york", 1), ("new", "york", 8)]
        {
            let (first, second) = (counts.words.number(first), counts.words.number(second));
            counts.pairs.push((first, second, count));
        }
        let dir = tempfile::tempdir().unwrap();
        let counts = summed(&[counts], 16, dir.path());
        let room = Room::new(16, archive::DataDir::new(dir.path()));
        let found = find(&counts, 2, &room).unwrap();
        let found = first(&counts, &found, 9).unwrap();
        assert_eq!(
            found.iter().map(|c| (c.first, c.second, c.count)).collect::<Vec<_>>(),
            [("new", "york", 20), ("old", "car", 20)]
        );
        assert!(found[0].llr > 10.0);
    }
}
