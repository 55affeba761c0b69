//! From texts to one file of bags.

use polars::prelude::PlHashMap;

use super::file::{Doc, MAGIC};

/// Collects the bags of a row group.
#[derive(Debug, Default)]
pub struct Builder {
    numbers: PlHashMap<Box<str>, u32>,
    docs: Vec<Doc>,
    /// (term, occurrences) of all documents, one after the other.
    cells: Vec<(u32, u32)>,
    /// By term: the document that it was last seen in (from 1), and its place in `cells`.
    seen: Vec<(u32, u32)>,
}

impl Builder {
    /// Adds the document in a row; `each` calls its argument with each term.
    pub fn add(&mut self, row: u32, each: impl FnOnce(&mut dyn FnMut(&str))) {
        let (first, mut length) = (self.cells.len(), 0u32);
        let stamp = self.docs.len() as u32 + 1;
        let Builder { numbers, cells, seen, .. } = self;
        each(&mut |term| {
            length = length.saturating_add(1);
            let number = match numbers.get(term) {
                Some(&number) => number,
                None => {
                    let next = seen.len() as u32;
                    numbers.insert(term.into(), next);
                    seen.push((0, 0));
                    next
                }
            };
            let slot = &mut seen[number as usize];
            if slot.0 == stamp {
                cells[slot.1 as usize].1 += 1;
            } else {
                *slot = (stamp, cells.len() as u32);
                cells.push((number, 1));
            }
        });
        self.docs.push(Doc { row, length, cells: (self.cells.len() - first) as u32, at: 0 });
    }

    /// The file: header, documents, dictionary in alphabetical order with document frequencies, cells, and a check sum.
    pub fn finish(self) -> Vec<u8> {
        let mut terms: Vec<(&str, u32)> = self.numbers.iter().map(|(term, &number)| (&**term, number)).collect();
        terms.sort_unstable();
        let mut rank = vec![0u32; terms.len()];
        for (place, (_, number)) in (0u32..).zip(&terms) {
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
        for ((term, _), frequency) in terms.iter().zip(&frequency) {
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

fn varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
