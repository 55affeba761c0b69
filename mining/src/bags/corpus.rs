//! The bags of the pages that count over a span, joined.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use archive::DataSet;
use polars::prelude::PlHashMap;
use rayon::prelude::*;

use super::build::{Builder, front};
use super::cells::{self, At, Cells};
use super::file::{Bags, Doc, Parts, Raw, joined};
use crate::source::{Batch, Newest, Source};
use crate::text::{Tokens, language};
use crate::threads::each;

/// The cells of all pages are kept in memory up to so many bytes, or an eighth of the limit of memory.
const KEPT: u64 = 256 << 20;
/// Parts of files that are joined at once, and bytes of them, unless a sixteenth of the limit of memory is less.
const PARTS: usize = 8;
const AT_ONCE: u64 = 128 << 20;
/// Bytes of text of a part: of words, and of runs of words, of which most are distinct.
const WORDS: usize = 16 << 20;
const RUNS: usize = 1 << 20;

/// Pages and terms of a span.
#[derive(Debug)]
pub struct Corpus {
    /// Pages in the order of their URLs.
    pub pages: Vec<Page>,
    /// Terms in alphabetical order.
    pub terms: Vec<Box<str>>,
    /// Pages that hold a term, by its number.
    pub df: Vec<u32>,
    /// Terms of all pages, with repetitions.
    pub length: u64,
    /// Numbers of terms by the numbers that they have in `cells`.
    ranks: Vec<u32>,
    cells: Cells,
}

/// A page that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Canonical URL.
    pub url: Box<str>,
    at: At,
    /// Terms in it, with repetitions.
    pub length: u32,
}

/// A part of a file of bags.
struct Part {
    bags: Bags,
    /// How many pages that count hold each term.
    frequencies: Vec<u32>,
    /// Documents that count, each with the number of its page.
    docs: Vec<(Doc, u32)>,
}

/// Shares of the terms; terms are numbered within their share by several threads.
const SHARDS: usize = 8;

/// A share of the terms.
#[derive(Debug, Default)]
struct Shard {
    numbers: PlHashMap<Box<str>, u32>,
    /// Pages that hold a term, by its number here.
    df: Vec<u32>,
}

/// A term of a part: its place among them, where it stands in the file, and how many pages that count hold it.
type Entry = (u32, std::ops::Range<usize>, u32);

/// The number of each term of each part: its number in its share times SHARDS, and the place of the share. A term of pages
/// that do not count has no number.
fn numbered(shards: &mut [Shard], loaded: &[Part]) -> Result<Vec<Vec<u32>>> {
    // FNV-1a.
    let hash = |term: &str| {
        term.bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let entries = |Part { bags, frequencies, .. }: &Part| -> Result<Vec<Vec<Entry>>> {
        let mut shares = vec![Vec::new(); SHARDS];
        for ((place, term), &frequency) in (0..).zip(bags.dictionary_ranges()).zip(frequencies) {
            let range = term?;
            if frequency > 0 {
                let share = (hash(bags.term(&range)?) >> 32) as usize % SHARDS;
                shares[share].push((place, range, frequency));
            }
        }
        Ok(shares)
    };
    let entries: Vec<_> = loaded.par_iter().map(entries).collect::<Result<_>>()?;
    let placed: Vec<Vec<Vec<(u32, u32)>>> = shards
        .par_iter_mut()
        .enumerate()
        .map(|(share, shard)| {
            let one = |(Part { bags, .. }, entries): (&Part, &Vec<Vec<_>>)| {
                let number = |(place, range, frequency): &Entry| {
                    let term = bags.term(range)?;
                    let number = match shard.numbers.get(term) {
                        Some(&number) => number,
                        None => {
                            let next = shard.df.len() as u32;
                            shard.numbers.insert(term.into(), next);
                            shard.df.push(0);
                            next
                        }
                    };
                    shard.df[number as usize] += frequency;
                    Ok((*place, number * SHARDS as u32 + share as u32))
                };
                entries[share].iter().map(number).collect()
            };
            loaded.iter().zip(&entries).map(one).collect()
        })
        .collect::<Result<_>>()?;
    let mut numbers: Vec<Vec<u32>> = loaded.iter().map(|part| vec![u32::MAX; part.bags.terms()]).collect();
    for (file, (place, number)) in placed
        .iter()
        .flat_map(|files| files.iter().enumerate())
        .flat_map(|(file, pairs)| pairs.iter().map(move |pair| (file, *pair)))
    {
        numbers[file][place as usize] = number;
    }
    Ok(numbers)
}

impl Corpus {
    /// Makes the bags that are not there yet, and joins those of the pages that count.
    pub fn open(source: &Source, tokens: &Tokens) -> Result<Corpus> {
        let paths = files(source, tokens)?;
        let newest = Newest::find(source)?;
        let mut pages = Vec::with_capacity(newest.count());
        source.scan(
            DataSet::Pages,
            &["url"],
            "pages",
            |batch| {
                let urls = batch.text("url")?;
                let place = |&row: &u32| urls.get(row as usize).map(|url| (url.into(), (batch.number as u32, row)));
                Ok(newest.rows(batch).iter().filter_map(place).collect::<Vec<(Box<str>, (u32, u32))>>())
            },
            |part| {
                pages.extend(part);
                Ok(())
            },
        )?;
        Corpus::join(source, paths, pages)
    }

    fn join(source: &Source, paths: Vec<PathBuf>, mut pages: Vec<(Box<str>, (u32, u32))>) -> Result<Corpus> {
        pages.par_sort_unstable();
        // By batch: the rows that count, each with the number of its page.
        let mut rows: Vec<Vec<(u32, u32)>> = vec![Vec::new(); paths.len()];
        for (number, (_, (batch, row))) in (0..).zip(&pages) {
            rows[*batch as usize].push((*row, number));
        }
        rows.iter_mut().for_each(|rows| rows.sort_unstable());
        let page = |(url, _)| Page { url, at: At::default(), length: 0 };
        let mut pages: Vec<Page> = pages.into_iter().map(page).collect();
        let share = |of: u64, most: u64| source.memory().map_or(most, |limit| (limit / of).min(most)) as usize;
        let (kept, at_once) = (share(8, KEPT), share(16, AT_ONCE));
        let mut cells = Cells::new(&source.room(), kept);
        let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
        let mut counted = vec![0; paths.len()];
        let mut parts = (0..).zip(&paths).flat_map(|(batch, path)| parts(batch, path)).peekable();
        while parts.peek().is_some() {
            source.go_on()?;
            // Some at a time: their dictionaries are read side by side, and joined by shares of the terms.
            let (mut raw, mut bytes) = (Vec::new(), 0);
            while raw.len() < PARTS
                && bytes < at_once
                && let Some(part) = parts.next()
            {
                let part = part?;
                bytes += part.1.len();
                raw.push(part);
            }
            let loaded = raw.into_par_iter().map(|(batch, raw)| Ok((batch, load(raw, &rows[batch])?)));
            let (batches, loaded): (Vec<usize>, Vec<Part>) = loaded.collect::<Result<Vec<_>>>()?.into_iter().unzip();
            let numbers = numbered(&mut shards, &loaded)?;
            let packed: Vec<_> = loaded.par_iter().zip(&numbers).map(packed).collect::<Result<_>>()?;
            for (batch, (bytes, places)) in batches.into_iter().zip(packed) {
                let start = cells.push(&bytes)?;
                counted[batch] += places.len();
                for (number, at, length) in places {
                    let page = &mut pages[number as usize];
                    (page.at, page.length) = (at.behind(start), length);
                }
            }
        }
        for ((path, rows), counted) in paths.iter().zip(&rows).zip(counted) {
            ensure!(rows.len() == counted, "{} lacks pages; remove it, and it is made anew", path.display());
        }
        drop(rows);
        let df = |number: u32| shards[number as usize % SHARDS].df[number as usize / SHARDS];
        let all = (0..).zip(&shards).flat_map(|(place, shard)| {
            shard.numbers.iter().map(move |(term, &number)| (front(term), &**term, number * SHARDS as u32 + place))
        });
        let mut terms: Vec<(u64, &str, u32)> = all.collect();
        terms.par_sort_unstable();
        let most = shards.iter().map(|shard| shard.df.len()).max().unwrap_or(0);
        let mut ranks = vec![0u32; most * SHARDS];
        for (place, (.., number)) in (0u32..).zip(&terms) {
            ranks[*number as usize] = place;
        }
        let df = terms.par_iter().map(|(.., number)| df(*number)).collect();
        let mut names: Vec<(Box<str>, u32)> = Vec::with_capacity(terms.len());
        drop(terms);
        for (place, shard) in (0..).zip(shards) {
            let ranked = |number: u32| ranks[(number * SHARDS as u32 + place) as usize];
            names.extend(shard.numbers.into_iter().map(|(term, number)| (term, ranked(number))));
        }
        let mut terms = vec![Box::<str>::default(); names.len()];
        for (term, rank) in names {
            terms[rank as usize] = term;
        }
        let length = pages.iter().map(|page| u64::from(page.length)).sum();
        Ok(Corpus { pages, terms, df, length, ranks, cells })
    }

    /// (term, occurrences) of a page, terms ascending.
    pub fn cells(&self, page: &Page) -> Result<Vec<(u32, u32)>> {
        let mut cells = Vec::new();
        // Packed in alphabetical order, which is that of the numbers.
        self.cells.of(page.at, |number, count| cells.push((self.ranks[number as usize], count)))?;
        Ok(cells)
    }
}

/// The parts of a batch's file.
fn parts(batch: usize, path: &Path) -> Box<dyn Iterator<Item = Result<(usize, Raw)>>> {
    match Parts::open(path) {
        Ok(parts) => Box::new(parts.map(move |part| Ok((batch, part?)))),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }
}

/// A page, the place of its cells, its length.
type Placed = (u32, At, u32);

/// Cells of the pages of a part, with their places, and the lengths of the pages.
fn packed((part, numbers): (&Part, &Vec<u32>)) -> Result<(Vec<u8>, Vec<Placed>)> {
    let (mut bytes, mut places, mut row) = (Vec::new(), Vec::with_capacity(part.docs.len()), Vec::new());
    for (doc, page) in &part.docs {
        row.clear();
        part.bags.cells(doc, |term, count| row.push((numbers[term as usize], count)))?;
        places.push((*page, cells::packed(&mut bytes, row.iter().copied())?, doc.length));
    }
    Ok((bytes, places))
}

/// Files of bags by batch; makes those that are not there yet.
pub fn files(source: &Source, tokens: &Tokens) -> Result<Vec<PathBuf>> {
    let kind = format!("bags2-{}", tokens.identity());
    let columns = ["status", "lang", "lang_declared", "text"];
    source.partials(DataSet::Pages, &kind, &columns, "words", |batch| bags(source, batch, tokens))
}

/// A file of the bags of a batch's pages with status 200; its parts are made side by side where threads are idle.
fn bags(source: &Source, batch: &Batch, tokens: &Tokens) -> Result<Vec<u8>> {
    let (texts, status) = (batch.text("text")?, batch.int("status")?);
    let most = if tokens.of_runs() { RUNS } else { WORDS };
    let (mut cut, mut rows, mut read) = (Vec::new(), Vec::new(), 0);
    for row in (0..batch.rows()).filter(|&row| status.get(row) == Some(200)) {
        rows.push(row);
        read += texts.get(row).unwrap_or("").len();
        if read >= most {
            cut.push(std::mem::take(&mut rows));
            read = 0;
        }
    }
    cut.push(rows);
    let one = |rows: &Vec<usize>| part(source, batch, tokens, rows);
    let parts: Result<Vec<_>> = match source.side_by_side() {
        1 => cut.iter().map(one).collect(),
        _ => each(&cut, one).into_iter().collect(),
    };
    Ok(joined(&parts?))
}

/// The bags of some rows of a batch.
fn part(source: &Source, batch: &Batch, tokens: &Tokens, rows: &[usize]) -> Result<Vec<u8>> {
    let texts = batch.text("text")?;
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let mut builder = Builder::default();
    for (place, &row) in rows.iter().enumerate() {
        if place % 64 == 0 {
            source.go_on()?;
        }
        let language = language(detected.get(row), declared.get(row));
        let stop = tokens.stop(&language);
        let text = texts.get(row).unwrap_or("");
        let row = u32::try_from(row)?;
        if tokens.by_piece() {
            builder.add_pieces(row, text, &language, |piece, take| tokens.each(piece, stop, take));
        } else {
            builder.add(row, |take| tokens.each(text, stop, take));
        }
    }
    Ok(builder.finish())
}

/// A part, its documents that count, and in how many of those each term stands.
fn load(raw: Raw, rows: &[(u32, u32)]) -> Result<Part> {
    let bags = raw.open()?;
    let page = |doc: &Doc| rows.binary_search_by_key(&doc.row, |row| row.0).ok().map(|at| (*doc, rows[at].1));
    let docs: Vec<(Doc, u32)> = bags.docs.iter().filter_map(page).collect();
    if docs.len() == bags.docs.len() {
        let frequencies = bags.dictionary().map(|term| Ok(term?.1)).collect::<Result<_>>()?;
        return Ok(Part { bags, frequencies, docs });
    }
    let mut frequencies = vec![0u32; bags.terms()];
    for (doc, _) in &docs {
        bags.cells(doc, |term, _| frequencies[term as usize] += 1)?;
    }
    Ok(Part { bags, frequencies, docs })
}
