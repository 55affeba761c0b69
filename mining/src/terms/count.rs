//! Counting: the documents of a part in, one partial count out.
//!
//! A [`Counts`] holds, for each term and place (a language and a host, or none where a document counts on its day only), how
//! often the term occurs and in how many documents. Languages, hosts and days are told apart when counts are added up: a place
//! is looked up once for each term and document, and not three times.

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

/// Most words of a term.
pub const WORDS: usize = 5;

/// A term by the numbers of its words, each one more than it is; 0 behind the last. In the order of the words' numbers, terms
/// are in the order of their texts when the numbers are: no word holds a character up to the blank.
pub type Term = [u32; WORDS];

/// Numbers for texts, in the order of arrival.
#[derive(Debug, Clone, Default)]
pub struct Numbered {
    numbers: PlHashMap<Box<str>, u32>,
}

impl Numbered {
    /// Number of a text, a new one where it is new.
    pub fn number(&mut self, text: &str) -> u32 {
        // 2^32 words would need hundreds of GB: the limit of memory ends the run long before.
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

/// Language and host of a document; none where it counts on its day only, since a newer fetch of its URL took its place.
pub type Place<'a> = Option<(&'a str, &'a str)>;

/// Names of a language and of a host.
pub type Names = (Box<str>, Box<str>);

/// Counts of any number of documents of one day.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Day of the archive.
    pub day: String,
    /// Words of which terms are made.
    pub words: Numbered,
    /// Terms, each by the numbers of its words here.
    pub terms: Vec<Term>,
    /// Languages with hosts by number; none for documents that count on their day only.
    pub places: PlHashMap<Option<Names>, u32>,
    /// Tallies by place in `terms` and number of the place.
    pub tallies: PlHashMap<(u32, u32), Tally>,
    /// Occurrences of pairs of neighbours, by the numbers of the two words; a pair may stand in it twice.
    pub pairs: Vec<(u32, u32, u64)>,
    /// Documents counted that have a place.
    pub documents: u64,
    /// Terms counted in them, with repetitions.
    pub occurrences: u64,
}

impl Counts {
    /// Nothing yet.
    pub fn of_day(day: &str) -> Counts {
        Counts { day: day.to_owned(), ..Counts::default() }
    }

    /// A term by its text: words between blanks. Gives its place in `terms`.
    pub fn term(&mut self, text: &str) -> u32 {
        let mut term = Term::default();
        for (slot, word) in term.iter_mut().zip(text.split(' ')) {
            *slot = self.words.number(word) + 1;
        }
        self.terms.push(term);
        (self.terms.len() - 1) as u32
    }

    /// Counts one document: its distinct terms, by their places in `terms`, with their occurrences.
    pub fn add_document(&mut self, cells: &[(u32, u32)], place: Place<'_>) {
        if place.is_some() {
            self.documents += 1;
            self.occurrences += cells.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        }
        let place = self.place(place);
        for &(term, count) in cells {
            let tally = self.tallies.entry((term, place)).or_default();
            tally.tf += u64::from(count);
            tally.df += 1;
        }
    }

    fn place(&mut self, place: Place<'_>) -> u32 {
        let next = self.places.len() as u32;
        let place = place.map(|(language, host)| (language.into(), host.into()));
        *self.places.entry(place).or_insert(next)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Terms, language and host, whether it counts once.
    pub type Document = (Vec<&'static str>, &'static str, &'static str, bool);
    pub type Flat = BTreeMap<(String, Axis, String), (u64, u64)>;

    pub const DAY: &str = "2026-11-21";

    pub fn counted(documents: &[Document]) -> Counts {
        let mut counts = Counts::of_day(DAY);
        let mut places: BTreeMap<&str, u32> = BTreeMap::new();
        for (terms, language, host, once) in documents {
            let mut cells: BTreeMap<u32, u32> = BTreeMap::new();
            for term in terms {
                let place = *places.entry(term).or_insert_with(|| counts.term(term));
                *cells.entry(place).or_default() += 1;
            }
            counts.add_document(&cells.into_iter().collect::<Vec<_>>(), once.then_some((language, host)));
        }
        counts
    }

    /// Counting as one would by hand.
    pub fn naive(documents: &[Document]) -> Flat {
        let mut flat = Flat::new();
        for (terms, language, host, once) in documents {
            let groups = [(Axis::Day, DAY), (Axis::Language, language), (Axis::Host, host)];
            for (axis, group) in groups.into_iter().take(if *once { 3 } else { 1 }) {
                let mut here: BTreeMap<&str, u64> = BTreeMap::new();
                terms.iter().for_each(|term| *here.entry(term).or_default() += 1);
                for (term, count) in here {
                    let sum = flat.entry((term.to_owned(), axis, group.to_owned())).or_default();
                    sum.0 += count;
                    sum.1 += 1;
                }
            }
        }
        flat
    }

    pub fn documents() -> impl Strategy<Value = Vec<Document>> {
        let terms = prop::sample::select(vec!["bus", "log", "spider", "a", "b", "bus log", "log bus log", "a b"]);
        let document = (
            prop::collection::vec(terms, 0..9),
            // A host may have the name of a language: the axes must not mix.
            prop::sample::select(vec!["en", "de"]),
            prop::sample::select(vec!["x.example", "en"]),
            any::<bool>(),
        );
        prop::collection::vec(document, 0..12)
    }
}
