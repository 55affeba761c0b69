//! Groups of duplicates: the connected components of pairs, each with an original.

use anyhow::Result;
use polars::prelude::{DataFrame, InitHashMaps, NamedFrom, PlHashMap, Series};

use super::signature::Pages;

/// Groups of two pages or more: the largest first, equal ones by the URL of the original. The original stands first in its
/// group, the others in the order of their URLs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Pages by number.
    pub groups: Vec<Vec<u32>>,
}

impl Groups {
    /// Joins pages with equal bodies and pages with equal texts that may be near duplicates to what is joined already.
    pub fn new(pages: &Pages, mut joined: Union) -> Groups {
        let (mut bodies, mut texts) = (PlHashMap::new(), PlHashMap::new());
        for (number, page) in (0u32..).zip(&pages.pages) {
            if page.body != 0 {
                let first = *bodies.entry(page.body).or_insert(number);
                joined.join(first, number);
            }
            if page.eligible {
                let first = *texts.entry(page.text).or_insert(number);
                joined.join(first, number);
            }
        }
        let mut members: PlHashMap<u32, Vec<u32>> = PlHashMap::new();
        for number in 0..pages.pages.len() as u32 {
            let root = joined.root(number);
            members.entry(root).or_default().push(number);
        }
        let mut groups: Vec<Vec<u32>> = members.into_values().filter(|group| group.len() > 1).collect();
        for group in &mut groups {
            let rank = |&number: &u32| {
                let page = &pages.pages[number as usize];
                (page.at, page.url.len(), number)
            };
            let original = group.iter().copied().min_by_key(rank).unwrap_or_default();
            group.sort_unstable_by_key(|&number| (number != original, number));
        }
        groups.sort_unstable_by_key(|group| (std::cmp::Reverse(group.len()), group[0]));
        Groups { groups }
    }

    /// Table `groups`.
    pub fn table(&self, pages: &Pages, similar: &PlHashMap<u32, f64>) -> Result<DataFrame> {
        let rows: Vec<(i64, u32, u32)> = (0..)
            .zip(&self.groups)
            .flat_map(|(number, group)| group.iter().map(move |&page| (number, page, group[0])))
            .collect();
        let url = |page: u32| &*pages.pages[page as usize].url;
        let body = |page: u32| pages.pages[page as usize].body;
        let exact = |page: u32, original: u32| page == original || body(page) != 0 && body(page) == body(original);
        let columns = vec![
            Series::new("group".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()).into(),
            Series::new("url".into(), rows.iter().map(|row| url(row.1)).collect::<Vec<_>>()).into(),
            Series::new("original".into(), rows.iter().map(|row| url(row.2)).collect::<Vec<_>>()).into(),
            Series::new("exact".into(), rows.iter().map(|row| exact(row.1, row.2)).collect::<Vec<_>>()).into(),
            Series::new(
                "jaccard".into(),
                rows.iter().map(|row| similar.get(&row.1).copied().unwrap_or(1.0)).collect::<Vec<_>>(),
            )
            .into(),
        ];
        Ok(DataFrame::new(rows.len(), columns)?)
    }
}

/// Which pages belong together, so far: union-find with halved paths (Tarjan and van Leeuwen 1984). The least page of a set is its
/// root.
#[derive(Debug)]
pub struct Union {
    parent: Vec<u32>,
}

impl Union {
    /// Each page by itself.
    pub fn new(pages: usize) -> Union {
        Union { parent: (0..pages as u32).collect() }
    }

    /// The page that stands for a page's set.
    pub fn root(&mut self, mut page: u32) -> u32 {
        while self.parent[page as usize] != page {
            self.parent[page as usize] = self.parent[self.parent[page as usize] as usize];
            page = self.parent[page as usize];
        }
        page
    }

    /// Joins the sets of two pages.
    pub fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}
