//! The counts of all parts, added up: words and groups in memory, tallies and pairs as records that are sorted on disk where
//! they do not fit.
//!
//! Adding is associative and commutative, so counts may be made by thread, by day or by machine, and come in any order: in
//! the end words and groups are numbered by their names.

use std::borrow::Cow;

use anyhow::Result;
use archive::Day;
use polars::prelude::PlHashMap;

use super::count::{Axis, Counts, Numbered, Tally, Term};
use crate::spill::{List, Room, Sorter};

/// A term and a group as a key of records: two words a number, the group behind the last word.
pub fn key(term: Term, group: u32) -> [u64; 3] {
    let pair = |upper: u32, lower: u32| u64::from(upper) << 32 | u64::from(lower);
    [pair(term[0], term[1]), pair(term[2], term[3]), pair(term[4], group)]
}

/// The term and the group of a key.
pub fn unkeyed(key: [u64; 3]) -> (Term, u32) {
    let (upper, lower) = (|number: u64| (number >> 32) as u32, |number: u64| number as u32);
    ([upper(key[0]), lower(key[0]), upper(key[1]), lower(key[1]), upper(key[2])], lower(key[2]))
}

/// Adds up counts.
#[derive(Debug)]
pub struct Whole {
    words: Numbered,
    groups: PlHashMap<(Axis, Box<str>), u32>,
    /// Term and group, tf, df.
    tallies: Sorter<5, 3>,
    /// First and second word (as one number), occurrences.
    pairs: Sorter<2, 1>,
    /// Occurrences by number of the group.
    sums: Vec<u64>,
    documents: u64,
    occurrences: u64,
}

/// All counts.
#[derive(Debug)]
pub struct Summed {
    /// Words, ascending.
    pub words: Vec<Box<str>>,
    /// Place in `words` by number.
    ranks: Vec<u32>,
    /// Groups, ascending by axis and name.
    pub groups: Vec<(Axis, Box<str>)>,
    group_ranks: Vec<u32>,
    tallies: List<5>,
    pairs: List<2>,
    /// Occurrences by group.
    pub sums: Vec<u64>,
    /// Documents counted (on the axes of language and host).
    pub documents: u64,
    /// Terms counted in them, with repetitions.
    pub occurrences: u64,
}

impl Whole {
    /// Nothing yet.
    pub fn new(room: &Room) -> Whole {
        Whole {
            words: Numbered::default(),
            groups: PlHashMap::default(),
            tallies: Sorter::repeating(room),
            pairs: Sorter::repeating(room),
            sums: Vec::new(),
            documents: 0,
            occurrences: 0,
        }
    }

    fn group(&mut self, axis: Axis, name: &str) -> u32 {
        let next = self.sums.len() as u32;
        let number = *self.groups.entry((axis, name.into())).or_insert(next);
        if number == next {
            self.sums.push(0);
        }
        number
    }

    /// Adds the counts of other documents.
    pub fn add(&mut self, counts: &Counts) -> Result<()> {
        let words: Vec<u32> = counts.words.texts().into_iter().map(|word| self.words.number(word)).collect();
        let renamed = |term: &Term| term.map(|word| if word == 0 { 0 } else { words[word as usize - 1] + 1 });
        let terms: Vec<Term> = counts.terms.iter().map(renamed).collect();
        let day = self.group(Axis::Day, &counts.day);
        // The groups of each place: its language and its host, where it has them.
        let mut places = vec![None; counts.places.len()];
        for (place, &number) in &counts.places {
            let groups = place
                .as_ref()
                .map(|(language, host)| [self.group(Axis::Language, language), self.group(Axis::Host, host)]);
            places[number as usize] = groups;
        }
        for (&(term, place), tally) in &counts.tallies {
            let groups = places[place as usize].into_iter().flatten().chain([day]);
            for group in groups {
                let [a, b, c] = key(terms[term as usize], group);
                self.tallies.push([a, b, c, tally.tf, tally.df])?;
                self.sums[group as usize] += tally.tf;
            }
        }
        for &(first, second, count) in &counts.pairs {
            let pair = u64::from(words[first as usize]) << 32 | u64::from(words[second as usize]);
            self.pairs.push([pair, count])?;
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
        let (words, ranks) = sorted(self.words.into_texts());
        let (groups, group_ranks) = sorted(groups);
        let mut sums = vec![0; groups.len()];
        for (rank, sum) in group_ranks.iter().zip(self.sums) {
            sums[*rank as usize] = sum;
        }
        Ok(Summed {
            words,
            ranks,
            groups,
            group_ranks,
            tallies: self.tallies.list()?,
            pairs: self.pairs.list()?,
            sums,
            documents: self.documents,
            occurrences: self.occurrences,
        })
    }
}

impl Summed {
    /// Calls `take` with the term, the place of its group, and the tally. Tallies of one term follow each other; otherwise they
    /// are in no order that means anything.
    pub fn tallies(&self, mut take: impl FnMut(Term, u32, Tally) -> Result<()>) -> Result<()> {
        self.tallies.each(|[a, b, c, tf, df]| {
            let (term, group) = unkeyed([a, b, c]);
            let term = term.map(|word| if word == 0 { 0 } else { self.ranks[word as usize - 1] + 1 });
            take(term, self.group_ranks[group as usize], Tally { tf, df })
        })
    }

    /// Calls `take` with the places of the two words and the occurrences of each pair of neighbours.
    pub fn pairs(&self, mut take: impl FnMut(u32, u32, u64) -> Result<()>) -> Result<()> {
        self.pairs
            .each(|[pair, count]| take(self.ranks[(pair >> 32) as usize], self.ranks[pair as u32 as usize], count))
    }

    /// The text of a term.
    pub fn text(&self, term: Term) -> Cow<'_, str> {
        let words = || term.iter().take_while(|&&word| word > 0).map(|&word| &*self.words[word as usize - 1]);
        match term[1] {
            0 => Cow::Borrowed(words().next().unwrap_or("")),
            _ => Cow::Owned(words().collect::<Vec<_>>().join(" ")),
        }
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
        let (mut flat, mut done, mut last) = (BTreeMap::new(), Vec::new(), None);
        let take = |term: Term, group: u32, tally: Tally| {
            let (axis, name) = summed.groups[group as usize].clone();
            let key = (summed.text(term).into_owned(), axis, name.to_string());
            assert!(flat.insert(key, (tally.tf, tally.df)).is_none(), "each once");
            if last != Some(term) {
                assert!(!done.contains(&term), "tallies of a term follow each other");
                done.extend(last.replace(term));
            }
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
            prop_assert!(summed.words.windows(2).all(|pair| pair[0] < pair[1]));
            for ((axis, name), sum) in summed.groups.iter().zip(&summed.sums) {
                let of = |key: &(String, Axis, String)| key.1 == *axis && key.2 == **name;
                let naive: u64 = naive(&documents).iter().filter(|(key, _)| of(key)).map(|(_, tally)| tally.0).sum();
                prop_assert_eq!(*sum, naive);
            }
        }

        #[test]
        fn terms_are_ordered_as_their_texts_are(
            texts in prop::collection::btree_set("[a-c'é]{1,3}( [a-c'é]{1,3}){0,4}", 1..20)
        ) {
            let mut counts = Counts::of_day("2026-11-21");
            for text in &texts {
                let term = counts.term(text);
                counts.add_document(&[(term, 1)], None);
            }
            let dir = tempfile::tempdir().unwrap();
            let summed = summed(&[counts], 1, dir.path());
            let mut terms = Vec::new();
            summed.tallies(|term, _, _| { terms.push(term); Ok(()) }).unwrap();
            terms.sort_unstable();
            let found: Vec<String> = terms.into_iter().map(|term| summed.text(term).into_owned()).collect();
            prop_assert_eq!(found, texts.into_iter().collect::<Vec<_>>());
        }
    }
}
