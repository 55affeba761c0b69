//! Third parties: for each site the other sites that its pages link to or load from.

use std::collections::BTreeMap;

use anyhow::Result;
use polars::prelude::{DataFrame, InitHashMaps, NamedFrom, PlHashMap, Series};

use super::addresses::Pages;
use super::part::KINDS;
use crate::spill::{List, Room, Sorter};

/// Which pages name which other sites, and how.
#[derive(Debug)]
pub struct Named {
    numbers: PlHashMap<Box<str>, u32>,
    /// Page and number of the site (as one number), kind: a page's links stand in one batch or two, so pairs are joined here.
    seen: Sorter<2, 2>,
}

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

impl Named {
    /// None yet.
    pub fn new(room: &Room) -> Named {
        Named { numbers: PlHashMap::new(), seen: Sorter::repeating(room) }
    }

    /// A page names a site by a link of a kind.
    pub fn push(&mut self, page: u32, site: &str, kind: u8) -> Result<()> {
        let number = match self.numbers.get(site) {
            Some(&number) => number,
            None => {
                let next = self.numbers.len() as u32;
                self.numbers.insert(site.into(), next);
                next
            }
        };
        self.seen.push([u64::from(page) << 32 | u64::from(number), u64::from(kind)])
    }

    /// What was collected, in order.
    pub fn finish(self) -> Result<Listed> {
        let mut sites = vec![Box::<str>::default(); self.numbers.len()];
        for (site, number) in self.numbers {
            sites[number as usize] = site;
        }
        Ok(Listed { sites, seen: self.seen.list()? })
    }
}

/// Which pages name which other sites, by page.
#[derive(Debug)]
pub struct Listed {
    sites: Vec<Box<str>>,
    seen: List<2>,
}

/// All of them, by site, the one that most pages name first.
pub fn third_parties(pages: &Pages, named: &Listed) -> Result<Vec<ThirdParty>> {
    let mut sums: BTreeMap<(&str, &str), (u64, u8)> = BTreeMap::new();
    let (mut last, mut page) = (None, (u32::MAX, ""));
    named.seen.each(|[pair, kind]| {
        let number = (pair >> 32) as u32;
        if page.0 != number {
            page = (number, web::registrable(&pages.pages[number as usize].host));
        }
        let sum = sums.entry((page.1, &*named.sites[pair as u32 as usize])).or_default();
        sum.0 += u64::from(last.replace(pair) != Some(pair));
        sum.1 |= 1 << kind;
        Ok(())
    })?;
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
