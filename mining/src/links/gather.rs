//! Reads what the link graph is made of: pages, their links, and how each linked URL was answered.

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{InitHashMaps, PlHashMap};

use super::addresses::{Others, Page, Pages};
use super::edges::{Edges, List};
use super::part::{self, A, FORM, Part, REDIRECT};
use super::resolve::{self, Answer};
use super::third_parties::{Listed, Named};
use crate::source::{Newest, Source, record_key};
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
    /// Other sites that pages name.
    pub named: Listed,
}

/// Reads pages, links and artefacts, each once.
pub fn gather(source: &Source, room: &Room) -> Result<Gathered> {
    let parts = source.shared(DataSet::Links, part::KIND, &part::COLUMNS, "links", part::of_batch)?;
    let pages = pages(source)?;
    let mut others = Others::behind(&pages);
    let mut links = Edges::new(room);
    let mut redirects = PlHashMap::new();
    let mut named = Named::new(room);
    parts.each(
        |_, part: Part| Ok(known(&part, &pages)),
        |part| {
            let numbers = others.merge(&part.others);
            let first = others.first();
            let global = |number: u32| if number < first { number } else { numbers[(number - first) as usize] };
            part.links.iter().try_for_each(|&(from, to)| links.push(from, global(to)))?;
            redirects.extend(part.redirects.iter().map(|&(record, to)| (record, global(to))));
            part.named.iter().try_for_each(|(page, site, kind)| named.push(*page, site, *kind))
        },
    )?;
    let links = links.list()?;
    let answers = answers(source, &pages, &mut others, &redirects)?;
    Ok(Gathered { pages, others, links, answers, named: named.finish()? })
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
struct Known {
    others: Others,
    links: Vec<(u32, u32)>,
    redirects: Vec<(u128, u32)>,
    /// Page, other site, kind.
    named: Vec<(u32, Box<str>, u8)>,
}

fn known(part: &Part, pages: &Pages) -> Known {
    let mut known =
        Known { others: Others::behind(pages), links: Vec::new(), redirects: Vec::new(), named: Vec::new() };
    // Numbers of URLs, as they are met, and the sites of hosts.
    let mut numbers: Vec<Option<u32>> = vec![None; part.urls.len()];
    let sites: Vec<&str> = part.hosts.iter().map(|host| web::registrable(host)).collect();
    for (record, links) in &part.records {
        let record = record_key(record);
        let page = pages.by_record(record);
        let own = page.map_or("", |page| &*pages.pages[page as usize].host);
        let site = web::registrable(own);
        for &(url, kind) in links {
            // A redirect that a page asks for with markup does not count: the page itself was archived, and ends the chain.
            if page.is_some() == (kind == REDIRECT) {
                continue;
            }
            let (target, host) = &part.urls[url as usize];
            if let Some(page) = page {
                let (host, other) = (&*part.hosts[*host as usize], sites[*host as usize]);
                if !host.is_empty() && host != own && other != site {
                    known.named.push((page, other.into(), kind));
                }
            }
            if kind == FORM {
                continue;
            }
            // Requisites get a number too, so that broken ones are found.
            let number = &mut numbers[url as usize];
            let to = *number.get_or_insert_with(|| {
                pages.by_url(target).unwrap_or_else(|| known.others.number(target, &part.hosts[*host as usize]))
            });
            match page {
                Some(from) if kind == A => known.links.push((from, to)),
                Some(_) => {}
                None => known.redirects.push((record, to)),
            }
        }
    }
    known.links.sort_unstable();
    known.links.dedup();
    known.named.sort_unstable();
    known.named.dedup();
    known
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
