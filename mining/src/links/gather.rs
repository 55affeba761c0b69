//! Reads what the link graph is made of: pages, their links, and how each linked URL was answered.

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{InitHashMaps, PlHashMap};

use super::addresses::{Others, Page, Pages};
use super::edges::{Edges, List};
use super::resolve::{self, Answer};
use crate::source::{Batch, Newest, Source, record_key};
use crate::spill::Room;

/// Links and answers, by numbers of URLs.
#[derive(Debug)]
pub struct Gathered {
    /// Archived pages.
    pub pages: Pages,
    /// Other URLs.
    pub others: Others,
    /// Distinct `a` links (page, URL), sorted; redirects not resolved yet.
    pub links: List,
    /// The newest answer of each URL that has one; 304 is none, since it says that nothing changed.
    pub answers: Vec<Option<Answer>>,
}

/// Reads pages, links and artefacts, each once.
pub fn gather(source: &Source, room: &Room) -> Result<Gathered> {
    let pages = pages(source)?;
    let mut others = Others::behind(&pages);
    let mut links = Edges::new(room);
    let mut redirects = PlHashMap::new();
    source.scan(
        DataSet::Links,
        &["id", "dst", "dst_host", "kind"],
        "links",
        |batch| link_rows(batch, &pages),
        |part| {
            let numbers = others.merge(&part.others);
            let first = others.first();
            let global = |number: u32| if number < first { number } else { numbers[(number - first) as usize] };
            part.links.iter().try_for_each(|&(from, to)| links.push(from, global(to)))?;
            redirects.extend(part.redirects.iter().map(|&(record, to)| (record, global(to))));
            Ok(())
        },
    )?;
    let links = links.list()?;
    let answers = answers(source, &pages, &mut others, &redirects)?;
    Ok(Gathered { pages, others, links, answers })
}

/// The pages that count.
fn pages(source: &Source) -> Result<Pages> {
    let newest = Newest::find(source)?;
    let mut pages = Vec::with_capacity(newest.count());
    source.scan(
        DataSet::Pages,
        &["id", "url", "host"],
        "pages",
        |batch| {
            let (ids, urls, hosts) = (batch.text("id")?, batch.text("url")?, batch.text("host")?);
            let page = |&row: &u32| {
                let row = row as usize;
                Some(Page {
                    url: urls.get(row)?.into(),
                    host: hosts.get(row)?.into(),
                    record: record_key(ids.get(row)?),
                })
            };
            Ok(newest.rows(batch).iter().filter_map(page).collect::<Vec<_>>())
        },
        |part| {
            pages.extend(part);
            Ok(())
        },
    )?;
    Ok(Pages::new(pages))
}

/// Links of one batch; URLs that are no pages are numbered for the batch alone.
struct Part {
    others: Others,
    links: Vec<(u32, u32)>,
    redirects: Vec<(u128, u32)>,
}

fn link_rows(batch: &Batch, pages: &Pages) -> Result<Part> {
    let mut part = Part { others: Others::behind(pages), links: Vec::new(), redirects: Vec::new() };
    let (ids, targets) = (batch.text("id")?, batch.text("dst")?);
    let (hosts, kinds) = (batch.text("dst_host")?, batch.text("kind")?);
    // The links of a page stand together: its record is looked up once.
    let mut record = ("", 0, None);
    for row in 0..batch.rows() {
        let columns = (ids.get(row), targets.get(row), hosts.get(row), kinds.get(row));
        let (Some(id), Some(target), Some(host), Some(kind)) = columns else { continue };
        if kind == "form" {
            continue;
        }
        if record.0 != id {
            let key = record_key(id);
            record = (id, key, pages.by_record(key));
        }
        // A redirect that a page asks for with markup does not count: the page itself was archived, and ends the chain.
        if record.2.is_some() == (kind == "redirect") {
            continue;
        }
        let to = pages.by_url(target).unwrap_or_else(|| part.others.number(target, host));
        match record.2 {
            Some(from) if kind == "a" => part.links.push((from, to)),
            // Requisites get a number, so that broken ones are found.
            Some(_) => {}
            None => part.redirects.push((record.1, to)),
        }
    }
    part.links.sort_unstable();
    part.links.dedup();
    Ok(part)
}

/// The newest answer of each URL that has a number.
fn answers(
    source: &Source,
    pages: &Pages,
    others: &mut Others,
    redirects: &PlHashMap<u128, u32>,
) -> Result<Vec<Option<Answer>>> {
    let mut answers: Vec<Option<Answer>> = vec![None; pages.len() + others.hosts().len()];
    // Redirecting URLs that no page links to: they have no number yet.
    let mut unlinked: Vec<(Box<str>, Box<str>, Answer)> = Vec::new();
    let known = &*others;
    source.scan(
        DataSet::Artefacts,
        &["id", "url", "host", "status", "error", "fetched_at"],
        "answers",
        |batch| {
            let (ids, urls, errors) = (batch.text("id")?, batch.text("url")?, batch.text("error")?);
            let (hosts, status, fetched) = (batch.text("host")?, batch.int("status")?, batch.int("fetched_at")?);
            let (mut found, mut more) = (Vec::new(), Vec::new());
            for row in 0..batch.rows() {
                let (Some(id), Some(url), Some(at)) = (ids.get(row), urls.get(row), fetched.get(row)) else { continue };
                let number = pages.by_url(url).or_else(|| known.get(url));
                let (status, error) = (status.get(row), errors.get(row).map(Into::into));
                let record = record_key(id);
                let redirect = redirects.get(&record).copied();
                if status == Some(304) || number.is_none() && redirect.is_none() {
                    continue;
                }
                let answer = Answer { at, record, status, error, redirect };
                match number {
                    Some(number) => found.push((number, answer)),
                    None => more.push((url.into(), hosts.get(row).unwrap_or("").into(), answer)),
                }
            }
            Ok((found, more))
        },
        |(found, more)| {
            found.into_iter().for_each(|(number, answer)| newer(&mut answers[number as usize], answer));
            unlinked.extend(more);
            Ok(())
        },
    )?;
    for (url, host, answer) in unlinked {
        let number = others.number(&url, &host) as usize;
        if number == answers.len() {
            answers.push(None);
        }
        newer(&mut answers[number], answer);
    }
    Ok(answers)
}

fn newer(slot: &mut Option<Answer>, answer: Answer) {
    if slot.as_ref().is_none_or(|old| (old.at, old.record) < (answer.at, answer.record)) {
        *slot = Some(answer);
    }
}

impl Gathered {
    /// Edges of the page graph: links with redirects followed, both ends archived pages.
    pub fn edges(&self, room: &Room) -> Result<Edges> {
        let pages = self.pages.len();
        let ends: Vec<u32> =
            (0..self.answers.len() as u32).map(|number| resolve::end(number, pages, &self.answers)).collect();
        let mut edges = Edges::new(room);
        self.links.each(|from, to| {
            let end = ends[to as usize];
            if (end as usize) < pages { edges.push(from, end) } else { Ok(()) }
        })?;
        Ok(edges)
    }

    /// Texts of all URLs by number.
    pub fn urls(&self) -> Vec<&str> {
        self.pages.pages.iter().map(|page| &*page.url).chain(self.others.urls()).collect()
    }
}
