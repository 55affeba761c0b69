//! From a request to an answer: the rule that matches, the page or file that is there, validators, compression.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, USER_AGENT};
use hyper::{Request, Response};

use crate::body::{Pace, Sending, Ticket};
use crate::files::{self, Found};
use crate::log::lock;
use crate::raw::{Fault, Raw};
use crate::server::Shared;
use crate::{Behaviour, generated};

/// Who asks, and whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) connection: u64,
    pub(crate) peer: SocketAddr,
    /// Index into the site's hosts.
    pub(crate) host: usize,
}

/// The answer; an error is one that has to be written to the socket by hand.
pub(crate) async fn answer(
    shared: &Shared,
    client: Client,
    request: &Request<Incoming>,
) -> Result<Response<Sending>, Raw> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    let mut ticket = Ticket::new(
        shared.log.clone(),
        crate::Request {
            connection: client.connection,
            peer: client.peer.to_string(),
            host: shared.hosts[client.host].address.to_string(),
            method: request.method().to_string(),
            path: path.to_string(),
            status: 0,
            bytes: 0,
            user_agent: header(request, USER_AGENT.as_str()).to_string(),
            start_us: 0,
            end_us: 0,
            start_unix_ms: 0,
            end_unix_ms: 0,
        },
    );
    let name = &shared.hosts[client.host].name;
    let rule = shared.rules.iter().find(|rule| rule.takes(name, path));
    let rest = rule.map_or("", |rule| path.strip_prefix(rule.prefix()).unwrap_or_default());
    let prefix = rule.map_or("", |rule| rule.prefix());
    let there = || finished(shared, request, content(shared, client.host, path));

    let (found, pace): (Found, Option<Pace>) = match rule.map(|rule| &rule.does) {
        None => (there(), None),
        Some(Behaviour::Redirect { to, status }) => (Found::redirect(*status, &shared.filled(to)), None),
        Some(Behaviour::Chain { hops, to, status }) => {
            let done: u32 = rest.parse().unwrap_or(0);
            let next = if done + 1 >= *hops { shared.filled(to) } else { format!("{prefix}{}", done + 1) };
            (Found::redirect(*status, &next), None)
        }
        Some(Behaviour::Status { status, retry_after }) => {
            let mut found = Found::html(*status, format!("<!doctype html><title>{status}</title><p>Not now.</p>"));
            found.set("retry-after", retry_after.as_deref().unwrap_or_default());
            (found, None)
        }
        Some(Behaviour::Headers(headers)) => {
            let mut found = there();
            headers.iter().for_each(|(name, value)| found.set(&name.to_ascii_lowercase(), value));
            (found, None)
        }
        Some(Behaviour::Delay { ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            (there(), None)
        }
        Some(Behaviour::Drip { bytes, every_ms }) => {
            let found = there();
            let pace = Pace::Drip { rest: found.body.clone(), bytes: *bytes, every: Duration::from_millis(*every_ms) };
            (found, Some(pace))
        }
        Some(Behaviour::Endless { every_ms }) => {
            let piece = Bytes::from("<p>and so on</p>\n".repeat(1024));
            let pace = Pace::Endless { piece, every: Duration::from_millis(*every_ms) };
            (Found::html(200, Bytes::new()), Some(pace))
        }
        Some(Behaviour::GzipBomb { mib }) => {
            let mut found = Found::html(200, bomb(*mib));
            found.set("content-encoding", "gzip");
            (found, None)
        }
        Some(Behaviour::NotGzip) => {
            let mut found = Found::html(200, "<!doctype html><title>Plain</title><p>This is not gzip.</p>");
            found.set("content-encoding", "gzip");
            (found, None)
        }
        Some(Behaviour::Hang) => std::future::pending().await,
        Some(Behaviour::Calendar) => (generated::calendar(prefix, rest), None),
        Some(Behaviour::Nested { depth }) => (Found::html(200, generated::nested_page(*depth)), None),
        Some(Behaviour::Tree { pages, fanout, slow_ms }) => {
            if *slow_ms > 0 && rest.bytes().map(u32::from).sum::<u32>().is_multiple_of(4) {
                tokio::time::sleep(Duration::from_millis(*slow_ms)).await;
            }
            (generated::tree(rest, *pages, *fanout), None)
        }
        Some(Behaviour::Close) => return Err(Raw { fault: Fault::Close, ticket }),
        Some(Behaviour::SlowHeaders { every_ms }) => {
            return Err(Raw { fault: Fault::SlowHeaders(Duration::from_millis(*every_ms)), ticket });
        }
        Some(Behaviour::HugeHeaders { bytes }) => return Err(Raw { fault: Fault::HugeHeaders(*bytes), ticket }),
        Some(Behaviour::GarbageStatus) => return Err(Raw { fault: Fault::GarbageStatus, ticket }),
        Some(Behaviour::Reset { after }) => return Err(Raw { fault: Fault::Reset(*after), ticket }),
        Some(Behaviour::WrongLength { by }) => {
            return Err(Raw { fault: Fault::WrongLength(*by, there().body), ticket });
        }
        Some(Behaviour::BadChunks) => return Err(Raw { fault: Fault::BadChunks, ticket }),
    };

    ticket.status(found.status);
    let pace = pace.unwrap_or(Pace::Whole(found.body));
    let mut response = Response::new(Sending::new(pace, ticket));
    *response.status_mut() = hyper::StatusCode::from_u16(found.status).unwrap_or(hyper::StatusCode::OK);
    for (name, value) in &found.headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        let value = hyper::header::HeaderValue::from_bytes(value.as_bytes());
        match (name, value) {
            (Ok(name), Ok(value)) => {
                response.headers_mut().append(name, value);
            }
            _ => eprintln!("site: a header of {path} cannot be sent and was left out"),
        }
    }
    Ok(response)
}

/// The page or file at a path of a host.
fn content(shared: &Shared, host: usize, path: &str) -> Found {
    let host = &shared.hosts[host];
    let bare = path.split('?').next().unwrap_or(path);
    let page = {
        let pages = lock(&shared.pages);
        let at = |path: &str| pages.get(&(host.name.clone(), path.to_string())).cloned();
        at(path).or_else(|| at(bare))
    };
    let mut found = match (page, &host.folder) {
        (Some(page), _) => Found { status: page.status, headers: page.headers, body: page.body },
        (None, Some(folder)) => files::find(folder, bare, shared.listing),
        (None, None) => Found::missing(),
    };
    if shared.fill_in
        && is_text(&found)
        && let Ok(text) = std::str::from_utf8(&found.body)
    {
        found.body = shared.filled(text).into();
    }
    found
}

/// The same after the request's validators (304) and its accepted encodings.
fn finished(shared: &Shared, request: &Request<Incoming>, mut found: Found) -> Found {
    if found.status == 200 && is_unchanged(request, &found) {
        found.status = 304;
        found.body = Bytes::new();
        found.headers.retain(|(name, _)| name != "content-type");
        return found;
    }
    let wanted = header(request, ACCEPT_ENCODING.as_str()).split(',').any(|it| it.trim().starts_with("gzip"));
    if shared.gzip && wanted && found.body.len() >= 256 && is_text(&found) && found.header("content-encoding").is_none()
    {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // writing to memory does not fail
        if encoder.write_all(&found.body).is_ok()
            && let Ok(body) = encoder.finish()
        {
            found.body = body.into();
            found.set("content-encoding", "gzip");
            found.set("vary", "Accept-Encoding");
            if let Some(strong) = found.header("etag").filter(|tag| tag.starts_with('"')).map(str::to_string) {
                found.set("etag", &format!("W/{strong}"));
            }
        }
    }
    found
}

/// RFC 9110, 13.2.2: If-None-Match decides, compared weakly; without it If-Modified-Since does.
fn is_unchanged(request: &Request<Incoming>, found: &Found) -> bool {
    let tags = header(request, IF_NONE_MATCH.as_str());
    if !tags.is_empty() {
        let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_string();
        return found.header("etag").is_some_and(|own| tags.split(',').any(|tag| weak(tag) == weak(own)));
    }
    let since = httpdate::parse_http_date(header(request, IF_MODIFIED_SINCE.as_str()));
    let changed = found.header("last-modified").and_then(|at| httpdate::parse_http_date(at).ok());
    matches!((since, changed), (Ok(since), Some(changed)) if changed <= since)
}

fn is_text(found: &Found) -> bool {
    found.header("content-type").is_some_and(|kind| {
        kind.starts_with("text/") || ["javascript", "json", "xml"].iter().any(|part| kind.contains(part))
    })
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// `mib` MiB of zeros, compressed about 1000 times; made by piece, so the server itself needs no such memory.
fn bomb(mib: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let piece = vec![0u8; 1 << 20];
    for _ in 0..mib {
        // writing to memory does not fail
        let _ = encoder.write_all(&piece);
    }
    encoder.finish().unwrap_or_default()
}
