//! A URL to be fetched, with what is known of it.

use std::sync::Arc;

use bus::payload::{State, UrlState};

use crate::fetch::Validators;
use crate::fingerprint::Fingerprint;

/// A URL to be fetched. Kept small: a frontier has many of these in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its fingerprint.
    pub print: Fingerprint,
    /// Canonical text.
    pub url: Box<str>,
    /// Page on which it was found.
    pub via: Option<Arc<str>>,
    /// Links from a seed.
    pub depth: u32,
    /// Redirects that led here.
    pub hops: u32,
    /// Page requisite: fetched whatever the scope, not followed.
    pub requisite: bool,
    /// Failed attempts in a row.
    pub attempts: u32,
    /// Not before this time, seconds since 1970 UTC.
    pub next: i64,
    /// What earlier fetches left; none when there was none.
    pub past: Option<Box<Past>>,
}

/// What earlier fetches of a URL left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Last status.
    pub status: Option<u16>,
    /// For conditional requests.
    pub validators: Validators,
    /// First 8 bytes of the body's SHA-256, hexadecimal.
    pub hash: Option<String>,
    /// Seconds between visits.
    pub interval: i64,
    /// The recrawl mark at the last fetch.
    pub mark: i64,
    /// Fetched with status 200 under that mark.
    pub ok: bool,
    /// The last fetch failed for a reason that may pass.
    pub passing: bool,
    /// Class of failure of the last fetch.
    pub error: Option<String>,
    /// What was followed of its links when it was read last.
    pub follows: Option<String>,
}

impl Target {
    /// From what the frontier says.
    pub fn new(print: Fingerprint, url: Box<str>, via: Option<Arc<str>>, state: UrlState) -> Target {
        let visited = state.state != State::Pending || state.status.is_some() || state.ok || state.hash.is_some();
        let past = visited.then(|| {
            let validators = Validators { etag: state.etag, last_modified: state.last_modified };
            let UrlState { status, hash, interval, mark, ok, passing, error, follows, .. } = state;
            Box::new(Past { status, validators, hash, interval, mark, ok, passing, error, follows })
        });
        Target {
            print,
            url,
            via,
            depth: state.depth,
            hops: state.hops,
            requisite: state.requisite,
            attempts: state.attempts,
            next: state.next_fetch,
            past,
        }
    }

    /// What the frontier is to say: `state` and `next`, everything else as it is.
    pub fn state(&self, state: State, next_fetch: i64) -> UrlState {
        let past = self.past.as_deref().cloned().unwrap_or_default();
        UrlState {
            state,
            depth: self.depth,
            hops: self.hops,
            via: self.via.as_deref().map(Into::into),
            requisite: self.requisite,
            attempts: self.attempts,
            next_fetch,
            status: past.status,
            etag: past.validators.etag,
            last_modified: past.validators.last_modified,
            hash: past.hash,
            interval: past.interval,
            mark: past.mark,
            ok: past.ok,
            passing: past.passing,
            error: past.error,
            follows: past.follows,
        }
    }

    /// Fetched with status 200 under `mark` before.
    pub fn counted(&self, mark: i64) -> bool {
        !self.requisite && self.past.as_ref().is_some_and(|p| p.ok && p.mark == mark)
    }

    /// True for https.
    pub fn https(&self) -> bool {
        self.url.starts_with("https:")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::fingerprint::Key;

    #[test]
    fn a_state_goes_through_a_target_unchanged() {
        let url = web::canonicalise("http://h/a").unwrap();
        for state in [
            UrlState { state: State::Pending, depth: 3, via: Some("http://h/".into()), ..UrlState::default() },
            UrlState {
                state: State::Fetched,
                status: Some(200),
                etag: Some("\"x\"".into()),
                last_modified: Some("Wed, 21 Oct 2015 07:28:00 GMT".into()),
                hash: Some("0011223344556677".into()),
                interval: 3600,
                next_fetch: 1_800_000_000,
                mark: 7,
                ok: true,
                attempts: 2,
                hops: 1,
                requisite: true,
                passing: true,
                error: Some("timeout".into()),
                follows: Some("0011aabb".into()),
                ..UrlState::default()
            },
        ] {
            let via = state.via.as_deref().map(Arc::from);
            let target = Target::new(Key([1, 2]).of(&url), url.as_str().into(), via, state.clone());
            assert_eq!(target.state(state.state, state.next_fetch), state);
        }
    }
}
