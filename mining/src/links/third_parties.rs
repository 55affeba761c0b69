//! Third parties: for each site the other sites that its pages link to or load from.

use std::collections::BTreeMap;

use anyhow::Result;
use archive::DataSet;
use polars::prelude::{DataFrame, InitHashMaps, NamedFrom, PlHashMap, Series};

use super::gather::Gathered;
use crate::source::{Batch, Source, record_key};

/// Kinds of links, in the order of their bits.
const KINDS: [&str; 6] = ["a", "form", "iframe", "img", "link", "script"];

/// A site and another that its pages name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThirdParty {
    /// The site, by the public suffix list.
    pub site: String,
    /// The other site.
    pub third_party: String,
    /// Pages of the site that name it.
    pub pages: u64,
    /// Kinds of links, alphabetically, with commas.
    pub kinds: String,
}

/// All of them, by site, the one that most pages name first.
pub fn third_parties(source: &Source, gathered: &Gathered) -> Result<Vec<ThirdParty>> {
    // (page, other site) → kinds: a page's links stand in one batch or two, so each pair is joined here.
    let mut seen: PlHashMap<(u32, Box<str>), u8> = PlHashMap::new();
    source.scan(
        DataSet::Links,
        &["id", "dst_host", "kind"],
        "third parties",
        |batch| rows(batch, gathered),
        |part| {
            for (pair, kinds) in part {
                *seen.entry(pair).or_default() |= kinds;
            }
            Ok(())
        },
    )?;
    let mut sums: BTreeMap<(&str, &str), (u64, u8)> = BTreeMap::new();
    for ((page, other), kinds) in &seen {
        let site = web::registrable(&gathered.pages.pages[*page as usize].host);
        let sum = sums.entry((site, &**other)).or_default();
        sum.0 += 1;
        sum.1 |= kinds;
    }
    let mut found: Vec<ThirdParty> = sums
        .into_iter()
        .map(|((site, other), (pages, kinds))| ThirdParty {
            site: site.to_owned(),
            third_party: other.to_owned(),
            pages,
            kinds: names(kinds),
        })
        .collect();
    // Stable, and they stand in alphabetical order.
    found.sort_by(|a, b| a.site.cmp(&b.site).then(b.pages.cmp(&a.pages)));
    Ok(found)
}

fn names(kinds: u8) -> String {
    let named: Vec<&str> = KINDS.iter().enumerate().filter(|(bit, _)| kinds >> bit & 1 == 1).map(|(_, k)| *k).collect();
    named.join(",")
}

fn rows(batch: &Batch, gathered: &Gathered) -> Result<PlHashMap<(u32, Box<str>), u8>> {
    let (ids, hosts, kinds) = (batch.text("id")?, batch.text("dst_host")?, batch.text("kind")?);
    let mut found: PlHashMap<(u32, Box<str>), u8> = PlHashMap::new();
    // The links of a page stand together: its record is looked up once; and most links of it stay on its host.
    let mut page = ("", None, "", "");
    for row in 0..batch.rows() {
        let (Some(id), Some(host), Some(kind)) = (ids.get(row), hosts.get(row), kinds.get(row)) else { continue };
        let Some(bit) = KINDS.iter().position(|k| *k == kind) else { continue };
        if page.0 != id {
            let number = gathered.pages.by_record(record_key(id));
            let own = number.map_or("", |n| &*gathered.pages.pages[n as usize].host);
            page = (id, number, own, web::registrable(own));
        }
        let Some(number) = page.1 else { continue };
        if host == page.2 || host.is_empty() {
            continue;
        }
        let other = web::registrable(host);
        if other != page.3 {
            *found.entry((number, other.into())).or_default() |= 1 << bit;
        }
    }
    Ok(found)
}

/// Table `third_parties`.
pub fn table(found: &[ThirdParty]) -> Result<DataFrame> {
    let columns = vec![
        Series::new("site".into(), found.iter().map(|t| t.site.as_str()).collect::<Vec<_>>()).into(),
        Series::new("third_party".into(), found.iter().map(|t| t.third_party.as_str()).collect::<Vec<_>>()).into(),
        Series::new("pages".into(), found.iter().map(|t| t.pages as i64).collect::<Vec<_>>()).into(),
        Series::new("kinds".into(), found.iter().map(|t| t.kinds.as_str()).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(found.len(), columns)?)
}
