//! One visit, on the fetching side: ask robots.txt's rules, fetch, find the links that may matter.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, LOCATION};
use sha2::{Digest, Sha256};
use url::Url;
use web::{Canonical, LinkKind};

use super::settle::is_media_type;
use crate::clock::Clock;
use crate::fetch::error::{Class, Failure};
use crate::fetch::{Answer, Fetcher, Validators};
use crate::fingerprint::{BuildReady, Fingerprint, Key};
use crate::frontier::{Target, partition_of};
use crate::robots::Robots;
use crate::scope::Scope;

/// Which kinds of page requisites are fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requisites {
    /// Scripts.
    pub script: bool,
    /// Style sheets.
    pub style: bool,
    /// Images.
    pub img: bool,
}

/// What a visit needs besides its URL.
#[derive(Debug, Clone)]
pub struct Context {
    /// Fetches.
    pub fetcher: Fetcher,
    /// What belongs to the crawl.
    pub scope: Arc<Scope>,
    /// Key of fingerprints.
    pub key: Key,
    /// Requisites that are wanted.
    pub requisites: Requisites,
    /// Greatest depth.
    pub depth: Option<u32>,
    /// What is followed, as pages' states name it.
    pub follows: Option<String>,
    /// `<meta name=robots content=nofollow>` means nothing.
    pub ignore_nofollow: bool,
    /// Time.
    pub clock: Clock,
}

/// A link that may matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Fingerprint.
    pub print: Fingerprint,
    /// URL.
    pub url: Canonical,
    /// Partition of its host.
    pub partition: u32,
    /// A page requisite.
    pub requisite: bool,
}

/// How a visit ended.
#[derive(Debug)]
pub struct Visit {
    /// When it began, microseconds since 1970 UTC.
    pub fetched_at: i64,
    /// How long it took.
    pub elapsed: Duration,
    /// A request was sent.
    pub reached: bool,
    /// The answer, or the failure.
    pub result: Result<Page, Failure>,
}

/// An answer with what was found in it.
#[derive(Debug)]
pub struct Page {
    /// The answer.
    pub answer: Answer,
    /// SHA-256 of the body, hexadecimal.
    pub sha256: String,
    /// Where a redirect leads; none when it leads nowhere that is fetched.
    pub redirect: Option<Found>,
    /// Links, each once.
    pub links: Vec<Found>,
}

/// Visits a URL.
pub async fn visit(context: &Context, target: &Target, robots: &Robots) -> Visit {
    let fetched_at = context.clock.micros();
    let started = Instant::now();
    let end = |reached: bool, result| Visit { fetched_at, elapsed: started.elapsed(), reached, result };
    let url = match Url::parse(&target.url) {
        Ok(url) => url,
        Err(e) => return end(false, Err(Failure::lasting(Class::Protocol, e.to_string()))),
    };
    if !robots.allows(&url) {
        return end(false, Err(Failure::lasting(Class::Robots, "robots.txt forbids it")));
    }
    let none = Validators::default();
    // a page whose links were chosen by other rules has to come whole again
    let past = target.past.as_ref().filter(|past| past.follows == context.follows);
    let validators = past.map_or(&none, |past| &past.validators);
    match context.fetcher.fetch(&url, validators).await {
        Err(failure) => end(failure.class != Class::BlockedAddress, Err(failure)),
        Ok(answer) => {
            let mut visit = end(true, Err(Failure::lasting(Class::Protocol, "")));
            visit.result = Ok(read(context, target, &url, answer));
            visit
        }
    }
}

/// Finds what an answer leads to.
fn read(context: &Context, target: &Target, url: &Url, answer: Answer) -> Page {
    let sha256 = hex::encode(Sha256::digest(&answer.body.bytes));
    let mut finder = Finder { context, seen: HashSet::default(), host: None };
    let mut redirect = None;
    if matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        let to = answer.headers.get(LOCATION).and_then(|to| std::str::from_utf8(to.as_bytes()).ok());
        redirect = to.and_then(|to| web::resolve(url, to.trim()).ok()).map(|to| finder.found(to, target.requisite));
    }
    let mut links = Vec::new();
    let (body, content_type) = (&answer.body.bytes, answer.header(CONTENT_TYPE).filter(|t| is_media_type(t)));
    if (200..300).contains(&answer.status) && !target.requisite && web::is_html(content_type, body) {
        // a parser's bug on one page must not end the crawl
        match program::contained(|| web::extract(body, content_type, url, false)) {
            Ok(extraction) => {
                if extraction.truncated {
                    tracing::warn!(url = &*target.url, "a page so large that links at its end are left out");
                }
                links = finder.links(target, extraction);
            }
            Err(reason) => tracing::warn!(url = &*target.url, reason, "no links: the parser failed"),
        }
    }
    Page { answer, sha256, redirect, links }
}

/// Chooses links, each once.
struct Finder<'c> {
    context: &'c Context,
    seen: HashSet<(Fingerprint, bool), BuildReady>,
    /// The host before, with its hash and partition: most links of a page have the same.
    host: Option<(String, u64, u32)>,
}

impl Finder<'_> {
    fn links(&mut self, target: &Target, extraction: web::Extraction) -> Vec<Found> {
        let follow = !extraction.nofollow || self.context.ignore_nofollow;
        let deeper = self.context.depth.is_none_or(|max| target.depth < max);
        let wanted = self.context.requisites;
        let mut links = Vec::new();
        for link in extraction.links {
            let requisite = match link.kind {
                LinkKind::A | LinkKind::Iframe | LinkKind::Redirect => false,
                LinkKind::Script if wanted.script => true,
                LinkKind::Img if wanted.img => true,
                LinkKind::Link if wanted.style && is_stylesheet(link.rel.as_deref()) => true,
                _ => continue,
            };
            let followed = follow && deeper && self.context.scope.contains(&link.url);
            if !requisite && !followed {
                continue;
            }
            let found = self.found(link.url, requisite);
            if self.seen.insert((found.print, requisite)) {
                links.push(found);
            }
        }
        links
    }

    fn found(&mut self, url: Canonical, requisite: bool) -> Found {
        let host = url.host();
        let (hash, partition) = match &self.host {
            Some((name, hash, partition)) if name == host => (*hash, *partition),
            _ => {
                let (hash, partition) = (self.context.key.host(host), partition_of(host));
                self.host = Some((host.to_owned(), hash, partition));
                (hash, partition)
            }
        };
        Found { print: self.context.key.url(hash, url.as_str()), url, partition, requisite }
    }
}

fn is_stylesheet(rel: Option<&str>) -> bool {
    rel.is_some_and(|rel| rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("stylesheet")))
}
