//! Redirect chains: where each redirecting URL leads.

use anyhow::Result;
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::gather::Gathered;
use super::resolve::{self, MOST_HOPS};

/// A URL that redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// Number of the URL.
    pub from: u32,
    /// Number of the URL at which it ends.
    pub to: u32,
    /// Redirects on the way.
    pub hops: u32,
}

/// All of them, by URL.
pub fn redirects(gathered: &Gathered) -> Vec<Redirect> {
    let pages = gathered.pages.len();
    let moved = |&number: &u32| gathered.answers[number as usize].as_ref().is_some_and(|a| a.redirect.is_some());
    let numbers = (pages as u32..gathered.answers.len() as u32).filter(moved);
    let mut found: Vec<Redirect> = numbers
        .map(|from| {
            let (to, hops) = resolve::chain(from, pages, &gathered.answers);
            Redirect { from, to, hops }
        })
        .collect();
    let urls = gathered.urls();
    found.sort_unstable_by_key(|redirect| urls[redirect.from as usize]);
    found
}

/// Table `redirects`.
pub fn table(gathered: &Gathered, found: &[Redirect]) -> Result<DataFrame> {
    let urls = gathered.urls();
    let status = |redirect: &Redirect| status(gathered, redirect);
    let columns = vec![
        Series::new("src".into(), found.iter().map(|r| urls[r.from as usize]).collect::<Vec<_>>()).into(),
        Series::new("dst".into(), found.iter().map(|r| urls[r.to as usize]).collect::<Vec<_>>()).into(),
        Series::new("hops".into(), found.iter().map(|r| i64::from(r.hops)).collect::<Vec<_>>()).into(),
        Series::new("status".into(), found.iter().map(status).collect::<Vec<Option<i64>>>()).into(),
    ];
    Ok(DataFrame::new(found.len(), columns)?)
}

/// Status at the end of a chain: 200 for a page; none in a circle, and where the end was never asked for or did not answer.
pub fn status(gathered: &Gathered, redirect: &Redirect) -> Option<i64> {
    if (redirect.to as usize) < gathered.pages.len() {
        return Some(200);
    }
    if redirect.hops as usize >= MOST_HOPS {
        return None;
    }
    gathered.answers[redirect.to as usize].as_ref().and_then(|answer| answer.status)
}
