//! Reading a file of bags. Every length is checked: a damaged file is an error that names it, never a panic.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// First bytes of a file; a new version has others.
pub const MAGIC: &[u8; 8] = b"KSBAGS1\n";
/// Bytes of the header and of a document's entry.
const HEADER: usize = 40;
const ENTRY: usize = 20;
/// Bytes of the check sum at the end.
const SUM: usize = 8;

/// A document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doc {
    /// Row in its batch.
    pub row: u32,
    /// Terms in it, with repetitions.
    pub length: u32,
    /// Distinct terms.
    pub cells: u32,
    /// Where its cells begin.
    pub at: u64,
}

/// The bags of a row group.
#[derive(Debug)]
pub struct Bags {
    bytes: Vec<u8>,
    /// Documents by row, ascending.
    pub docs: Vec<Doc>,
    terms: usize,
    dictionary: std::ops::Range<usize>,
    cells: usize,
}

/// Appends the check sum.
pub fn seal(bytes: &mut Vec<u8>) {
    let sum = Sha256::digest(&*bytes);
    bytes.extend_from_slice(&sum[..SUM]);
}

impl Bags {
    /// Reads a file and checks it.
    pub fn open(path: &Path) -> Result<Bags> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Bags::parse(bytes).with_context(|| format!("{} is damaged; remove it, and it is made anew", path.display()))
    }

    fn parse(bytes: Vec<u8>) -> Result<Bags> {
        ensure!(bytes.len() >= HEADER + SUM && bytes.starts_with(MAGIC), "it is no file of bags");
        let end = bytes.len() - SUM;
        ensure!(Sha256::digest(&bytes[..end])[..SUM] == bytes[end..], "its check sum does not fit");
        let number = |at: usize| -> Result<usize> {
            let eight = bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).context("it is too short")?;
            usize::try_from(u64::from_le_bytes(eight)).context("a number is too large")
        };
        let (docs, terms, dictionary, cells) = (number(8)?, number(16)?, number(24)?, number(32)?);
        let start = docs.checked_mul(ENTRY).and_then(|d| d.checked_add(HEADER)).context("too many documents")?;
        let middle = start.checked_add(dictionary).context("too long a dictionary")?;
        ensure!(middle.checked_add(cells) == Some(end), "its parts do not fill it");
        let entry = |number: usize| {
            let at = HEADER + number * ENTRY;
            let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let place = u64::from(four(at + 12)) | u64::from(four(at + 16)) << 32;
            Doc { row: four(at), length: four(at + 4), cells: four(at + 8), at: place }
        };
        let docs: Vec<Doc> = (0..docs).map(entry).collect();
        Ok(Bags { docs, terms, dictionary: start..middle, cells: middle, bytes })
    }

    /// Number of terms.
    pub fn terms(&self) -> usize {
        self.terms
    }

    /// Terms in alphabetical order, each with the number of documents that hold it.
    pub fn dictionary(&self) -> impl Iterator<Item = Result<(&str, u32)>> {
        let mut rest = &self.bytes[self.dictionary.clone()];
        (0..self.terms).map(move |_| {
            let length = varint(&mut rest).context("its dictionary ends too soon")? as usize;
            let (term, tail) = rest.split_at_checked(length).context("its dictionary ends too soon")?;
            rest = tail;
            let frequency = varint(&mut rest).context("its dictionary ends too soon")?;
            Ok((std::str::from_utf8(term).context("a term is not UTF-8")?, frequency))
        })
    }

    /// Where each term of the dictionary stands, in order, for [`Bags::term`].
    pub fn dictionary_ranges(&self) -> impl Iterator<Item = Result<std::ops::Range<usize>>> {
        let end = self.dictionary.end;
        let mut rest = &self.bytes[self.dictionary.clone()];
        (0..self.terms).map(move |_| {
            let length = varint(&mut rest).context("its dictionary ends too soon")? as usize;
            let from = end - rest.len();
            rest = rest.get(length..).context("its dictionary ends too soon")?;
            varint(&mut rest).context("its dictionary ends too soon")?;
            Ok(from..from + length)
        })
    }

    /// The term that stands there.
    pub fn term(&self, range: &std::ops::Range<usize>) -> Result<&str> {
        std::str::from_utf8(&self.bytes[range.clone()]).context("a term is not UTF-8")
    }

    /// Calls `take` with (term, occurrences) of a document, terms ascending.
    pub fn cells(&self, doc: &Doc, mut take: impl FnMut(u32, u32)) -> Result<()> {
        let at = usize::try_from(doc.at)?.checked_add(self.cells).context("its cells lie outside")?;
        let mut rest = self.bytes.get(at..self.bytes.len() - SUM).context("its cells lie outside")?;
        let mut term = 0u32;
        for _ in 0..doc.cells {
            let (step, count) = (varint(&mut rest), varint(&mut rest));
            let (step, count) = step.zip(count).context("its cells end too soon")?;
            term = term.checked_add(step).filter(|&t| (t as usize) < self.terms).context("a cell has no term")?;
            take(term, count);
        }
        Ok(())
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::build::Builder;
    use super::*;

    fn built(docs: &[Vec<String>]) -> Vec<u8> {
        let mut builder = Builder::default();
        for (row, words) in (0..).zip(docs) {
            builder.add(row * 3, |take| words.iter().for_each(|word| take(word)));
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(docs in prop::collection::vec(prop::collection::vec("[a-zé]{1,3}", 0..30), 0..8)) {
            let bags = Bags::parse(built(&docs)).unwrap();
            let terms: Vec<(String, u32)> =
                bags.dictionary().map(|t| t.map(|(term, df)| (term.to_owned(), df)).unwrap()).collect();
            prop_assert!(terms.windows(2).all(|pair| pair[0].0 < pair[1].0));
            let mut frequency: BTreeMap<String, u32> = BTreeMap::new();
            for (number, words) in docs.iter().enumerate() {
                let mut wanted: BTreeMap<&str, u32> = BTreeMap::new();
                words.iter().for_each(|word| *wanted.entry(word).or_default() += 1);
                let doc = bags.docs[number];
                prop_assert_eq!((doc.row, doc.length as usize), (number as u32 * 3, words.len()));
                let mut found = Vec::new();
                bags.cells(&doc, |term, count| found.push((terms[term as usize].0.as_str(), count))).unwrap();
                prop_assert_eq!(found, wanted.into_iter().collect::<Vec<_>>());
                words.iter().collect::<std::collections::BTreeSet<_>>().into_iter()
                    .for_each(|word| *frequency.entry(word.clone()).or_default() += 1);
            }
            prop_assert_eq!(terms, frequency.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn damage_is_an_error(at in 0usize..200, bit in 0u8..8, cut in 0usize..200) {
            let good = built(&[vec!["spider".into(), "bus".into(), "bus".into()], vec!["log".into()]]);
            let mut bad = good.clone();
            let at = at % bad.len();
            bad[at] ^= 1 << bit;
            prop_assert!(Bags::parse(bad).is_err());
            prop_assert!(Bags::parse(good[..cut % good.len()].to_vec()).is_err());
        }
    }
}
