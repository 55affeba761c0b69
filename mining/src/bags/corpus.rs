//! The bags of the pages that count over a span, joined.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use archive::DataSet;
use polars::prelude::PlHashMap;
use rayon::prelude::*;

use super::build::Builder;
use super::file::{Bags, Doc};
use crate::source::{Batch, Newest, Source};
use crate::text::{Tokens, language};

/// Files of bags are kept in memory up to so many bytes together, or an eighth of the limit of memory.
const KEPT: u64 = 256 << 20;

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
    files: Vec<File>,
}

/// A page that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Canonical URL.
    pub url: Box<str>,
    /// Its batch and its document there.
    place: (u32, u32),
    /// Terms in it, with repetitions.
    pub length: u32,
}

/// One file of bags, with the numbers of its terms among all.
#[derive(Debug)]
struct File {
    path: PathBuf,
    numbers: Vec<u32>,
    docs: Vec<Doc>,
    kept: Mutex<Option<std::sync::Arc<Bags>>>,
    keep: bool,
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

/// A term of a file: its place among them, where it stands in the file, and how many pages that count hold it.
type Entry = (u32, std::ops::Range<usize>, u32);

/// The number of each term of each file: its number in its share times SHARDS, and the place of the share. A term of pages
/// that do not count has no number.
fn numbered(shards: &mut [Shard], loaded: &[(Bags, Vec<u32>)]) -> Result<Vec<Vec<u32>>> {
    // FNV-1a.
    let hash = |term: &str| {
        term.bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let entries = |(bags, frequencies): &(Bags, Vec<u32>)| -> Result<Vec<Vec<Entry>>> {
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
            let one = |((bags, _), entries): (&(Bags, Vec<u32>), &Vec<Vec<_>>)| {
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
    let mut numbers: Vec<Vec<u32>> = loaded.iter().map(|(bags, _)| vec![u32::MAX; bags.terms()]).collect();
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
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); paths.len()];
        for (_, (batch, row)) in &pages {
            rows[*batch as usize].push(*row);
        }
        rows.iter_mut().for_each(|rows| rows.sort_unstable());
        let sizes: u64 = paths.iter().map(|path| path.metadata().map_or(0, |file| file.len())).sum();
        let keep = sizes <= source.memory().map_or(KEPT, |limit| (limit / 8).min(KEPT));
        let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
        let mut files = Vec::with_capacity(paths.len());
        // Some at a time: their dictionaries are read side by side, and joined by shares of the terms.
        for (paths, rows) in paths.chunks(8).zip(rows.chunks(8)) {
            source.go_on()?;
            let loaded: Vec<(Bags, Vec<u32>)> =
                paths.par_iter().zip(rows).map(|(path, rows)| load(path, rows)).collect::<Result<_>>()?;
            let numbers = numbered(&mut shards, &loaded)?;
            for ((path, (bags, _)), numbers) in paths.iter().zip(loaded).zip(numbers) {
                let docs = bags.docs.clone();
                let kept = Mutex::new(keep.then(|| std::sync::Arc::new(bags)));
                files.push(File { path: path.clone(), numbers, docs, kept, keep });
            }
        }
        let df = |number: u32| shards[number as usize % SHARDS].df[number as usize / SHARDS];
        let all = (0..).zip(&shards).flat_map(|(place, shard)| {
            shard.numbers.iter().map(move |(term, &number)| (&**term, number * SHARDS as u32 + place))
        });
        let mut terms: Vec<(&str, u32)> = all.collect();
        terms.par_sort_unstable();
        let most = shards.iter().map(|shard| shard.df.len()).max().unwrap_or(0);
        let mut rank = vec![0u32; most * SHARDS];
        for (place, (_, number)) in (0u32..).zip(&terms) {
            rank[*number as usize] = place;
        }
        files.par_iter_mut().for_each(|file| {
            for number in file.numbers.iter_mut().filter(|number| **number != u32::MAX) {
                *number = rank[*number as usize];
            }
        });
        let df = terms.par_iter().map(|(_, number)| df(*number)).collect();
        let mut names: Vec<(Box<str>, u32)> = Vec::with_capacity(terms.len());
        drop(terms);
        for (place, shard) in (0..).zip(shards) {
            let ranked = |number: u32| rank[(number * SHARDS as u32 + place) as usize];
            names.extend(shard.numbers.into_iter().map(|(term, number)| (term, ranked(number))));
        }
        let mut terms = vec![Box::<str>::default(); names.len()];
        for (term, rank) in names {
            terms[rank as usize] = term;
        }
        pages.par_sort_unstable();
        let pages: Vec<Page> = pages
            .into_iter()
            .map(|(url, (batch, row))| {
                let docs = &files[batch as usize].docs;
                let doc = docs.binary_search_by_key(&row, |doc| doc.row).ok().context("a page has no bag")?;
                Ok(Page { url, place: (batch, doc as u32), length: docs[doc].length })
            })
            .collect::<Result<_>>()?;
        let length = pages.iter().map(|page| u64::from(page.length)).sum();
        Ok(Corpus { pages, terms, df, length, files })
    }

    /// (term, occurrences) of a page, terms ascending.
    pub fn cells(&self, page: &Page) -> Result<Vec<(u32, u32)>> {
        let file = &self.files[page.place.0 as usize];
        let doc = &file.docs[page.place.1 as usize];
        let bags = file.bags()?;
        let mut cells = Vec::with_capacity(doc.cells as usize);
        bags.cells(doc, |term, count| cells.push((file.numbers[term as usize], count)))
            .with_context(|| file.path.display().to_string())?;
        Ok(cells)
    }

    /// Lets go of files that are in memory only for the pages just read.
    pub fn release(&self) {
        for file in self.files.iter().filter(|file| !file.keep) {
            *file.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

impl File {
    fn bags(&self) -> Result<std::sync::Arc<Bags>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bags) = &*kept {
            return Ok(std::sync::Arc::clone(bags));
        }
        let bags = std::sync::Arc::new(Bags::open(&self.path)?);
        *kept = Some(std::sync::Arc::clone(&bags));
        Ok(bags)
    }
}

/// Files of bags by batch; makes those that are not there yet.
pub fn files(source: &Source, tokens: &Tokens) -> Result<Vec<PathBuf>> {
    let kind = format!("bags-{}", tokens.identity());
    let columns = ["status", "lang", "lang_declared", "text"];
    source.partials(DataSet::Pages, &kind, &columns, "words", |batch| bags(source, batch, tokens))
}

/// Bags of the pages with status 200 of a batch.
fn bags(source: &Source, batch: &Batch, tokens: &Tokens) -> Result<Vec<u8>> {
    let (texts, status) = (batch.text("text")?, batch.int("status")?);
    let (detected, declared) = (batch.text("lang")?, batch.text("lang_declared")?);
    let mut builder = Builder::default();
    for row in (0..batch.rows()).filter(|&row| status.get(row) == Some(200)) {
        if row % 64 == 0 {
            source.go_on()?;
        }
        let language = language(detected.get(row), declared.get(row));
        let text = texts.get(row).unwrap_or("");
        let row = u32::try_from(row)?;
        if tokens.by_piece() {
            builder.add_pieces(row, text, &language, |piece, take| tokens.each(piece, &language, take));
        } else {
            builder.add(row, |take| tokens.each(text, &language, take));
        }
    }
    Ok(builder.finish())
}

/// A file, and in how many of the rows that count each term stands.
fn load(path: &std::path::Path, rows: &[u32]) -> Result<(Bags, Vec<u32>)> {
    let bags = Bags::open(path)?;
    let failed = || path.display().to_string();
    if bags.docs.len() == rows.len() {
        let all = bags.dictionary().map(|term| Ok(term?.1)).collect::<Result<_>>().with_context(failed)?;
        return Ok((bags, all));
    }
    let mut frequencies = vec![0u32; bags.terms()];
    let mut counted = 0;
    for doc in bags.docs.iter().filter(|doc| rows.binary_search(&doc.row).is_ok()) {
        bags.cells(doc, |term, _| frequencies[term as usize] += 1).with_context(failed)?;
        counted += 1;
    }
    ensure!(counted == rows.len(), "{} lacks pages; remove it, and it is made anew", path.display());
    Ok((bags, frequencies))
}
