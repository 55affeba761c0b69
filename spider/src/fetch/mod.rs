//! One fetch: URL and validators in, answer or failure out. It follows nothing, retries nothing and keeps nothing.
//!
//! No address is reached that [`address`] refuses, every phase has a deadline, and memory is bounded ([`body`]).

pub mod address;
pub mod body;
pub mod decode;
pub mod error;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::warn;
use url::Url;

use address::{Addresses, Resolver};
use body::{Body, Limits, Room};
use error::{Class, Failure};

/// Largest header block that is kept, bytes. The HTTP library gives up a little above it.
const MAX_HEADERS: usize = 256 << 10;

/// How long each phase of a fetch may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Name resolution, TCP and TLS.
    pub connect: Duration,
    /// From the request to the end of the answer's header block.
    pub first_byte: Duration,
    /// Pause between two pieces of the body.
    pub idle: Duration,
    /// Everything together.
    pub total: Duration,
}

/// What a fetcher is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Value of User-Agent.
    pub user_agent: String,
    /// Which addresses may be reached.
    pub addresses: Arc<Addresses>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// Largest body, bytes after decoding.
    pub max_body: usize,
    /// Idle connections kept for each host.
    pub per_host: usize,
    /// Fetches at a time.
    pub concurrency: usize,
}

/// What the server said about the last version of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// ETag.
    pub etag: Option<String>,
    /// Last-Modified.
    pub last_modified: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Header block.
    pub headers: HeaderMap,
    /// Address of the server.
    pub remote: Option<SocketAddr>,
    /// Decoded body.
    pub body: Body,
}

impl Answer {
    /// A header's first value, when it is visible ASCII.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// The header block as lines, CRLF between them.
    pub fn header_block(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.headers.len() * 40);
        for (name, value) in &self.headers {
            if !block.is_empty() {
                block.extend_from_slice(b"\r\n");
            }
            block.extend_from_slice(name.as_str().as_bytes());
            block.extend_from_slice(b": ");
            block.extend_from_slice(value.as_bytes());
        }
        block
    }
}

/// Fetches. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: reqwest::Client,
    addresses: Arc<Addresses>,
    deadlines: Deadlines,
    max_body: usize,
    room: Room,
}

impl Fetcher {
    /// With these options.
    pub fn new(options: &Options) -> anyhow::Result<Fetcher> {
        let agent = HeaderValue::from_str(&options.user_agent)
            .map_err(|_| program::Misuse::new("--user-agent: a header value is visible ASCII"))?;
        let client = match builder(options, &agent).build() {
            Ok(client) => client,
            Err(e) => {
                warn!(
                    "no trusted certificates on this machine ({e}), so every https fetch fails; install ca-certificates"
                );
                let bare = builder(options, &agent).tls_built_in_root_certs(false).build();
                bare.context("cannot set up the HTTP client")?
            }
        };
        Ok(Fetcher {
            client,
            addresses: options.addresses.clone(),
            deadlines: options.deadlines,
            max_body: options.max_body,
            room: Room::new(options.concurrency),
        })
    }

    /// Fetches `url`, which may take until the total deadline.
    pub async fn fetch(&self, url: &Url, validators: &Validators) -> Result<Answer, Failure> {
        self.fetch_at_most(url, validators, self.max_body).await
    }

    /// The same with another limit on the body.
    pub async fn fetch_at_most(&self, url: &Url, validators: &Validators, bytes: usize) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.deadlines.total;
        self.addresses
            .check_literal(url)
            .map_err(|blocked| Failure::lasting(Class::BlockedAddress, blocked.to_string()))?;
        let mut request = self.client.get(url.clone());
        let conditions =
            [(header::IF_NONE_MATCH, &validators.etag), (header::IF_MODIFIED_SINCE, &validators.last_modified)];
        for (name, value) in conditions {
            if let Some(value) = value.as_deref().and_then(|v| HeaderValue::from_str(v).ok()) {
                request = request.header(name, value);
            }
        }
        let until = deadline.min(Instant::now() + self.deadlines.connect + self.deadlines.first_byte);
        let mut response = match tokio::time::timeout_at(until, request.send()).await {
            Ok(response) => response.map_err(|e| Failure::of(&e, url.scheme() == "https"))?,
            Err(_) => return Err(Failure::passing(Class::Timeout, "no answer in time")),
        };
        let size: usize = response.headers().iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
        if size > MAX_HEADERS {
            return Err(Failure::lasting(Class::TooLarge, "the header block is over the limit"));
        }
        let status = response.status().as_u16();
        let remote = response.remote_addr();
        let headers = std::mem::take(response.headers_mut());
        let layers = decode::layers(&joined(&headers, header::CONTENT_ENCODING))?;
        let limits = Limits { bytes, idle: self.deadlines.idle, deadline };
        let body = body::read(response, &layers, &self.room, limits).await?;
        Ok(Answer { status, headers, remote, body })
    }
}

fn builder(options: &Options, agent: &HeaderValue) -> reqwest::ClientBuilder {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, agent.clone());
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(decode::ACCEPT_ENCODING));
    reqwest::Client::builder()
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Resolver::new(options.addresses.clone())))
        .connect_timeout(options.deadlines.connect)
        .pool_max_idle_per_host(options.per_host)
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_nodelay(true)
        .http1_only()
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
}

/// All values of a header, as one text.
fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}
