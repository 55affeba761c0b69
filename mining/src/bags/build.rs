//! From texts to one part of a file of bags.

use polars::prelude::PlHashMap;

use super::file::{Doc, MAGIC};
use super::memo::{Known, Table};
use crate::text::words::pieces;

/// Collects the bags of a part.
#[derive(Debug, Default)]
pub struct Builder {
    numbers: PlHashMap<Box<str>, u32>,
    docs: Vec<Doc>,
    /// (term, occurrences) of all documents, one after the other.
    cells: Vec<(u32, u32)>,
    /// By term: the document that it was last seen in (from 1), and its place in `cells`.
    seen: Vec<(u32, u32)>,
    /// By language: what short pieces of text came to.
    memos: PlHashMap<String, Memo>,
}

/// What short pieces of text come to under the stop words of one language: most pieces are seen again and again, and need
/// neither be cut nor lower-cased nor looked up as terms then.
#[derive(Debug, Default)]
struct Memo {
    /// Pieces of up to 7 bytes, most by far: they take half the room, so that more of them stay in the caches.
    short: Table<u64, 4>,
    /// Pieces of 8 to 15 bytes.
    long: Table<u128, 2>,
    /// Terms of pieces that have several.
    terms: Vec<u32>,
}

impl Builder {
    /// Adds the document in a row; `each` calls its argument with each term.
    pub fn add(&mut self, row: u32, each: impl FnOnce(&mut dyn FnMut(&str))) {
        let first = self.begin();
        let Builder { numbers, cells, seen, docs, .. } = self;
        let stamp = docs.len() as u32 + 1;
        let mut length = 0u32;
        each(&mut |term| {
            length = length.saturating_add(1);
            count(numbered(numbers, seen, term), stamp, seen, cells);
        });
        self.end(row, first, length);
    }

    /// The same for a text, whose terms are each within one piece between blanks: `each` calls its argument with the terms of
    /// a piece.
    pub fn add_pieces(
        &mut self,
        row: u32,
        text: &str,
        language: &str,
        mut each: impl FnMut(&str, &mut dyn FnMut(&str)),
    ) {
        let first = self.begin();
        if !self.memos.contains_key(language) {
            self.memos.insert(language.to_owned(), Memo::default());
        }
        let Builder { numbers, cells, seen, docs, memos, .. } = self;
        let Some(memo) = memos.get_mut(language) else { return };
        let stamp = docs.len() as u32 + 1;
        let mut length = 0u32;
        pieces(text, |piece| {
            let key = packed(piece.as_bytes());
            let known = match key {
                Some(Packed::Short(key)) => memo.short.get(key),
                Some(Packed::Long(key)) => memo.long.get(key),
                None => None,
            };
            match known {
                Some(Known { at, terms: 1 }) => {
                    length = length.saturating_add(1);
                    return count(at, stamp, seen, cells);
                }
                Some(Known { at, terms }) => {
                    length = length.saturating_add(terms);
                    let (at, terms) = (at as usize, terms as usize);
                    return memo.terms[at..at + terms].iter().for_each(|&term| count(term, stamp, seen, cells));
                }
                None => {}
            }
            let from = memo.terms.len();
            each(piece, &mut |term| {
                length = length.saturating_add(1);
                let number = numbered(numbers, seen, term);
                count(number, stamp, seen, cells);
                memo.terms.push(number);
            });
            let terms = (memo.terms.len() - from) as u32;
            let at = if terms == 1 { memo.terms[from] } else { from as u32 };
            let kept = match key {
                Some(Packed::Short(key)) => memo.short.add(key, Known { at, terms }),
                Some(Packed::Long(key)) => memo.long.add(key, Known { at, terms }),
                None => false,
            };
            if !kept || terms == 1 {
                memo.terms.truncate(from);
            }
        });
        self.end(row, first, length);
    }

    fn begin(&self) -> usize {
        self.cells.len()
    }

    fn end(&mut self, row: u32, first: usize, length: u32) {
        self.docs.push(Doc { row, length, cells: (self.cells.len() - first) as u32, at: 0 });
    }

    /// The part: header, documents, dictionary in alphabetical order with document frequencies, cells, and a check sum.
    pub fn finish(self) -> Vec<u8> {
        let mut terms: Vec<(u64, &str, u32)> =
            self.numbers.iter().map(|(term, &number)| (front(term), &**term, number)).collect();
        terms.sort_unstable();
        let mut rank = vec![0u32; terms.len()];
        for (place, (.., number)) in (0u32..).zip(&terms) {
            rank[*number as usize] = place;
        }
        let mut frequency = vec![0u32; terms.len()];
        let mut body = Vec::with_capacity(self.cells.len() * 3);
        let mut docs = self.docs;
        let mut cells: Vec<(u32, u32)> = Vec::new();
        let mut from = 0;
        for doc in &mut docs {
            let to = from + doc.cells as usize;
            cells.clear();
            cells.extend(self.cells[from..to].iter().map(|&(number, count)| (rank[number as usize], count)));
            cells.sort_unstable();
            doc.at = body.len() as u64;
            let mut last = 0;
            for &(term, count) in &cells {
                frequency[term as usize] += 1;
                varint(&mut body, term - last);
                varint(&mut body, count);
                last = term;
            }
            from = to;
        }
        let mut dictionary = Vec::new();
        for ((_, term, _), frequency) in terms.iter().zip(&frequency) {
            varint(&mut dictionary, term.len() as u32);
            dictionary.extend_from_slice(term.as_bytes());
            varint(&mut dictionary, *frequency);
        }
        let mut out = Vec::with_capacity(64 + docs.len() * 20 + dictionary.len() + body.len());
        out.extend_from_slice(MAGIC);
        for number in [docs.len() as u64, terms.len() as u64, dictionary.len() as u64, body.len() as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for doc in &docs {
            for number in [doc.row, doc.length, doc.cells] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&doc.at.to_le_bytes());
        }
        out.extend_from_slice(&dictionary);
        out.extend_from_slice(&body);
        super::file::seal(&mut out);
        out
    }
}

/// Number of a term, a new one where it is new.
fn numbered(numbers: &mut PlHashMap<Box<str>, u32>, seen: &mut Vec<(u32, u32)>, term: &str) -> u32 {
    if let Some(&number) = numbers.get(term) {
        return number;
    }
    let next = seen.len() as u32;
    numbers.insert(term.into(), next);
    seen.push((0, 0));
    next
}

/// The first eight bytes of a term as a number, in the order of terms but for those that begin alike: most comparisons of a sort
/// need not look at the terms themselves.
pub fn front(term: &str) -> u64 {
    let mut bytes = [0; 8];
    let some = term.len().min(8);
    bytes[..some].copy_from_slice(&term.as_bytes()[..some]);
    u64::from_be_bytes(bytes)
}

/// Counts a term in the document that is being read.
fn count(number: u32, stamp: u32, seen: &mut [(u32, u32)], cells: &mut Vec<(u32, u32)>) {
    let slot = &mut seen[number as usize];
    if slot.0 == stamp {
        cells[slot.1 as usize].1 += 1;
    } else {
        *slot = (stamp, cells.len() as u32);
        cells.push((number, 1));
    }
}

/// The bytes of a piece and their number as one number: 0 for no bytes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Packed {
    Short(u64),
    Long(u128),
}

/// None for more than 15 bytes.
fn packed(piece: &[u8]) -> Option<Packed> {
    let length = piece.len();
    let word = |at: usize| -> Option<u64> { Some(u64::from_le_bytes(piece.get(at..at + 8)?.try_into().ok()?)) };
    let half =
        |at: usize| -> Option<u64> { Some(u64::from(u32::from_le_bytes(piece.get(at..at + 4)?.try_into().ok()?))) };
    // Two loads that overlap: the second's bytes that the first has are shifted out.
    let short = match length {
        8..=15 => {
            let high = (word(length - 8)? >> 1) >> (8 * (16 - length) - 1);
            let high = high | (length as u64) << 56;
            return Some(Packed::Long(u128::from(word(0)?) | u128::from(high) << 64));
        }
        4..=7 => half(0)? | (half(length - 4)? >> (8 * (8 - length))) << 32,
        0..=3 => piece.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)),
        _ => return None,
    };
    Some(Packed::Short(short | (length as u64) << 56))
}

/// Appends a number, seven bits a byte, the lowest first (LEB128).
pub fn varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::text::words::words;

    proptest! {
        #[test]
        fn packed_pieces_are_equal_only_when_their_bytes_are(a in "[ab\\x00é]{0,9}", b in "[ab\\x00é]{0,9}") {
            let pack = |text: &str| packed(text.as_bytes());
            prop_assert_eq!(pack(&a).is_some(), a.len() <= 15);
            if a.len() <= 15 && b.len() <= 15 {
                prop_assert_eq!(pack(&a) == pack(&b), a == b);
            }
        }

        #[test]
        fn pieces_give_the_same_file_as_terms_one_by_one(texts in prop::collection::vec("[a-cA-C.' 的é]{0,40}", 0..6)) {
            let (mut plain, mut memos) = (Builder::default(), Builder::default());
            for (row, text) in (0..).zip(&texts) {
                plain.add(row, |take| words(text, |word| take(&word.to_lowercase())));
                memos.add_pieces(row, text, "en", |piece, take| words(piece, |word| take(&word.to_lowercase())));
            }
            prop_assert!(plain.finish() == memos.finish());
        }
    }

    proptest! {
        #[test]
        fn terms_sort_the_same_with_their_fronts_before_them(mut terms in prop::collection::vec("[ab\\x00é]{0,12}", 0..40)) {
            let mut fronts: Vec<(u64, String)> = terms.iter().map(|term| (front(term), term.clone())).collect();
            fronts.sort_unstable();
            terms.sort_unstable();
            prop_assert_eq!(fronts.into_iter().map(|(_, term)| term).collect::<Vec<_>>(), terms);
        }
    }

    #[test]
    fn every_length_of_a_piece_has_a_number_of_its_own() {
        let text = "abcdefghijklmnopqrst";
        let mut found = BTreeMap::new();
        for from in 0..5 {
            for length in 0..=15 {
                let piece = &text[from..from + length];
                assert!(found.insert(packed(piece.as_bytes()), piece).is_none_or(|other| other == piece), "{piece}");
            }
        }
    }
}
