//! Counting: documents in, one partial out.
//!
//! A [`Counts`] holds, for each term and group (a language, a host, a day), how often the term occurs and in how many
//! documents.

use polars::prelude::PlHashMap;

/// Occurrences and documents of one term in one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Term frequency: occurrences.
    pub tf: u64,
    /// Document frequency: documents that hold the term.
    pub df: u64,
}

/// What a document may be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// Language of the page.
    Language,
    /// Host of the page.
    Host,
    /// Day of the archive on which it was fetched.
    Day,
}

/// Numbers for texts, in the order of arrival.
#[derive(Debug, Clone, Default)]
pub struct Numbered {
    numbers: PlHashMap<Box<str>, u32>,
}

impl Numbered {
    /// Number of a text, a new one where it is new.
    pub fn number(&mut self, text: &str) -> u32 {
        // 2^32 terms would need hundreds of GB: the limit of memory ends the run long before.
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let next = self.numbers.len() as u32;
        self.numbers.insert(text.into(), next);
        next
    }

    /// Texts by number.
    pub fn texts(&self) -> Vec<&str> {
        let mut texts = vec![""; self.numbers.len()];
        for (text, &number) in &self.numbers {
            texts[number as usize] = text;
        }
        texts
    }

    /// The same, as they are kept.
    pub fn into_texts(self) -> Vec<Box<str>> {
        let mut texts = vec![Box::default(); self.numbers.len()];
        for (text, number) in self.numbers {
            texts[number as usize] = text;
        }
        texts
    }
}

/// Counts of any number of documents.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Terms.
    pub terms: Numbered,
    /// Languages, hosts and days, each under its axis.
    pub groups: PlHashMap<(Axis, Box<str>), u32>,
    /// Tallies by term and group.
    pub tallies: PlHashMap<(u32, u32), Tally>,
    /// Occurrences of pairs of neighbours, by the numbers of the two words.
    pub pairs: PlHashMap<(u32, u32), u64>,
    /// Documents counted (on the axes of language and host).
    pub documents: u64,
    /// Terms counted in them, with repetitions.
    pub occurrences: u64,
}

impl Counts {
    /// Counts one document: its distinct terms by number with their occurrences. `groups` says where it belongs.
    pub fn add_document(&mut self, cells: &[(u32, u32)], groups: &[(Axis, &str)]) {
        if groups.iter().any(|(axis, _)| *axis == Axis::Language) {
            self.documents += 1;
            self.occurrences += cells.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        }
        for &(axis, name) in groups {
            let group = self.group(axis, name);
            for &(term, count) in cells {
                let tally = self.tallies.entry((term, group)).or_default();
                tally.tf += u64::from(count);
                tally.df += 1;
            }
        }
    }

    fn group(&mut self, axis: Axis, name: &str) -> u32 {
        let next = self.groups.len() as u32;
        *self.groups.entry((axis, name.into())).or_insert(next)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    pub type Document = (Vec<&'static str>, &'static str, &'static str);
    pub type Flat = BTreeMap<(String, Axis, String), (u64, u64)>;

    fn flat(counts: &Counts) -> Flat {
        let terms = counts.terms.texts();
        let groups: BTreeMap<u32, (Axis, String)> =
            counts.groups.iter().map(|((axis, name), &n)| (n, (*axis, name.to_string()))).collect();
        let tallies = counts.tallies.iter();
        tallies
            .map(|(&(term, group), tally)| {
                let (axis, name) = groups[&group].clone();
                ((terms[term as usize].to_owned(), axis, name), (tally.tf, tally.df))
            })
            .collect()
    }

    pub fn counted(documents: &[Document]) -> Counts {
        let mut counts = Counts::default();
        for (words, language, host) in documents {
            let groups = [(Axis::Language, *language), (Axis::Host, *host)];
            let mut cells: BTreeMap<u32, u32> = BTreeMap::new();
            words.iter().for_each(|word| *cells.entry(counts.terms.number(word)).or_default() += 1);
            counts.add_document(&cells.into_iter().collect::<Vec<_>>(), &groups);
        }
        counts
    }

    /// Counting as one would by hand.
    pub fn naive(documents: &[Document]) -> Flat {
        let mut flat = Flat::new();
        for (words, language, host) in documents {
            for (axis, group) in [(Axis::Language, language), (Axis::Host, host)] {
                for (i, word) in words.iter().enumerate() {
                    let slot = flat.entry(((*word).to_owned(), axis, (*group).to_owned())).or_default();
                    slot.0 += 1;
                    slot.1 += u64::from(!words[..i].contains(word));
                }
            }
        }
        flat
    }

    pub fn documents() -> impl Strategy<Value = Vec<Document>> {
        let word = prop::sample::select(vec!["rust", "bus", "log", "web", "page"]);
        let language = prop::sample::select(vec!["en", "de", "und"]);
        // A host may have the name of a language: the axes must not mix.
        let host = prop::sample::select(vec!["a.example", "en"]);
        prop::collection::vec((prop::collection::vec(word, 0..12), language, host), 0..12)
    }

    proptest! {
        #[test]
        fn counting_equals_counting_by_hand(documents in documents()) {
            prop_assert_eq!(flat(&counted(&documents)), naive(&documents));
        }
    }
}
