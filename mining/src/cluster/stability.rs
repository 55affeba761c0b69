//! How alike two clusterings are: the adjusted Rand index (Hubert and Arabie 1985), 1 for equal ones, about 0 by chance.

use std::collections::BTreeMap;

/// The index of two labellings of the same rows.
pub fn rand_index(a: &[u32], b: &[u32]) -> f64 {
    let pairs = |n: u64| (n * n.saturating_sub(1) / 2) as f64;
    let (mut both, mut left, mut right) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (&x, &y) in a.iter().zip(b) {
        *both.entry((x, y)).or_insert(0u64) += 1;
        *left.entry(x).or_insert(0u64) += 1;
        *right.entry(y).or_insert(0u64) += 1;
    }
    let (together, of_a, of_b): (f64, f64, f64) = (
        both.into_values().map(pairs).sum(),
        left.into_values().map(pairs).sum(),
        right.into_values().map(pairs).sum(),
    );
    let all = pairs(a.len() as u64);
    let expected = if all > 0.0 { of_a * of_b / all } else { 0.0 };
    let most = (of_a + of_b) / 2.0;
    if (most - expected).abs() < f64::EPSILON { 1.0 } else { (together - expected) / (most - expected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_scikit_learn() {
        // sklearn.metrics.adjusted_rand_score
        assert_eq!(rand_index(&[0, 0, 1, 1], &[1, 1, 0, 0]), 1.0);
        assert!((rand_index(&[0, 0, 1, 2], &[0, 0, 1, 1]) - 0.571_428_571).abs() < 1e-8);
        assert!((rand_index(&[0, 0, 1, 1], &[0, 1, 0, 1]) + 0.5).abs() < 1e-12);
        assert_eq!(rand_index(&[], &[]), 1.0);
    }
}
