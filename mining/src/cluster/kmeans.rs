//! K-means on rows of length 1: the best of some runs, for a number of clusters that is given or chosen.

use anyhow::Result;

use super::rows::Rows;
use super::run::{Measure, Run};
use super::stability::rand_index;

/// Rounds of the last run at most.
const LONG: usize = 300;
/// Numbers of clusters that are tried.
const TRIED: [usize; 11] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Rows on which numbers of clusters are tried.
const SAMPLE: usize = 4_000;
/// Clusters of rows, the largest first.
#[derive(Debug, Clone, Default)]
pub struct Clustering {
    /// Number of clusters; none is empty.
    pub k: usize,
    /// Cluster of each row.
    pub labels: Vec<u32>,
    /// Squared Euclidean distance of each row to the mean of its cluster.
    pub distances: Vec<f64>,
    /// Sum of the distances.
    pub inertia: f64,
    /// Simplified silhouette, from -1 to 1.
    pub silhouette: f64,
    /// Rounds of the last run.
    pub rounds: usize,
    /// Mean adjusted Rand index of the other starts against this one; none with a single start.
    pub stability: Option<f64>,
}

impl Clustering {
    /// Rows by cluster, nearest to the mean first, equal ones in their order.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let key = |&row: &usize| (self.labels[row], self.distances[row]);
        order.sort_by(|a, b| {
            let ((ca, da), (cb, db)) = (key(a), key(b));
            ca.cmp(&cb).then(da.total_cmp(&db))
        });
        order
    }
}

/// What was tried for a number of clusters: the number, the silhouette, the inertia.
pub type Tried = (usize, f64, f64);

/// Is called now and then, with the bytes that are wanted next; an error ends the work.
pub type Tick<'a> = &'a (dyn Fn(usize) -> Result<()> + Sync);

/// The number of clusters with the highest simplified silhouette.
pub fn choose(rows: &Rows, starts: usize, seed: u64, tick: Tick<'_>) -> Result<(Clustering, Vec<Tried>)> {
    let most = (rows.len() as f64).sqrt() as usize;
    let mut tried = Vec::new();
    let sample = rows.sample(SAMPLE)?;
    for k in TRIED.into_iter().filter(|&k| k <= most) {
        let run = Run::start(&sample, k, seed, 0, tick)?;
        tried.push((k, run.silhouette(&sample, tick)?, run.inertia(&sample)));
    }
    let best = tried.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
    Ok((cluster(rows, best.map_or(1, |best| best.0), starts, seed, tick)?, tried))
}

/// The best of some starts, carried on to its end. Fewer clusters come out where there are fewer distinct rows.
pub fn cluster(rows: &Rows, k: usize, starts: usize, seed: u64, tick: Tick<'_>) -> Result<Clustering> {
    if rows.len() == 0 {
        return Ok(Clustering::default());
    }
    // Of each start only the labels are kept: sums and centres are large.
    let mut best: Option<(f64, Vec<u32>, usize)> = None;
    let mut others = Vec::new();
    for start in 0..starts.max(1) {
        let run = Run::start(rows, k, seed, start as u64, tick)?;
        let inertia = run.inertia(rows);
        match &mut best {
            Some((least, labels, most)) if inertia < *least => {
                others.push(std::mem::replace(labels, run.labels));
                (*least, *most) = (inertia, run.k);
            }
            Some(_) => others.push(run.labels),
            None => best = Some((inertia, run.labels, run.k)),
        }
    }
    let Some((_, labels, k)) = best else { return Ok(Clustering::default()) };
    let mut run = Run::resumed(rows, k, &labels, tick)?;
    run.go_on(rows, Measure::Cosine, LONG, tick)?;
    run.go_on(rows, Measure::Euclid, LONG, tick)?;
    let others: Vec<f64> = others.iter().map(|labels| rand_index(&run.labels, labels)).collect();
    let stability = (!others.is_empty()).then(|| others.iter().sum::<f64>() / others.len() as f64);
    run.finish(rows, stability, tick)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// Rows around axes: row i lies near axis i mod `axes`.
    fn around_axes(axes: u32, count: u32) -> Rows {
        let mut rows = Rows::with_columns((axes * 2) as usize, None);
        for i in 0..count {
            let axis = i % axes;
            rows.push([(axis, 0.95f32), (axes + (i / axes) % axes, 0.3)].into_iter(), 0.0075).unwrap();
        }
        rows.finish().unwrap()
    }

    #[test]
    fn clear_clusters_are_found_and_counted() {
        let rows = around_axes(5, 200);
        let found = cluster(&rows, 5, 3, 1, &|_| Ok(())).unwrap();
        assert!((0..200).all(|i| found.labels[i] == found.labels[i % 5]), "{:?}", &found.labels[..10]);
        assert_eq!(found.k, 5);
        assert!(found.stability.unwrap() > 0.5);
        let (chosen, tried) = choose(&rows, 3, 1, &|_| Ok(())).unwrap();
        assert!(tried.len() > 5 && (4..=6).contains(&chosen.k), "{tried:?}");
    }

    #[test]
    fn the_inertia_is_the_sum_of_squared_distances_to_the_means() {
        let rows = around_axes(4, 37);
        let found = cluster(&rows, 3, 2, 7, &|_| Ok(())).unwrap();
        let mut by_hand = 0.0;
        for c in 0..found.k as u32 {
            let members: Vec<usize> = (0..37).filter(|&row| found.labels[row] == c).collect();
            let mut mean = vec![0.0f64; rows.columns];
            for &row in &members {
                let (block, place) = rows.block_of(row).unwrap();
                let (terms, weights) = block.of(place);
                terms.iter().zip(weights).for_each(|(&t, &w)| mean[t as usize] += f64::from(w) / members.len() as f64);
            }
            for &row in &members {
                let mut diff = mean.clone();
                let (block, place) = rows.block_of(row).unwrap();
                let (terms, weights) = block.of(place);
                terms.iter().zip(weights).for_each(|(&t, &w)| diff[t as usize] -= f64::from(w));
                by_hand += diff.iter().map(|x| x * x).sum::<f64>();
                // The row's own term: in full where the row is, a share of it in the mean of all others.
                let share = 1.0 / members.len() as f64;
                by_hand += 0.0075 * ((1.0 - share) * (1.0 - share) + (members.len() as f64 - 1.0) * share * share);
            }
        }
        assert!((found.inertia - by_hand).abs() < 1e-9, "{} {by_hand}", found.inertia);
    }

    #[test]
    fn fewer_distinct_rows_than_clusters_and_rows_without_terms_are_no_trouble() {
        let mut rows = Rows::with_columns(2, None);
        for cells in [vec![(0u32, 1.0f32)], vec![], vec![(0, 1.0)], vec![(1, 1.0)]] {
            rows.push(cells.into_iter(), 0.0).unwrap();
        }
        let rows = rows.finish().unwrap();
        let found = cluster(&rows, 4, 2, 0, &|_| Ok(())).unwrap();
        assert!(found.k <= 3 && found.labels[0] == found.labels[2] && found.labels[0] != found.labels[3]);
        assert_eq!(cluster(&Rows::with_columns(0, None), 3, 1, 0, &|_| Ok(())).unwrap().k, 0);
    }
}
