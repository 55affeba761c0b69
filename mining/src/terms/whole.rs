//! The counts of all batches, added up: names in memory, tallies and pairs as records that are sorted on disk where they do not
//! fit.
//!
//! Adding is associative and commutative, so partials may be made by thread, by day or by machine, and come in any order: in
//! the end terms and groups are numbered by their names.

use anyhow::Result;
use archive::Day;
use polars::prelude::PlHashMap;

use super::count::{Axis, Counts, Numbered, Tally};
use crate::spill::{List, Room, Sorter};

/// Adds up counts.
#[derive(Debug)]
pub struct Whole {
    terms: Numbered,
    groups: PlHashMap<(Axis, Box<str>), u32>,
    /// Group and term (as one number), tf, df.
    tallies: Sorter<3, 1>,
    /// First and second word (as one number), occurrences.
    pairs: Sorter<2, 1>,
    documents: u64,
    occurrences: u64,
}

/// All counts.
#[derive(Debug)]
pub struct Summed {
    /// Terms, ascending.
    pub terms: Vec<Box<str>>,
    /// Place in `terms` by number.
    ranks: Vec<u32>,
    /// Groups, ascending by axis and name.
    pub groups: Vec<(Axis, Box<str>)>,
    group_ranks: Vec<u32>,
    tallies: List<3>,
    pairs: List<2>,
    /// Documents counted (on the axes of language and host).
    pub documents: u64,
    /// Terms counted in them, with repetitions.
    pub occurrences: u64,
}

fn packed(upper: u32, lower: u32) -> u64 {
    u64::from(upper) << 32 | u64::from(lower)
}

fn unpacked(both: u64) -> (usize, usize) {
    ((both >> 32) as usize, (both & u64::from(u32::MAX)) as usize)
}

impl Whole {
    /// Nothing yet.
    pub fn new(room: &Room) -> Whole {
        Whole {
            terms: Numbered::default(),
            groups: PlHashMap::default(),
            tallies: Sorter::repeating(room),
            pairs: Sorter::repeating(room),
            documents: 0,
            occurrences: 0,
        }
    }

    /// Adds the counts of other documents.
    pub fn add(&mut self, counts: &Counts) -> Result<()> {
        let terms: Vec<u32> = counts.terms.texts().into_iter().map(|term| self.terms.number(term)).collect();
        let mut groups = vec![0; counts.groups.len()];
        for ((axis, name), &number) in &counts.groups {
            let next = self.groups.len() as u32;
            groups[number as usize] = *self.groups.entry((*axis, name.clone())).or_insert(next);
        }
        for (&(term, group), tally) in &counts.tallies {
            self.tallies.push([packed(groups[group as usize], terms[term as usize]), tally.tf, tally.df])?;
        }
        for (&(first, second), &count) in &counts.pairs {
            self.pairs.push([packed(terms[first as usize], terms[second as usize]), count])?;
        }
        self.documents += counts.documents;
        self.occurrences += counts.occurrences;
        Ok(())
    }

    /// Sorts names and records.
    pub fn finish(self) -> Result<Summed> {
        let mut groups = vec![(Axis::Language, Box::<str>::default()); self.groups.len()];
        for (group, number) in self.groups {
            groups[number as usize] = group;
        }
        let (terms, ranks) = sorted(self.terms.into_texts());
        let (groups, group_ranks) = sorted(groups);
        Ok(Summed {
            terms,
            ranks,
            groups,
            group_ranks,
            tallies: self.tallies.list()?,
            pairs: self.pairs.list()?,
            documents: self.documents,
            occurrences: self.occurrences,
        })
    }
}

impl Summed {
    /// Calls `take` with place of the group, place of the term, and tally, in no order that means anything.
    pub fn tallies(&self, mut take: impl FnMut(u32, u32, Tally) -> Result<()>) -> Result<()> {
        self.tallies.each(|[key, tf, df]| {
            let (group, term) = unpacked(key);
            take(self.group_ranks[group], self.ranks[term], Tally { tf, df })
        })
    }

    /// The same with the places of the two words and the occurrences of each pair of neighbours.
    pub fn pairs(&self, mut take: impl FnMut(u32, u32, u64)) -> Result<()> {
        self.pairs.each(|[key, count]| {
            let (first, second) = unpacked(key);
            take(self.ranks[first], self.ranks[second], count);
            Ok(())
        })
    }

    /// Day of each group; none for those of other axes.
    pub fn days(&self) -> Result<Vec<Option<Day>>> {
        let day = |(axis, name): &(Axis, Box<str>)| (*axis == Axis::Day).then(|| name.parse()).transpose();
        Ok(self.groups.iter().map(day).collect::<Result<_, _>>()?)
    }
}

/// Sorts items; gives them and the place of each by its old number.
fn sorted<T: Ord + Send>(items: Vec<T>) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<(T, u32)> = items.into_iter().zip(0..).collect();
    rayon::slice::ParallelSliceMut::par_sort_unstable(&mut order[..]);
    let mut ranks = vec![0; order.len()];
    for (rank, (_, number)) in (0..).zip(&order) {
        ranks[*number as usize] = rank;
    }
    (order.into_iter().map(|(item, _)| item).collect(), ranks)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::count::tests::{Flat, counted, documents, naive};
    use super::*;

    /// Adds up partials with room for so many bytes.
    pub fn summed(partials: &[Counts], bytes: usize, dir: &std::path::Path) -> Summed {
        let mut whole = Whole::new(&Room::new(bytes, archive::DataDir::new(dir)));
        partials.iter().for_each(|partial| whole.add(partial).unwrap());
        whole.finish().unwrap()
    }

    fn flat(summed: &Summed) -> Flat {
        let mut flat = BTreeMap::new();
        let take = |group: u32, term: u32, tally: Tally| {
            let (axis, name) = summed.groups[group as usize].clone();
            let key = (summed.terms[term as usize].to_string(), axis, name.to_string());
            assert!(flat.insert(key, (tally.tf, tally.df)).is_none(), "each once");
            Ok(())
        };
        summed.tallies(take).unwrap();
        flat
    }

    proptest! {
        #[test]
        fn partials_add_up_to_the_whole_in_any_order_and_any_room(
            documents in documents(), mut cuts in prop::collection::vec(0usize..12, 3), backwards: bool, bytes in 1usize..2000,
        ) {
            let dir = tempfile::tempdir().unwrap();
            cuts.sort_unstable();
            let mut partials = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([documents.len()]) {
                let to = cut.clamp(from, documents.len());
                partials.push(counted(&documents[from..to]));
                from = to;
            }
            if backwards {
                partials.reverse();
            }
            let summed = summed(&partials, bytes, dir.path());
            let whole = counted(&documents);
            prop_assert_eq!(flat(&summed), naive(&documents));
            prop_assert_eq!((summed.documents, summed.occurrences), (whole.documents, whole.occurrences));
            prop_assert!(summed.terms.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
