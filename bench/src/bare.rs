//! The bare loop: the same crawl in memory, with the same HTTP client and link extractor, storing nothing.
//!
//! What it leaves out is what a crawler is for: no robots.txt, no politeness, no durable state, no body kept.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::sync::{Semaphore, mpsc};
use url::Url;

/// Crawls the host of `url` and prints how many URLs answered, whatever their status.
pub fn run(url: &str, concurrency: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let pages = runtime.block_on(crawl(url, concurrency))?;
    println!("{pages}");
    Ok(())
}

struct Shared {
    client: reqwest::Client,
    host: String,
    known: Mutex<HashSet<String>>,
    pages: AtomicUsize,
    open: AtomicUsize,
    found: mpsc::UnboundedSender<String>,
}

async fn crawl(seed: &str, concurrency: usize) -> Result<usize> {
    let seed = web::canonicalise(seed)?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(concurrency)
        .build()?;
    let (found, mut queue) = mpsc::unbounded_channel();
    let shared = Arc::new(Shared {
        client,
        host: seed.host().to_owned(),
        known: Mutex::new(HashSet::from([seed.as_str().to_owned()])),
        pages: AtomicUsize::new(0),
        open: AtomicUsize::new(1),
        found,
    });
    shared.found.send(seed.into_string())?;
    let permits = Arc::new(Semaphore::new(concurrency));
    while let Some(url) = queue.recv().await {
        if url.is_empty() {
            break;
        }
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A page that fails is not counted; the ratio table shows the number of pages.
            let _ = visit(&shared, &url).await;
            if shared.open.fetch_sub(1, Ordering::AcqRel) == 1 {
                let _ = shared.found.send(String::new());
            }
            drop(permit);
        });
    }
    Ok(shared.pages.load(Ordering::Relaxed))
}

async fn visit(shared: &Shared, url: &str) -> Result<()> {
    let response = shared.client.get(url).send().await?;
    let status = response.status();
    let content_type = text_header(&response, "content-type");
    let location = text_header(&response, "location");
    let body = response.bytes().await?;
    shared.pages.fetch_add(1, Ordering::Relaxed);
    let base = Url::parse(url)?;
    let mut next = Vec::new();
    if status.is_redirection() {
        next.extend(location.and_then(|l| web::resolve(&base, &l).ok()));
    } else if status.is_success() && content_type.as_deref().is_some_and(|t| t.starts_with("text/html")) {
        let page = web::extract(&body, content_type.as_deref(), &base, false);
        let followed = [web::LinkKind::A, web::LinkKind::Iframe, web::LinkKind::Redirect];
        next.extend(page.links.into_iter().filter(|l| followed.contains(&l.kind)).map(|l| l.url));
    }
    next.retain(|u| u.host() == shared.host);
    let mut known = shared.known.lock().map_err(|_| anyhow::anyhow!("a visitor panicked"))?;
    for u in next {
        if !known.contains(u.as_str()) {
            known.insert(u.as_str().to_owned());
            shared.open.fetch_add(1, Ordering::AcqRel);
            shared.found.send(u.into_string())?;
        }
    }
    Ok(())
}

fn text_header(response: &reqwest::Response, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}
