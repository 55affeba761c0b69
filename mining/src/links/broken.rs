//! Broken links: those of archived pages whose target was asked for and could not be had, after redirects.

use anyhow::Result;
use archive::DataSet;

use super::gather::Gathered;
use super::resolve;
use crate::source::{Batch, Source, record_key};

/// One broken link; a target that a page links twice stands once, with the first anchor that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Number of the page that holds it.
    pub from: u32,
    /// Number of the URL as linked.
    pub to: u32,
    /// Number of the URL at which its redirects end.
    pub end: u32,
    /// Text of the link.
    pub anchor: Option<String>,
}

/// All broken links by page and target. Reads `links` once more, unless no target is broken.
pub fn broken(source: &Source, gathered: &Gathered) -> Result<Vec<Broken>> {
    let pages = gathered.pages.len();
    // By number of the URL as linked: where it ends, when that is broken.
    let ends: Vec<Option<u32>> = (0..gathered.answers.len() as u32)
        .map(|number| {
            let end = resolve::end(number, pages, &gathered.answers);
            gathered.answers[end as usize].as_ref().filter(|answer| answer.is_broken()).map(|_| end)
        })
        .collect();
    if ends.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    source.scan(
        DataSet::Links,
        &["id", "ordinal", "dst", "kind", "anchor"],
        "broken links",
        |batch| rows(batch, gathered, &ends),
        |part| {
            found.extend(part);
            Ok(())
        },
    )?;
    found.sort_unstable();
    let mut links: Vec<Broken> = Vec::new();
    for (from, to, end, _, anchor) in found {
        match links.last_mut() {
            Some(last) if (last.from, last.to) == (from, to) => last.anchor = last.anchor.take().or(anchor),
            _ => links.push(Broken { from, to, end, anchor }),
        }
    }
    // Numbers of URLs that are no pages differ from run to run: their texts decide the order.
    let others = gathered.others.urls();
    let text = |number: u32| match gathered.pages.pages.get(number as usize) {
        Some(page) => &*page.url,
        None => others[number as usize - pages],
    };
    links.sort_by(|a, b| (a.from, text(a.to)).cmp(&(b.from, text(b.to))));
    Ok(links)
}

type Row = (u32, u32, u32, i64, Option<String>);

fn rows(batch: &Batch, gathered: &Gathered, ends: &[Option<u32>]) -> Result<Vec<Row>> {
    let (ids, targets) = (batch.text("id")?, batch.text("dst")?);
    let (kinds, anchors) = (batch.text("kind")?, batch.text("anchor")?);
    let ordinals = batch.int("ordinal")?;
    let mut found = Vec::new();
    for row in 0..batch.rows() {
        // What a form sends and where markup redirects to are not links that a reader follows.
        let Some("a" | "img" | "script" | "iframe" | "link") = kinds.get(row) else { continue };
        let (Some(id), Some(target), Some(ordinal)) = (ids.get(row), targets.get(row), ordinals.get(row)) else {
            continue;
        };
        let Some(to) = gathered.pages.by_url(target).or_else(|| gathered.others.get(target)) else { continue };
        let Some(end) = ends[to as usize] else { continue };
        if let Some(from) = gathered.pages.by_record(record_key(id)) {
            let anchor = anchors.get(row).map(str::trim).filter(|a| !a.is_empty()).map(str::to_owned);
            found.push((from, to, end, ordinal, anchor));
        }
    }
    Ok(found)
}
