//! A file of bags: parts one behind the other, each of so much text that it fits in little memory. Every length is checked: a
//! damaged file is an error that names it, never a panic.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

/// First bytes of a file, before the number of its parts; a new version has others.
const FILE: &[u8; 8] = b"KSBAGS2\n";
/// First bytes of a part, behind its length.
pub const MAGIC: &[u8; 8] = b"KSBAGS1\n";
/// Bytes of a part's header and of a document's entry.
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

/// Puts parts together to a file.
pub fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + parts.iter().map(|part| part.len() + 8).sum::<usize>());
    out.extend_from_slice(FILE);
    out.extend_from_slice(&(parts.len() as u64).to_le_bytes());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Reads a file part by part.
#[derive(Debug)]
pub struct Parts {
    path: PathBuf,
    file: File,
    /// Parts and bytes that are still to come.
    parts: u64,
    bytes: u64,
}

impl Parts {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Parts> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let bytes = file.metadata().with_context(|| format!("cannot read {}", path.display()))?.len();
        let mut parts = Parts { path: path.to_owned(), file, parts: 0, bytes };
        let begun = parts.begin();
        begun.with_context(|| parts.damaged())?;
        Ok(parts)
    }

    fn damaged(&self) -> String {
        format!("{} is damaged; remove it, and it is made anew", self.path.display())
    }

    fn begin(&mut self) -> Result<()> {
        ensure!(self.take(8)? == FILE, "it is no file of bags");
        self.parts = self.number()?;
        Ok(())
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>> {
        self.bytes = self.bytes.checked_sub(length).context("it ends too soon")?;
        let mut bytes = vec![0; usize::try_from(length)?];
        self.file.read_exact(&mut bytes).context("it ends too soon")?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)))
    }

    fn following(&mut self) -> Result<Option<Raw>> {
        if self.parts == 0 {
            ensure!(self.bytes == 0, "it has more than its parts");
            return Ok(None);
        }
        self.parts -= 1;
        let length = self.number()?;
        Ok(Some(Raw { bytes: self.take(length)?, damaged: self.damaged() }))
    }
}

/// A part that was read and is not checked yet.
#[derive(Debug)]
pub struct Raw {
    bytes: Vec<u8>,
    damaged: String,
}

impl Raw {
    /// Bytes that it takes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Checks it.
    pub fn open(self) -> Result<Bags> {
        Bags::parse(self.bytes).context(self.damaged)
    }
}

impl Iterator for Parts {
    type Item = Result<Raw>;

    fn next(&mut self) -> Option<Result<Raw>> {
        let part = self.following();
        if part.is_err() {
            (self.parts, self.bytes) = (0, 0);
        }
        part.with_context(|| self.damaged()).transpose()
    }
}

/// The bags of some neighbouring rows of a row group.
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

/// Takes a number of at most 32 bits off the front: seven bits a byte, the lowest first (LEB128).
pub fn varint(bytes: &mut &[u8]) -> Option<u32> {
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

    #[test]
    fn a_file_is_read_part_by_part_and_damage_is_named_once() {
        let parts = [built(&[vec!["spider".into()]]), built(&[vec!["bus".into()], vec!["log".into()]])];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bags");
        let good = joined(&parts);
        std::fs::write(&path, &good).unwrap();
        let docs =
            |path: &Path| Parts::open(path).unwrap().map(|part| part?.open().map(|p| p.docs.len())).collect::<Vec<_>>();
        assert_eq!(docs(&path).into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
        let short = good.len() - parts[1].len() - 8;
        for bad in [&good[..good.len() - 1], &good[..short], &[&good[..], b"x"].concat()] {
            std::fs::write(&path, bad).unwrap();
            let errors: Vec<String> =
                docs(&path).into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
            assert!(errors.len() == 1 && errors[0].contains("remove it"), "{errors:?}");
        }
        for bad in [&good[..15], b"KSBAGS1\n12345678", b""] {
            std::fs::write(&path, bad).unwrap();
            assert!(format!("{:#}", Parts::open(&path).unwrap_err()).contains("remove it"));
        }
    }
}
