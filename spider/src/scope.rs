//! Which URLs belong to a crawl, and why.
//!
//! A scope is a rule relative to the crawl's seeds. Seeds are known from the frontier, where they stand with depth 0, so a
//! crawl that goes on without naming them has the same scope; a URL that is added later widens it. What a seed redirects
//! to within its own site (`example.org` to `www.example.org`) counts as a seed too.

use std::collections::HashSet;

use regex::{Regex, RegexSet};
use web::{Canonical, registrable};

/// What follows from a seed.
#[derive(Debug, Clone)]
pub enum Rule {
    /// The seeds' hosts, ports included.
    Host,
    /// The seeds' registrable domains.
    Site,
    /// URLs that begin with a seed, up to its last slash.
    Prefix,
    /// URLs that match an expression.
    Pattern(Regex),
}

impl std::str::FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        match text {
            "host" => Ok(Rule::Host),
            "site" => Ok(Rule::Site),
            "prefix" => Ok(Rule::Prefix),
            word if word.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                Err("is none of host, site, prefix, and too plain for a regular expression on URLs".into())
            }
            pattern => Regex::new(pattern).map(Rule::Pattern).map_err(|e| e.to_string()),
        }
    }
}

/// The scope of a crawl.
#[derive(Debug, Clone)]
pub struct Scope {
    rule: Rule,
    include: RegexSet,
    exclude: RegexSet,
    seeds: Seeds,
}

/// What is remembered of the seeds: as much as the rule needs.
#[derive(Debug, Clone, Default)]
struct Seeds {
    hosts: HashSet<String>,
    sites: HashSet<String>,
    prefixes: Vec<String>,
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// In scope.
    pub inside: bool,
    /// Why.
    pub reason: String,
}

impl Scope {
    /// No seed yet.
    pub fn new(rule: Rule, include: RegexSet, exclude: RegexSet) -> Scope {
        Scope { rule, include, exclude, seeds: Seeds::default() }
    }

    /// The rules as one text, the seeds aside.
    pub fn rules(&self) -> String {
        format!("{:?} {:?} {:?}", self.rule, self.include.patterns(), self.exclude.patterns())
    }

    /// Whether `add` would change anything.
    pub fn knows(&self, seed: &Canonical) -> bool {
        let host = seed.host();
        self.seeds.sites.contains(registrable(host))
            && match self.rule {
                Rule::Site | Rule::Pattern(_) => true,
                Rule::Host => self.seeds.hosts.contains(host),
                Rule::Prefix => self.seeds.prefixes.iter().any(|p| seed.as_str().starts_with(p)),
            }
    }

    /// Widens the scope by a seed.
    pub fn add(&mut self, seed: &Canonical) {
        if self.knows(seed) {
            return;
        }
        self.seeds.sites.insert(registrable(seed.host()).to_owned());
        match self.rule {
            Rule::Host => {
                self.seeds.hosts.insert(seed.host().to_owned());
            }
            Rule::Prefix => {
                let folder = folder(seed).to_owned();
                self.seeds.prefixes.retain(|p| !p.starts_with(&folder));
                self.seeds.prefixes.push(folder);
            }
            Rule::Site | Rule::Pattern(_) => {}
        }
    }

    /// True while no seed is known.
    pub fn is_empty(&self) -> bool {
        self.seeds.sites.is_empty()
    }

    /// Whether a link to `url` is followed.
    pub fn contains(&self, url: &Canonical) -> bool {
        self.within_rule(url)
            && (self.include.is_empty() || self.include.is_match(url.as_str()))
            && !self.exclude.is_match(url.as_str())
    }

    /// Whether a seed is fetched: unless it is excluded.
    pub fn admits_seed(&self, url: &Canonical) -> bool {
        !self.exclude.is_match(url.as_str())
    }

    /// Whether what a seed redirected to is fetched, and counts as a seed.
    pub fn admits_redirected_seed(&self, url: &Canonical) -> bool {
        self.contains(url) || (self.seeds.sites.contains(registrable(url.host())) && self.admits_seed(url))
    }

    /// The verdict about a link, in words.
    pub fn explain(&self, url: &Canonical) -> Verdict {
        let verdict = |inside: bool, reason: String| Verdict { inside, reason };
        if self.is_empty() && !matches!(self.rule, Rule::Pattern(_)) {
            return verdict(false, "the crawl has no seed yet".into());
        }
        if !self.within_rule(url) {
            let reason = match &self.rule {
                Rule::Host => format!("host `{}` is not a seed's", url.host()),
                Rule::Site => format!("site `{}` is not a seed's", registrable(url.host())),
                Rule::Prefix => "it begins with no seed's folder".into(),
                Rule::Pattern(p) => format!("it does not match --scope `{p}`"),
            };
            return verdict(false, reason);
        }
        if let Some(i) = self.exclude.matches(url.as_str()).iter().next() {
            return verdict(false, format!("it matches --exclude `{}`", self.exclude.patterns()[i]));
        }
        if !self.include.is_empty() && !self.include.is_match(url.as_str()) {
            return verdict(false, "it matches no --include".into());
        }
        let reason = match &self.rule {
            Rule::Host => format!("host `{}` is a seed's", url.host()),
            Rule::Site => format!("site `{}` is a seed's", registrable(url.host())),
            Rule::Prefix => "it begins with a seed's folder".into(),
            Rule::Pattern(p) => format!("it matches --scope `{p}`"),
        };
        verdict(true, reason)
    }

    fn within_rule(&self, url: &Canonical) -> bool {
        match &self.rule {
            Rule::Host => self.seeds.hosts.contains(url.host()),
            Rule::Site => self.seeds.sites.contains(registrable(url.host())),
            Rule::Prefix => self.seeds.prefixes.iter().any(|p| url.as_str().starts_with(p)),
            Rule::Pattern(p) => p.is_match(url.as_str()),
        }
    }
}

/// The URL up to the last slash of its path.
fn folder(url: &Canonical) -> &str {
    let text = url.as_str();
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    path.rfind('/').map_or(path, |slash| &path[..=slash])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn scope(rule: &str, seeds: &[&str]) -> Scope {
        let mut scope = Scope::new(rule.parse().unwrap(), RegexSet::empty(), RegexSet::empty());
        for seed in seeds {
            scope.add(&web::canonicalise(seed).unwrap());
        }
        scope
    }

    fn contains(scope: &Scope, url: &str) -> bool {
        let url = web::canonicalise(url).unwrap();
        assert_eq!(scope.contains(&url), scope.explain(&url).inside, "{url}");
        scope.contains(&url)
    }

    #[test]
    fn host_site_prefix_and_pattern_follow_from_the_seeds() {
        let host = scope("host", &["http://www.example.org/a/"]);
        assert!(contains(&host, "https://www.example.org/b"));
        assert!(!contains(&host, "http://example.org/"));
        assert!(!contains(&host, "http://www.example.org:8080/"));
        let site = scope("site", &["http://www.example.co.uk/"]);
        assert!(contains(&site, "http://docs.example.co.uk:81/"));
        assert!(!contains(&site, "http://other.co.uk/"));
        let prefix = scope("prefix", &["http://h/docs/index.html?x=/y"]);
        assert!(contains(&prefix, "http://h/docs/a/b"));
        assert!(!contains(&prefix, "http://h/doc"));
        let pattern = scope(r"^https?://[^/]*\.example/", &["http://a/"]);
        assert!(contains(&pattern, "http://x.example/"));
        assert!(!contains(&pattern, "http://a/b"));
        assert!("hots".parse::<Rule>().is_err());
        assert!("(".parse::<Rule>().is_err());
    }

    #[test]
    fn include_and_exclude_narrow_it() {
        let include = RegexSet::new([r"/a/"]).unwrap();
        let exclude = RegexSet::new([r"\.png$"]).unwrap();
        let mut scope = Scope::new(Rule::Host, include, exclude);
        scope.add(&web::canonicalise("http://h/").unwrap());
        assert!(contains(&scope, "http://h/a/x"));
        assert!(!contains(&scope, "http://h/a/x.png"));
        assert!(!contains(&scope, "http://h/b"));
    }

    #[test]
    fn a_seed_that_redirects_within_its_site_brings_the_target_along() {
        let scope = scope("host", &["http://example.org/"]);
        assert!(scope.admits_redirected_seed(&web::canonicalise("https://www.example.org/").unwrap()));
        assert!(!scope.admits_redirected_seed(&web::canonicalise("https://login.example.com/").unwrap()));
    }

    #[test]
    fn a_seed_above_another_takes_its_place() {
        let scope = scope("prefix", &["http://h/a/b/", "http://h/a/"]);
        assert_eq!(scope.seeds.prefixes, ["http://h/a/"]);
    }
}
