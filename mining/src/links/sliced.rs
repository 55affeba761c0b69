//! Rows of numbers, to be summed many times.
//!
//! Most rows are short, and a loop of unforeseen length costs more than what it adds. So rows are sorted by their length, and eight
//! of nearly the same stand interleaved: their sums do not wait for one another, and no branch depends on a row's end (Kreutzer,
//! Hager, Wellein, Fehske, Bishop 2014: "A unified sparse matrix data format for efficient general sparse matrix-vector
//! multiplication on modern processors with wide SIMD units"). Each row is summed in its order.

use std::cmp::Reverse;

/// Rows that are summed side by side.
const LANES: usize = 8;

/// Rows by length, the longest first, in slices of [`LANES`] rows; those without numbers are left out.
#[derive(Debug)]
pub struct Sliced {
    /// By slice: as many numbers of each row as the shortest has, those of one place one behind the other; then what is left of
    /// each row.
    numbers: Vec<u32>,
    /// Rows, each with its length.
    rows: Vec<(u32, u32)>,
}

impl Sliced {
    /// Of rows that stand one behind the other, with their lengths.
    pub fn new(lengths: &[u32], rows: &[u32]) -> Sliced {
        let mut from = 0;
        let mut order = Vec::new();
        for (row, &length) in (0..).zip(lengths) {
            if length > 0 {
                order.push((row, &rows[from..from + length as usize]));
            }
            from += length as usize;
        }
        order.sort_by_key(|(_, numbers)| Reverse(numbers.len()));
        let mut numbers = Vec::with_capacity(rows.len());
        for slice in order.chunks(LANES) {
            let common = if slice.len() < LANES { 0 } else { slice[LANES - 1].1.len() };
            (0..common).for_each(|place| numbers.extend(slice.iter().map(|(_, row)| row[place])));
            slice.iter().for_each(|(_, row)| numbers.extend_from_slice(&row[common..]));
        }
        Sliced { numbers, rows: order.iter().map(|(row, numbers)| (*row, numbers.len() as u32)).collect() }
    }

    /// Adds to each `sums[row]` the values of the row's numbers.
    pub fn sums(&self, values: &[f64], sums: &mut [f64]) {
        let mut numbers = &self.numbers[..];
        for slice in self.rows.chunks(LANES) {
            let common = if slice.len() < LANES { 0 } else { slice[LANES - 1].1 as usize };
            let (side_by_side, later) = numbers.split_at(common * LANES);
            numbers = later;
            let mut lanes = [0.0; LANES];
            for eight in side_by_side.as_chunks::<LANES>().0 {
                for (sum, &number) in lanes.iter_mut().zip(eight) {
                    *sum += values[number as usize];
                }
            }
            for (mut sum, &(row, length)) in lanes.into_iter().zip(slice) {
                if length as usize > common {
                    let (tail, later) = numbers.split_at(length as usize - common);
                    numbers = later;
                    sum = tail.iter().fold(sum, |sum, &number| sum + values[number as usize]);
                }
                sums[row as usize] += sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_are_those_of_the_rows_in_their_order(rows in prop::collection::vec(prop::collection::vec(0u32..50, 0..30), 0..40)) {
            let values: Vec<f64> = (0..50).map(|v| 1.0 / f64::from(v + 3)).collect();
            let lengths: Vec<u32> = rows.iter().map(|row| row.len() as u32).collect();
            let mut found = vec![0.0; rows.len()];
            Sliced::new(&lengths, &rows.concat()).sums(&values, &mut found);
            let wanted: Vec<f64> = rows.iter().map(|row| row.iter().fold(0.0, |sum, &v| sum + values[v as usize])).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
