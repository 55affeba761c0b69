//! robots.txt (RFC 9309): fetching it, asking it, and saying which line decided.
//!
//! It is the only thing whose redirects are followed at once, five at most, each hop checked like any other fetch. A
//! 4xx allows everything; a server or network error forbids everything until it was read (429 counts as such an error).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER};
use url::{Position, Url};

use crate::fetch::error::{Class, Failure};
use crate::fetch::{Fetcher, Validators};
use crate::revisit;

/// How much of the file counts (RFC 9309, section 2.5).
const MAX_BYTES: usize = 500 << 10;
/// Redirects that are followed (RFC 9309, section 2.3.1.2).
const MAX_REDIRECTS: usize = 5;
/// Longest Crawl-delay that is honoured; longer ones would park a host for good.
const MAX_CRAWL_DELAY: Duration = Duration::from_secs(60);

/// How much of a line is shown, characters.
const MAX_SHOWN: usize = 200;

/// The rules of one origin for this spider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Robots {
    rules: robotxt::Robots,
}

/// A line of robots.txt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// As it stands there.
    pub text: String,
}

impl Robots {
    /// The rules in `text` for the product `token`.
    pub fn parse(text: &[u8], token: &str) -> Robots {
        Robots { rules: robotxt::Robots::parse(&without_versions(text, token), token) }
    }

    /// No rule at all.
    pub fn allow_all() -> Robots {
        Robots { rules: robotxt::Robots::allow_all() }
    }

    /// Whether `url` may be fetched.
    pub fn allows(&self, url: &Url) -> bool {
        self.rules.is_url_allowed(url)
    }

    /// Time between two requests that the file asks for, as far as it is honoured.
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.asked_delay().map(|d| d.min(MAX_CRAWL_DELAY))
    }

    /// Time between two requests that the file asks for.
    pub fn asked_delay(&self) -> Option<Duration> {
        self.rules.crawl_delay()
    }

    /// The line of `text`, from which these rules were parsed, that decides about `url`; none when no rule matches.
    pub fn deciding_line(&self, text: &[u8], url: &Url) -> Option<Line> {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let rule = self.rules.matching_rule(path)?;
        let ends = line_ends(text);
        // The rule appears with the first prefix of the file that yields it. Our group is named after each prefix, so that
        // it is ours that is chosen there too, and a longer prefix has all the rules of a shorter one.
        let agent = self.rules.user_agent();
        let plain = without_versions(text, agent);
        let yields = |end: usize| {
            let prefix = [&plain[..end], b"\nuser-agent: ", agent.as_bytes()].concat();
            robotxt::Robots::parse(&prefix, agent).rules().contains(rule)
        };
        let line = ends.partition_point(|end| !yields(*end));
        let start = line.checked_sub(1).map_or(0, |before| ends[before]);
        let end = *ends.get(line)?;
        let text = String::from_utf8_lossy(&text[start..end]).trim().chars().take(MAX_SHOWN).collect();
        Some(Line { number: line + 1, text })
    }
}

/// The text with blanks in the place of what follows our token in a group's name: `Kafkaspider/2.0` means us too, since a token
/// ends where a character comes that it cannot have (RFC 9309, section 2.2.1).
fn without_versions<'t>(text: &'t [u8], token: &str) -> Cow<'t, [u8]> {
    let mut plain = Cow::Borrowed(text);
    let mut start = 0;
    for end in line_ends(text) {
        let line = &text[start..end];
        if let Some(colon) = line.iter().position(|byte| *byte == b':')
            && line[..colon].trim_ascii().eq_ignore_ascii_case(b"user-agent")
        {
            let name =
                start + colon + 1 + line[colon + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let after = name + token.len();
            let is_ours = text.get(name..after).is_some_and(|name| name.eq_ignore_ascii_case(token.as_bytes()));
            if is_ours && text.get(after) == Some(&b'/') {
                let rest =
                    text[after..end].iter().take_while(|byte| !byte.is_ascii_whitespace() && **byte != b'#').count();
                plain.to_mut()[after..after + rest].fill(b' ');
            }
        }
        start = end;
    }
    plain
}

/// Where the lines end, which do so with CR, LF, or both (RFC 9309, section 2.2).
fn line_ends(text: &[u8]) -> Vec<usize> {
    let ends = |i: &usize| text[*i] == b'\n' || text[*i] == b'\r' && text.get(*i + 1) != Some(&b'\n');
    (0..text.len()).filter(ends).map(|i| i + 1).chain([text.len()]).collect()
}

/// What asking for robots.txt gave.
#[derive(Debug)]
pub enum Found {
    /// Rules, and the text they come from (empty when there is no file).
    Rules(Arc<Robots>, Vec<u8>),
    /// Nothing that can be relied upon: nothing may be fetched. Perhaps with a time to wait.
    Unreachable(Failure, Option<Duration>),
}

/// Address of the file that decides about `url`.
pub fn address(url: &Url) -> Url {
    let mut address = url.clone();
    address.set_path("/robots.txt");
    address.set_query(None);
    address.set_fragment(None);
    address
}

/// Fetches the rules at `address`; waits `delay` before each redirect that leads to the same host.
pub async fn fetch(fetcher: &Fetcher, address: Url, token: &str, delay: Duration) -> Found {
    let mut url = address;
    for _ in 0..=MAX_REDIRECTS {
        let answer = match fetcher.fetch_at_most(&url, &Validators::default(), MAX_BYTES + 1).await {
            Ok(answer) => answer,
            Err(failure) => return Found::Unreachable(failure, None),
        };
        match answer.status {
            200..=299 => {
                let robots = Robots::parse(&answer.body.bytes, token);
                return Found::Rules(Arc::new(robots), answer.body.bytes);
            }
            429 | 500..=599 => {
                let wait = answer.header(RETRY_AFTER).and_then(revisit::retry_after);
                let reason = format!("robots.txt answered with status {}", answer.status);
                return Found::Unreachable(Failure::passing(Class::Robots, reason), wait);
            }
            300..=399 => {
                let next = answer.header(LOCATION).and_then(|to| url.join(to).ok());
                let Some(next) = next.filter(|next| matches!(next.scheme(), "http" | "https")) else { break };
                if next.host_str() == url.host_str() {
                    tokio::time::sleep(delay).await;
                }
                url = next;
            }
            _ => break,
        }
    }
    Found::Rules(Arc::new(Robots::allow_all()), Vec::new())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"# rules\nUser-agent: other\nDisallow: /private\n\nUser-agent: *\nCrawl-delay: 2\nDisallow: /private\nAllow: /private/open\nDisallow: /\xe4\n";

    fn line(text: &[u8], url: &str) -> Option<(usize, String)> {
        let robots = Robots::parse(text, "Kafkaspider");
        robots.deciding_line(text, &Url::parse(url).unwrap()).map(|l| (l.number, l.text))
    }

    #[test]
    fn the_line_that_decides_is_named() {
        assert_eq!(line(TEXT, "http://h/private/x"), Some((7, "Disallow: /private".into())));
        assert_eq!(line(TEXT, "http://h/private/open"), Some((8, "Allow: /private/open".into())));
        assert_eq!(line(TEXT, "http://h/else"), None);
        assert_eq!(line(b"user-agent: kafkaspider\ndisallow: /", "http://h/x"), Some((2, "disallow: /".into())));
        let groups = b"user-agent: *\rdisallow: /a\r\rUser-agent: *\r\nDisallow: /c\n\nuser-agent: kafkaspider\nDisallow: /q\n\nuser-agent: Kafkaspider\nDisallow: /a\n";
        assert_eq!(line(groups, "http://h/a"), Some((11, "Disallow: /a".into())));
        assert_eq!(line(groups, "http://h/c"), None);
        let versions = b"user-agent: *\nallow: /\n\nUSER-AGENT : kafkaspider/2.0 # the new one\nDisallow: /a\n\nuser-agent: kafkaspiders/1\ndisallow: /b\n\nuser-agent: kafkaspider/";
        assert_eq!(line(versions, "http://h/a"), Some((5, "Disallow: /a".into())));
        assert_eq!(line(versions, "http://h/b"), None);
        let long = format!("user-agent: *\ndisallow: /a\ndisallow: /{}", "b".repeat(5000));
        let (number, text) = line(long.as_bytes(), &format!("http://h/{}", "b".repeat(5000))).unwrap();
        assert_eq!((number, text.len()), (3, MAX_SHOWN));
    }

    #[test]
    fn rules_and_crawl_delay_are_those_of_our_group() {
        let robots = Robots::parse(TEXT, "Kafkaspider");
        assert!(!robots.allows(&Url::parse("http://h/private").unwrap()));
        assert!(robots.allows(&Url::parse("http://h/private/open/x").unwrap()));
        assert_eq!(robots.crawl_delay(), Some(Duration::from_secs(2)));
        assert_eq!(Robots::parse(TEXT, "other").crawl_delay(), None);
        let greedy = Robots::parse(b"user-agent: *\ncrawl-delay: 86400", "Kafkaspider");
        assert_eq!(greedy.crawl_delay(), Some(MAX_CRAWL_DELAY));
    }

    #[test]
    fn the_file_stands_at_the_root_of_the_origin() {
        let url = Url::parse("https://h:8443/a/b?c=d#e").unwrap();
        assert_eq!(address(&url).as_str(), "https://h:8443/robots.txt");
    }
}
