//! Flags of `spider crawl`, and what they mean: parsed into a plain struct first, then into what the crawl needs.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bus::topic::MAX_BODY;
use clap::Args;
use ipnet::IpNet;
use program::Misuse;
use regex::RegexSet;
use sha2::{Digest, Sha256};
use web::Canonical;

use super::visit::Requisites;
use crate::fetch::address::Addresses;
use crate::fetch::{Deadlines, Options};
use crate::frontier::host::Manners;
use crate::names;
use crate::scope::{Rule, Scope};

/// What belongs to a crawl.
#[derive(Debug, Clone, Args)]
pub struct ScopeFlags {
    /// Name of the crawl; each has a frontier of its own
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = names::crawl)]
    pub crawl: String,
    /// Which links are followed: the seeds' hosts, sites (registrable domains) or folders, or URLs that match a regular
    /// expression. Page requisites and seeds are fetched whatever the scope
    #[arg(long, value_name = "host|site|prefix|REGEX", default_value = "host")]
    pub scope: Rule,
    /// Follow only links to URLs that match one of these regular expressions
    #[arg(long, value_name = "RE")]
    pub include: Vec<String>,
    /// Fetch no URL that matches one of these regular expressions, seeds included
    #[arg(long, value_name = "RE")]
    pub exclude: Vec<String>,
}

/// How requests are made.
#[derive(Debug, Clone, Args)]
pub struct FetchFlags {
    /// Allow addresses that are refused otherwise (private, loopback, link-local …), for example 127.0.0.0/8
    #[arg(long, value_name = "CIDR", value_parser = cidr)]
    pub allow_address: Vec<IpNet>,
    /// User-Agent; robots.txt is asked about its first word up to a slash
    #[arg(long, value_name = "TEXT", default_value = concat!("Kafkaspider/", env!("CARGO_PKG_VERSION")))]
    pub user_agent: String,
    /// Cut bodies at this many bytes, after decoding
    #[arg(long, value_name = "BYTES", default_value_t = MAX_BODY, value_parser = max_body)]
    pub max_body: usize,
    /// Longest time for name resolution, connection and TLS, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub connect_timeout: Duration,
    /// Longest time from request to the end of the answer's headers, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub first_byte_timeout: Duration,
    /// Longest pause within a body, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub idle_timeout: Duration,
    /// Longest time for a whole fetch, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub total_timeout: Duration,
}

/// Flags of `spider crawl`.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// URLs to begin with; without any, the crawl goes on with what it knows
    #[arg(value_name = "SEED")]
    pub seeds: Vec<String>,
    /// File with further seeds, one a line; - is standard input
    #[arg(long = "seeds", value_name = "FILE")]
    pub seeds_file: Option<PathBuf>,
    #[command(flatten)]
    pub scope: ScopeFlags,
    /// Page requisites to fetch too, whatever the scope
    #[arg(long, value_name = "script,style,img", value_delimiter = ',', value_parser = ["script", "style", "img"])]
    pub requisites: Vec<String>,
    /// End when this many distinct pages were fetched with status 200 over the crawl's life (or since the last --recrawl,
    /// where 304, not changed since then, counts too)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub pages: Option<u64>,
    /// Follow links at most this deep; seeds have depth 0
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,
    /// End when nothing is left to fetch; otherwise the crawl goes on with new URLs and with visits that fall due
    #[arg(long)]
    pub until_idle: bool,
    /// Fetch all known URLs again
    #[arg(long)]
    pub recrawl: bool,
    /// Shortest time between two requests to a host, in seconds; robots.txt may ask for more
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub delay: Duration,
    /// Requests to a host at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub per_host: usize,
    /// Requests at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub concurrency: usize,
    /// Most URLs of one host, against traps; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub host_pages: u32,
    /// Tries after a failure that may pass (no connection, timeout, status 429 or 5xx)
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub retries: u32,
    /// Wait before the second try, in seconds; doubled for each further one
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub retry_wait: Duration,
    /// Longest wait that a server may ask for by Retry-After, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub max_wait: Duration,
    /// Follow the links of pages that ask not to by <meta name=robots content=nofollow>
    #[arg(long)]
    pub ignore_nofollow: bool,
    #[command(flatten)]
    pub fetch: FetchFlags,
    /// Name of this spider among those of the crawl, the same after a restart [default: the host name]
    #[arg(long, value_name = "NAME", value_parser = names::instance, default_value_t = names::this_machine(), hide_default_value = true)]
    pub instance: String,
    /// Threads that fetch and parse [default: one a processor, at most 4]
    #[arg(long, value_name = "N", value_parser = at_least_one, default_value_t = threads(), hide_default_value = true)]
    pub threads: usize,
    /// Time between two checkpoints of the local index, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, hide = true)]
    pub checkpoint_every: Duration,
}

/// A crawl to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the crawl.
    pub crawl: String,
    /// Name of this spider.
    pub instance: String,
    /// Seeds.
    pub seeds: Vec<Canonical>,
    /// Scope, with no seed yet.
    pub scope: Scope,
    /// Requisites.
    pub requisites: Requisites,
    /// `--pages`.
    pub pages: Option<u64>,
    /// `--depth`.
    pub depth: Option<u32>,
    /// `--until-idle`.
    pub until_idle: bool,
    /// `--recrawl`.
    pub recrawl: bool,
    /// Manners.
    pub manners: Manners,
    /// `--host-pages`.
    pub host_pages: u32,
    /// `--ignore-nofollow`.
    pub ignore_nofollow: bool,
    /// How requests are made.
    pub fetch: Options,
    /// What robots.txt knows us by.
    pub token: String,
    /// Fetching threads.
    pub threads: usize,
    /// Time between two checkpoints.
    pub checkpoint_every: Duration,
}

impl ScopeFlags {
    /// The scope, with no seed yet.
    pub fn scope(&self) -> Result<Scope> {
        let set = |flag: &str, patterns: &[String]| {
            RegexSet::new(patterns).map_err(|e| Misuse::new(format!("--{flag}: {e}")))
        };
        Ok(Scope::new(self.scope.clone(), set("include", &self.include)?, set("exclude", &self.exclude)?))
    }
}

impl FetchFlags {
    /// What a fetcher is made with.
    pub fn options(&self, per_host: usize, concurrency: usize) -> Options {
        Options {
            user_agent: self.user_agent.clone(),
            addresses: Arc::new(Addresses::new(self.allow_address.clone())),
            deadlines: Deadlines {
                connect: self.connect_timeout,
                first_byte: self.first_byte_timeout,
                idle: self.idle_timeout,
                total: self.total_timeout,
            },
            max_body: self.max_body,
            per_host,
            concurrency,
        }
    }

    /// What robots.txt knows us by.
    pub fn token(&self) -> String {
        let token = self.user_agent.split(['/', ' ']).next().unwrap_or_default();
        token.to_owned()
    }
}

impl Flags {
    /// Checks what the parser could not.
    pub fn settings(self) -> Result<Settings> {
        let scope = self.scope.scope()?;
        let mut seeds = Vec::new();
        for text in &self.seeds {
            seeds.push(seed(text).map_err(Misuse::new)?);
        }
        if let Some(path) = &self.seeds_file {
            let (name, text) = read(path)?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim();
                if !line.is_empty() && !line.starts_with('#') {
                    seeds.push(seed(line).map_err(|e| Misuse::new(format!("{name}:{}: {e}", number + 1)))?);
                }
            }
        }
        let wants = |what: &str| self.requisites.iter().any(|r| r == what);
        Ok(Settings {
            crawl: self.scope.crawl,
            instance: self.instance,
            seeds,
            scope,
            requisites: Requisites { script: wants("script"), style: wants("style"), img: wants("img") },
            pages: self.pages,
            depth: self.depth,
            until_idle: self.until_idle,
            recrawl: self.recrawl,
            manners: Manners {
                delay: self.delay,
                per_host: self.per_host,
                retries: self.retries,
                retry_wait: self.retry_wait,
                max_wait: self.max_wait,
            },
            host_pages: self.host_pages,
            ignore_nofollow: self.ignore_nofollow,
            token: self.fetch.token(),
            fetch: self.fetch.options(self.per_host, self.concurrency),
            threads: self.threads,
            checkpoint_every: self.checkpoint_every,
        })
    }
}

impl Settings {
    /// A name for what is followed of a page's links; none for what a crawl does unless told.
    pub fn follows(&self) -> Option<String> {
        let told = (self.depth, self.scope.rules(), self.requisites, self.ignore_nofollow);
        let plain = Scope::new(Rule::Host, RegexSet::empty(), RegexSet::empty());
        let usual = (None, plain.rules(), Requisites::default(), false);
        (told != usual).then(|| hex::encode(&Sha256::digest(format!("{told:?}"))[..4]))
    }
}

/// A seed as a user writes it.
pub fn seed(text: &str) -> Result<Canonical, String> {
    web::canonicalise(text).map_err(|e| {
        let guess = if text.contains("://") { Err(e.clone()) } else { web::canonicalise(&format!("https://{text}")) };
        match guess {
            Ok(guess) => format!("seed `{text}`: {e}; is it {guess}?"),
            Err(_) => format!("seed `{text}`: {e}"),
        }
    })
}

fn read(path: &PathBuf) -> Result<(String, String)> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read seeds from standard input")?;
        return Ok(("standard input".into(), text));
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read seeds from {}", path.display()))?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok((path.display().to_string(), text))
}

/// Seconds, with a fraction.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| d.as_secs() <= 7 * 24 * 3600)
        .ok_or("not between 0 and a week".into())
}

fn cidr(text: &str) -> Result<IpNet, String> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    net.ok_or_else(|| "not a range such as 127.0.0.0/8, or an address".into())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get()).min(4)
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse::<usize>().ok().filter(|n| (1..=10_000).contains(n)).ok_or("not a number from 1 to 10000".into())
}

fn max_body(text: &str) -> Result<usize, String> {
    let fits = |n: &usize| (1..=MAX_BODY).contains(n);
    text.parse::<usize>().ok().filter(fits).ok_or(format!("not a number from 1 to {MAX_BODY}"))
}
