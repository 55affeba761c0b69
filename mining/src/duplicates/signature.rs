//! Signatures of pages: made once, kept as partials, joined over a span.
//!
//! A file has 20 bytes of header and check sum, then for each document its row, whether it may be a near duplicate, a hash of
//! its words in order, and its signature.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use archive::DataSet;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::candidates::Bands;
use super::shingles::{Signature, VALUES, mixed, shingles};
use crate::source::{Batch, Newest, Source};
use crate::text::language;
use crate::text::stop::{Choice, Lists};
use crate::text::words::words;
use crate::threads::each;

const MAGIC: &[u8; 8] = b"KSMINH1\n";
/// Bytes of one document: row, flag, hash of its text, signature.
const ENTRY: usize = 4 + 4 + 16 + 4 * VALUES;
/// Bytes of the check sum.
const SUM: usize = 8;
/// Words that are no stop words, of which a page needs so many to be a near duplicate.
const CONTENT_WORDS: usize = 5;

/// A page that counts.
#[derive(Debug, Clone)]
pub struct Page {
    /// Canonical URL.
    pub url: Box<str>,
    /// When it was fetched, microseconds since 1970 UTC.
    pub at: i64,
    /// Hash of the body; 0 for an empty one.
    pub body: u128,
    /// Hash of the words in order.
    pub text: u128,
    /// It may be a near duplicate.
    pub eligible: bool,
    /// Batch and row.
    pub place: (u32, u32),
    /// Number in the order of arrival, which differs from run to run.
    pub arrival: u32,
}

/// The pages that count.
#[derive(Debug)]
pub struct Pages {
    /// Pages in the order of their URLs.
    pub pages: Vec<Page>,
}

impl Pages {
    /// Makes the signatures that are not there yet, and joins those of the pages that count; their bands go to `bands`.
    pub fn load(source: &Source, width: usize, min_shingles: u32, bands: &mut Bands) -> Result<Pages> {
        let kind = format!("minhash-w{width}-s{min_shingles}");
        let lists = Lists::load(&Choice::Language)?;
        let columns = ["status", "lang", "lang_declared", "text"];
        let make = |batch: &Batch| file(source, batch, &lists, width, min_shingles as usize);
        let paths = source.partials(DataSet::Pages, &kind, &columns, "shingles", make)?;
        let newest = Newest::find(source)?;
        let mut all: Vec<Page> = Vec::with_capacity(newest.count());
        source.scan(
            DataSet::Pages,
            &["url", "fetched_at", "body_sha256"],
            "pages",
            |batch| pages(batch, newest.rows(batch), &paths[batch.number]),
            |part| {
                for (page, signature) in part {
                    let arrival = u32::try_from(all.len())?;
                    if page.eligible {
                        bands.push(arrival, &signature)?;
                    }
                    all.push(Page { arrival, ..page });
                }
                Ok(())
            },
        )?;
        all.par_sort_unstable_by(|a, b| a.url.cmp(&b.url));
        Ok(Pages { pages: all })
    }
}

/// Rows that are worked on at once.
const ROWS: usize = 64;

/// A file of the signatures of a batch's pages with status 200; they are made side by side where threads are idle.
fn file(source: &Source, batch: &Batch, lists: &Lists, width: usize, min_shingles: usize) -> Result<Vec<u8>> {
    let (texts, status) = (batch.text("text")?, batch.int("status")?);
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let rows: Vec<usize> = (0..batch.rows()).filter(|&row| status.get(row) == Some(200)).collect();
    let some = |rows: &[usize]| {
        source.go_on()?;
        let mut out = Vec::with_capacity(rows.len() * ENTRY);
        for &row in rows {
            let text = texts.get(row).unwrap_or("");
            let mut signature = Signature::default();
            // Two polynomials over the shingles: a hash of the text as a sequence of words.
            let (mut low, mut high) = (0u64, 1u64);
            shingles(text, width, |shingle| {
                signature.add(shingle);
                low = low.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(shingle);
                high = mixed(high ^ shingle);
            });
            let content = || content_words(text, lists, &language(detected.get(row), declared.get(row)));
            let eligible = signature.distinct() >= min_shingles && content();
            out.extend_from_slice(&u32::try_from(row)?.to_le_bytes());
            out.extend_from_slice(&u32::from(eligible).to_le_bytes());
            out.extend_from_slice(&(u128::from(high) << 64 | u128::from(mixed(low))).to_le_bytes());
            signature.0.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        Ok(out)
    };
    let cut: Vec<&[usize]> = rows.chunks(ROWS).collect();
    let found = each(&cut, |rows| some(rows)).into_iter().collect::<Result<Vec<_>>>()?;
    let mut out = MAGIC.to_vec();
    found.iter().for_each(|some| out.extend_from_slice(some));
    let sum = Sha256::digest(&out);
    out.extend_from_slice(&sum[..SUM]);
    Ok(out)
}

/// Whether a text has enough words that are no stop words.
fn content_words(text: &str, lists: &Lists, language: &str) -> bool {
    let stop = lists.get(language);
    // Most pages have them at once; one of stop words alone is read to its end.
    let mut found = 0;
    for piece in text.split_ascii_whitespace() {
        words(piece, |word| found += usize::from(!stop.contains(&word.to_lowercase())));
        if found >= CONTENT_WORDS {
            return true;
        }
    }
    false
}

/// The pages of a batch that count, with their signatures.
fn pages(batch: &Batch, rows: &[u32], path: &Path) -> Result<Vec<(Page, Signature)>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let entries =
        entries(&bytes).with_context(|| format!("{} is damaged; remove it, and it is made anew", path.display()))?;
    let (urls, hashes, fetched) = (batch.text("url")?, batch.text("body_sha256")?, batch.int("fetched_at")?);
    let number = |entry: &[u8]| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
    let mut found = Vec::with_capacity(rows.len());
    let mut entries = entries.chunks_exact(ENTRY);
    for &row in rows {
        let entry = entries.find(|entry| number(entry) == row);
        let entry = entry.with_context(|| format!("{} lacks a page; remove it", path.display()))?;
        let mut text = [0; 16];
        text.copy_from_slice(&entry[8..24]);
        let mut signature = Signature::default();
        for (value, bytes) in signature.0.iter_mut().zip(entry[24..].chunks_exact(4)) {
            *value = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        let hash = hashes.get(row as usize).unwrap_or("");
        let page = Page {
            url: urls.get(row as usize).unwrap_or("").into(),
            at: fetched.get(row as usize).unwrap_or(0),
            body: if hash == EMPTY {
                0
            } else {
                hash.get(..32).and_then(|h| u128::from_str_radix(h, 16).ok()).unwrap_or(0)
            },
            text: u128::from_le_bytes(text),
            eligible: entry[4] != 0,
            place: (u32::try_from(batch.number)?, row),
            arrival: 0,
        };
        found.push((page, signature));
    }
    Ok(found)
}

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn entries(bytes: &[u8]) -> Result<&[u8]> {
    ensure!(bytes.len() >= MAGIC.len() + SUM && bytes.starts_with(MAGIC), "it is no file of signatures");
    let (body, sum) = bytes.split_at(bytes.len() - SUM);
    ensure!(Sha256::digest(body)[..SUM] == *sum, "its check sum does not fit");
    let entries = &body[MAGIC.len()..];
    ensure!(entries.len().is_multiple_of(ENTRY), "it ends within a page");
    Ok(entries)
}
