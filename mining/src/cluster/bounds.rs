//! Which rows need not be compared with all centres again.
//!
//! A row that lies nearer to its centre than to any other by some margin stays there until centres have moved by as much: by the
//! triangle inequality (Hamerly 2010, "Making k-means even faster"; for the angle Schubert, Lang and Feher 2021, "Accelerating
//! spherical k-means"). Distances are those of rows and centres with the terms that only one row has, which are an axis of their own
//! for each centre: so by angle and by distance alike the nearest centre is the one with the highest score.

/// How far scores may be off, as products are sums of single-precision numbers.
const ROUNDING: f64 = 4e-6;
/// Margin below which a row is compared again; more than scores are off.
const LEAST: f32 = 1e-5;

/// By row, how much nearer its centre is than the second one, at least.
pub struct Bounds {
    margins: Vec<f32>,
}

impl Bounds {
    /// Nothing is known of any row.
    pub fn new(rows: usize) -> Bounds {
        Bounds { margins: vec![f32::NEG_INFINITY; rows] }
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        self.margins.fill(f32::NEG_INFINITY);
    }

    /// Centres have moved so far each.
    pub fn moved(&mut self, by: &[f64], labels: &[u32]) {
        let farthest = (0..by.len()).max_by(|&a, &b| by[a].total_cmp(&by[b])).unwrap_or(0);
        let others = |c: usize| (0..by.len()).filter(|&other| other != c).map(|other| by[other]).fold(0.0, f64::max);
        let second = others(farthest);
        // rounded up
        let lost = |c: usize| ((by[c] + if c == farthest { second } else { by[farthest] }) * (1.0 + 1e-6)) as f32;
        let lost: Vec<f32> = (0..by.len()).map(lost).collect();
        for (margin, &label) in self.margins.iter_mut().zip(labels) {
            *margin -= lost.get(label as usize).copied().unwrap_or(f32::INFINITY);
        }
    }

    /// Whether a row is to be compared with all centres.
    pub fn is_open(&self, row: usize) -> bool {
        let margin = self.margins[row];
        margin <= LEAST || margin.is_nan()
    }

    /// Margins of rows from this one on.
    pub fn set(&mut self, first: usize, margins: &[f32]) {
        self.margins[first..first + margins.len()].copy_from_slice(margins);
    }

    /// The margin of a row as it is now.
    pub fn of(&self, row: usize) -> f32 {
        self.margins[row]
    }
}

/// How much nearer the best centre is than the second, at least: `square` is the squared length of the row plus that of a centre whose
/// score has nothing taken off.
pub fn margin(square: f64, best: f32, second: f32) -> f32 {
    let far = (square - 2.0 * f64::from(second) - ROUNDING).max(0.0).sqrt();
    let near = (square - 2.0 * f64::from(best) + ROUNDING).max(0.0).sqrt();
    (far - near) as f32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::rows::Rows;
    use super::super::run::{Measure, Run};
    use super::super::seeds::Draw;

    /// Rows of twelve terms each, some of them of a topic, with weights and lengths as TF-IDF has them.
    fn pages(count: u32) -> Rows {
        let (topics, terms) = (9, 40);
        let mut rows = Rows::with_columns((topics * terms) as usize, None);
        let mut draw = Draw::new(5, 0);
        for page in 0..count {
            let mut some: std::collections::BTreeMap<u32, f32> = Default::default();
            for place in 0..12 {
                let topic = if place < 7 { page % topics } else { (draw.unit() * f64::from(topics)) as u32 };
                some.insert(topic * terms + (draw.unit() * f64::from(terms)) as u32, 0.1 + draw.unit() as f32);
            }
            let own = draw.unit() * 0.3;
            let length = (some.values().map(|w| w * w).sum::<f32>() / (1.0 - own as f32)).sqrt();
            rows.push(some.into_iter().map(|(term, weight)| (term, weight / length)), own).unwrap();
        }
        rows.finish().unwrap()
    }

    /// After any number of rounds each row is where a comparison with all centres puts it, and most were not compared.
    #[test]
    fn rows_that_were_not_looked_at_are_at_their_nearest_centre() {
        let rows = pages(3_000);
        for seed in 0..4 {
            let mut run = Run::start(&rows, 9, seed, 0, &|_| Ok(())).unwrap();
            for (measure, most) in
                [(Measure::Cosine, 3), (Measure::Cosine, 100), (Measure::Euclid, 2), (Measure::Euclid, 100)]
            {
                run.go_on(&rows, measure, most, &|_| Ok(())).unwrap();
                let mut products = vec![0.0; run.k];
                for row in 0..rows.len() {
                    let (block, place) = rows.block_of(row).unwrap();
                    let (nearest, ..) = run.scores(block.of(place), &mut products);
                    assert_eq!(run.labels[row], nearest, "row {row}, {measure:?}, seed {seed}");
                }
            }
            let open = (0..rows.len()).filter(|&row| run.bounds.is_open(row)).count();
            assert!(open < rows.len() / 2, "{open} rows are compared in each round");
        }
    }
}
