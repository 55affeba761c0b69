//! What a path does when it does not simply serve a file: rules and behaviours, the same in code and in `site.toml`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;

/// One rule: requests that it matches behave as it says. The first rule that matches wins.
///
/// ```toml
/// [[rule]]
/// path = "/slow/*"          # exact, or everything below when it ends in *
/// times = 2                 # optional: the first two requests only, then as if there were no rule
/// does.drip = { bytes = 64, every_ms = 100 }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name of the host as in `site.toml` (`main` is the first); any host when absent.
    #[serde(default)]
    pub host: Option<String>,
    /// Path with query, still percent-encoded; a final `*` matches everything that begins so.
    pub path: String,
    /// How many matching requests it applies to; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub does: Behaviour,
    #[serde(skip)]
    used: AtomicU32,
}

/// What a matched request meets. Those marked *raw* are written to the socket byte by byte, since no HTTP library
/// would send them, and end the connection.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Behaviour {
    /// Redirects to another path or URL.
    Redirect {
        /// Value of `Location`, sent as it stands.
        to: String,
        /// 302 unless given.
        #[serde(default = "found")]
        status: u16,
    },
    /// Path ends in `*`: n redirects to n+1 until `hops` redirects are done; the last one goes to `to`.
    Chain {
        /// Number of redirects.
        hops: u32,
        /// Where the last one leads.
        to: String,
        /// 302 unless given.
        #[serde(default = "found")]
        status: u16,
    },
    /// Answers with this status and a short page.
    Status {
        /// For example 503.
        status: u16,
        /// Value of `Retry-After`.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// Serves what is there, with these headers set; an empty value removes the header.
    Headers(BTreeMap<String, String>),
    /// Serves what is there, after a pause before the first byte.
    Delay {
        /// Length of the pause.
        ms: u64,
    },
    /// Serves what is there, a few bytes of the body at a time.
    Drip {
        /// Bytes in one piece.
        bytes: usize,
        /// Pause before each piece.
        every_ms: u64,
    },
    /// A body that never ends, as fast as the client reads it.
    Endless {
        /// Pause before each piece of 16 KiB.
        #[serde(default)]
        every_ms: u64,
    },
    /// A small body that decodes to this many MiB of zeros.
    GzipBomb {
        /// Size when decoded.
        mib: u32,
    },
    /// Says gzip and sends something else.
    NotGzip,
    /// Never answers.
    Hang,
    /// *Raw*: closes without an answer.
    Close,
    /// *Raw*: header bytes that come slowly and do not end.
    SlowHeaders {
        /// Pause before each line.
        every_ms: u64,
    },
    /// *Raw*: this many bytes of headers.
    HugeHeaders {
        /// Size of the header block.
        bytes: usize,
    },
    /// *Raw*: a first line that is not HTTP.
    GarbageStatus,
    /// *Raw*: announces 1 MiB, sends `after` bytes, resets the connection (RST).
    Reset {
        /// Body bytes before the reset.
        after: usize,
    },
    /// *Raw*: serves what is there, with a `Content-Length` that is wrong by this much, then closes.
    WrongLength {
        /// Positive: announces more than comes. Negative: announces less.
        by: i64,
    },
    /// *Raw*: a chunked body whose second chunk size is not a number.
    BadChunks,
    /// Path ends in `*`: a calendar of endless months and days, each page linking to the next.
    Calendar,
    /// A page of elements nested this deep around one link.
    Nested {
        /// Number of elements that are open at once.
        depth: u32,
    },
    /// Path ends in `*`: generated pages `0.html` … that link to one another, all reachable from the first.
    Tree {
        /// How many pages there are.
        pages: u32,
        /// Children of each page.
        #[serde(default = "ten")]
        fanout: u32,
        /// One page in four takes so long.
        #[serde(default)]
        slow_ms: u64,
    },
}

fn found() -> u16 {
    302
}

fn ten() -> u32 {
    10
}

impl Rule {
    /// A rule for all hosts and all times.
    pub fn new(path: impl Into<String>, does: Behaviour) -> Rule {
        Rule { host: None, path: path.into(), times: None, does, used: AtomicU32::new(0) }
    }

    /// The same for one host only.
    pub fn on(mut self, host: impl Into<String>) -> Rule {
        self.host = Some(host.into());
        self
    }

    /// The same for the first `times` matching requests only.
    pub fn times(mut self, times: u32) -> Rule {
        self.times = Some(times);
        self
    }

    /// The prefix before the `*`, or the whole path.
    pub(crate) fn prefix(&self) -> &str {
        self.path.strip_suffix('*').unwrap_or(&self.path)
    }

    /// Whether this request is meant; counts it when the rule is bounded.
    pub(crate) fn takes(&self, host: &str, path: &str) -> bool {
        let hit = match self.path.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.path,
        };
        if !hit || self.host.as_deref().is_some_and(|name| name != host) {
            return false;
        }
        match self.times {
            Some(times) => self.used.fetch_add(1, Ordering::Relaxed) < times,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_star_matches_everything_below_and_times_bound_a_rule() {
        let rule = Rule::new("/a/*", Behaviour::Hang).times(2);
        assert!(!rule.takes("main", "/b"));
        assert!(rule.takes("main", "/a/") && rule.takes("main", "/a/b?c"));
        assert!(!rule.takes("main", "/a/"), "the third request is served normally");
        assert!(!Rule::new("/a", Behaviour::Hang).on("other").takes("main", "/a"));
    }

    #[test]
    fn a_rule_reads_from_toml_and_refuses_unknown_keys() {
        let rule: Rule = toml::from_str("path = \"/x\"\ndoes.drip = { bytes = 1, every_ms = 2 }").unwrap();
        assert!(matches!(rule.does, Behaviour::Drip { bytes: 1, every_ms: 2 }));
        let rule: Rule = toml::from_str("path = \"/x\"\ndoes = \"hang\"").unwrap();
        assert!(matches!(rule.does, Behaviour::Hang));
        assert!(toml::from_str::<Rule>("path = \"/x\"\ndoes.drip = { bytes = 1, every_ms = 2, more = 3 }").is_err());
        assert!(toml::from_str::<Rule>("path = \"/x\"\ndoes = \"hang\"\nelse = 1").is_err());
    }
}
