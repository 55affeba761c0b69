//! Shingles: runs of neighbouring words, each as a 64-bit hash; and the MinHash signature of a set of them.

use crate::text::words::words as each_word;

/// Values of a signature.
pub const VALUES: usize = 128;

/// Odd, with bits all over: Knuth's multiplier for linear congruences (MMIX).
const FACTOR: u64 = 6_364_136_223_846_793_005;

/// Calls `take` with the hash of each shingle of `width` words of a text, in order; gives the number of words. A text of
/// fewer words has none.
pub fn shingles(text: &str, width: usize, mut take: impl FnMut(u64)) -> usize {
    // A polynomial in FACTOR over the last `width` words, rolled on word by word.
    let leaving = (0..width).fold(1u64, |power, _| power.wrapping_mul(FACTOR));
    let mut window = vec![0u64; width];
    let (mut rolled, mut words) = (0u64, 0usize);
    each_word(text, |word| {
        let hash = word_hash(word);
        let slot = &mut window[words % width];
        rolled = rolled.wrapping_mul(FACTOR).wrapping_add(hash).wrapping_sub(slot.wrapping_mul(leaving));
        *slot = hash;
        words += 1;
        if words >= width {
            take(mixed(rolled));
        }
    });
    words
}

/// FNV-1a over the word in lower case, with its bits mixed.
fn word_hash(word: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    if word.is_ascii() {
        word.bytes().for_each(|byte| add(byte.to_ascii_lowercase()));
    } else {
        word.to_lowercase().bytes().for_each(add);
    }
    mixed(hash)
}

/// The finish of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The distinct shingles of a text, ascending.
pub fn set(text: &str, width: usize) -> Vec<u64> {
    let mut set = Vec::new();
    shingles(text, width, |shingle| set.push(shingle));
    set.sort_unstable();
    set.dedup();
    set.shrink_to_fit();
    set
}

/// Jaccard similarity of two ascending sets; of two empty ones 1.
pub fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut both) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        both += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    let all = a.len() + b.len() - both;
    if all == 0 { 1.0 } else { both as f64 / all as f64 }
}

/// MinHash signature: for each of 128 hash functions the least value over the set.
///
/// The functions are `h1 + i * h2` of two 32-bit hashes (Kirsch and Mitzenmacher 2006), which are pairwise independent; only
/// additions and minima remain, which the compiler turns into vector code.
#[derive(Debug, Clone)]
pub struct Signature(pub [i32; VALUES]);

impl Default for Signature {
    fn default() -> Signature {
        Signature([i32::MAX; VALUES])
    }
}

impl Signature {
    /// Takes in a shingle.
    pub fn add(&mut self, shingle: u64) {
        let (start, step) = (shingle as i32, (shingle >> 32) as i32 | 1);
        for (i, least) in (0i32..).zip(self.0.iter_mut()) {
            *least = (*least).min(start.wrapping_add(i.wrapping_mul(step)));
        }
    }

    /// Number of distinct values: at most the number of distinct shingles.
    pub fn distinct(&self) -> usize {
        let mut values = self.0;
        values.sort_unstable();
        values.chunk_by(|a, b| a == b).count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shingles_are_runs_of_words_whatever_their_case_and_what_stands_between() {
        assert_eq!(set("One two, THREE four five six", 5), set("one two three – four five (six)", 5));
        assert_eq!(set("a b c d e", 5).len(), 1);
        assert_eq!(set("a b c d", 5).len(), 0);
        assert_eq!(set("a a a a a a a a a", 5).len(), 1);
        assert_ne!(set("a b c d e", 5), set("b a c d e", 5));
    }

    proptest! {
        #[test]
        fn rolled_hashes_are_those_of_each_run_alone(words in prop::collection::vec("[a-d]", 0..30), width in 1usize..7) {
            let mut rolled = Vec::new();
            shingles(&words.join(" "), width, |s| rolled.push(s));
            let alone: Vec<u64> = words.windows(width).map(|run| {
                let mut found = Vec::new();
                shingles(&run.join(" "), width, |s| found.push(s));
                found[0]
            }).collect();
            prop_assert_eq!(rolled, alone);
        }

        #[test]
        fn jaccard_is_that_of_sets(a: BTreeSet<u8>, b: BTreeSet<u8>) {
            let vector = |set: &BTreeSet<u8>| set.iter().map(|&x| u64::from(x)).collect::<Vec<_>>();
            let all = a.union(&b).count();
            let wanted = if all == 0 { 1.0 } else { a.intersection(&b).count() as f64 / all as f64 };
            prop_assert_eq!(jaccard(&vector(&a), &vector(&b)), wanted);
        }
    }

    #[test]
    fn equal_values_estimate_the_similarity() {
        // Sets that share 80 % of 1,000 shingles: the standard deviation of the estimate is 0.035; over 50 pairs 0.005.
        let mut sum = 0.0;
        for pair in 0..50u64 {
            let (mut a, mut b) = (Signature::default(), Signature::default());
            for i in 0..1000u64 {
                let shingle = mixed(pair << 32 | i);
                if i < 900 {
                    a.add(shingle);
                }
                if i >= 100 {
                    b.add(shingle);
                }
            }
            sum += a.0.iter().zip(&b.0).filter(|(x, y)| x == y).count() as f64 / VALUES as f64;
        }
        assert!((sum / 50.0 - 0.8).abs() < 0.02, "{}", sum / 50.0);
    }
}
