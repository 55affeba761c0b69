//! Numbers for URLs: archived pages first, in the order of their URLs, then every other URL that a link names.

use polars::prelude::{InitHashMaps, PlHashMap};

/// An archived page, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Page {
    /// Canonical URL.
    pub url: Box<str>,
    /// Host, with a port that is not the default.
    pub host: Box<str>,
    /// Key of the record that counts.
    pub record: u128,
}

/// The archived pages; the number of a page is its place in the order of URLs.
#[derive(Debug, Default)]
pub struct Pages {
    /// Pages by number.
    pub pages: Vec<Page>,
    by_url: PlHashMap<Box<str>, u32>,
    by_record: PlHashMap<u128, u32>,
}

impl Pages {
    /// Sorts and numbers pages with distinct URLs.
    pub fn new(mut pages: Vec<Page>) -> Pages {
        pages.sort_unstable();
        let numbered = || pages.iter().zip(0u32..);
        let by_url = numbered().map(|(page, number)| (page.url.clone(), number)).collect();
        let by_record = numbered().map(|(page, number)| (page.record, number)).collect();
        Pages { pages, by_url, by_record }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Number of a URL.
    pub fn by_url(&self, url: &str) -> Option<u32> {
        self.by_url.get(url).copied()
    }

    /// Number of the page that a record holds.
    pub fn by_record(&self, record: u128) -> Option<u32> {
        self.by_record.get(&record).copied()
    }
}

/// URLs that are linked but are no archived page, with their hosts; numbered from the number of pages up.
#[derive(Debug, Default)]
pub struct Others {
    first: u32,
    by_url: PlHashMap<Box<str>, u32>,
    hosts: Vec<Box<str>>,
}

impl Others {
    /// None yet; their numbers start behind those of the pages.
    pub fn behind(pages: &Pages) -> Others {
        Others { first: pages.len() as u32, by_url: PlHashMap::new(), hosts: Vec::new() }
    }

    /// Number of a URL, a new one where it is new.
    pub fn number(&mut self, url: &str, host: &str) -> u32 {
        if let Some(number) = self.get(url) {
            return number;
        }
        let next = self.first + self.hosts.len() as u32;
        self.by_url.insert(url.into(), next);
        self.hosts.push(host.into());
        next
    }

    /// Number of a URL that has one.
    pub fn get(&self, url: &str) -> Option<u32> {
        self.by_url.get(url).copied()
    }

    /// Takes over what another has; gives the new numbers by the other's place.
    pub fn merge(&mut self, other: &Others) -> Vec<u32> {
        let mut numbers = vec![0; other.hosts.len()];
        for (url, &number) in &other.by_url {
            let place = (number - other.first) as usize;
            numbers[place] = self.number(url, &other.hosts[place]);
        }
        numbers
    }

    /// Number of the first.
    pub fn first(&self) -> u32 {
        self.first
    }

    /// Hosts, by place.
    pub fn hosts(&self) -> &[Box<str>] {
        &self.hosts
    }

    /// URLs, by place.
    pub fn urls(&self) -> Vec<&str> {
        let mut urls = vec![""; self.hosts.len()];
        for (url, &number) in &self.by_url {
            urls[(number - self.first) as usize] = url;
        }
        urls
    }
}
