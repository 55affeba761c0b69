//! One artefact to what goes into `pages`, `links` and `scripts`. Never fails, whatever the bytes.

use sha2::{Digest, Sha256};
use url::Url;
use web::{Link, LinkKind, Resolver};

use super::budget::Budget;
use super::facts::{Facts, Script};
use super::tree::Bounds;
use super::{content, language, stream, tree};

/// What an artefact is, as far as extraction needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Canonical URL.
    pub url: &'a str,
    /// Media type that the server said.
    pub content_type: Option<&'a str>,
    /// Body; none when there is none, or one that is not HTML by its media type.
    pub body: Option<&'a [u8]>,
    /// Where a redirect leads, as it stands in the header.
    pub location: Option<&'a str>,
}

/// What was extracted.
#[derive(Debug, Default)]
pub struct Output {
    /// The page; none for a redirect with no page.
    pub page: Option<Page>,
    /// Its links, in order; a redirect comes first.
    pub links: Vec<Link>,
    /// Its scripts, in order.
    pub scripts: Vec<PageScript>,
    /// Why the page could not be read in the usual way.
    pub trouble: Option<Trouble>,
}

/// Why a page could not be read in the usual way; it has its row all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Too many nodes, too deep or too slow for a tree.
    TooLarge,
    /// The parser panicked, with this message.
    Panicked(String),
}

/// A row of `pages`, but for what the artefact's row has already.
#[derive(Debug, Default)]
pub struct Page {
    /// Title.
    pub title: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Canonical URL that the page declares.
    pub canonical: Option<String>,
    /// Language detected.
    pub lang: Option<&'static str>,
    /// Language declared.
    pub lang_declared: Option<String>,
    /// Main content.
    pub text: String,
    /// Words in it.
    pub words: i64,
}

/// A row of `scripts`.
#[derive(Debug)]
pub struct PageScript {
    /// Canonical URL; none when inline.
    pub src: Option<String>,
    /// SHA-256 and text when inline.
    pub inline: Option<(String, String)>,
}

/// True for a status that leads elsewhere by its `Location`.
pub fn is_redirect(status: i64) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Extracts one artefact.
pub fn extract(input: &Input<'_>, budget: &Budget) -> Output {
    let mut output = Output::default();
    let Ok(url) = Url::parse(input.url) else { return output };
    if let Some(location) = input.location
        && let Ok(target) = web::resolve(&url, location.trim())
    {
        output.links.push(Link { kind: LinkKind::Redirect, url: target, rel: None, anchor: None });
    }
    let Some(body) = input.body.filter(|body| web::is_html(input.content_type, body)) else { return output };
    let (text, charset) = web::decode(body, input.content_type);
    // A browser follows the redirect and never shows the links of its page.
    let wants_links = output.links.is_empty();
    let links = wants_links.then(|| web::Collector::new(&url, charset, true));
    let facts = match read(&text, links, budget) {
        Ok((facts, links)) => {
            output.links.extend(links.unwrap_or_default());
            facts
        }
        Err(trouble) => {
            output.trouble = Some(trouble);
            if wants_links {
                match program::contained(|| web::extract(body, input.content_type, &url, true)) {
                    Ok(found) => output.links = found.links,
                    Err(message) => output.trouble = Some(Trouble::Panicked(message)),
                }
            }
            match program::contained(|| stream::read(&text, Bounds::default().time)) {
                Ok(facts) => facts,
                Err(message) => {
                    output.trouble = Some(Trouble::Panicked(message));
                    Facts::default()
                }
            }
        }
    };
    let base = facts.base.as_deref().and_then(|base| url.join(base).ok()).unwrap_or(url);
    let resolver = Resolver::new(&base);
    let resolve = |reference: &str| resolver.resolve(reference.trim()).ok().map(web::Canonical::into_string);
    output.scripts = facts.scripts.into_iter().filter_map(|script| page_script(script, &resolve)).collect();
    output.page = Some(Page {
        title: facts.title,
        description: facts.description,
        canonical: facts.canonical.as_deref().and_then(resolve),
        lang: language::of(&facts.text),
        lang_declared: facts.lang,
        words: words(&facts.text),
        text: facts.text,
    });
    output
}

/// What a page says and, where they are asked for, its links: by one parse.
fn read(text: &str, mut links: Option<web::Collector>, budget: &Budget) -> Result<(Facts, Option<Vec<Link>>), Trouble> {
    let read = program::contained(move || {
        let _share = budget.take(text.len());
        let tree = tree::parse(text, &Bounds::default(), &mut links)?;
        Some((content::read(&tree), links.map(|links| links.finish().links)))
    });
    match read {
        Ok(Some(read)) => Ok(read),
        Ok(None) => Err(Trouble::TooLarge),
        Err(message) => Err(Trouble::Panicked(message)),
    }
}

/// A script that has no URL a spider fetches (`data:`, `blob:`) is left out.
fn page_script(script: Script, resolve: &impl Fn(&str) -> Option<String>) -> Option<PageScript> {
    match script {
        Script::Elsewhere(src) => Some(PageScript { src: Some(resolve(&src)?), inline: None }),
        Script::Inline(text) => {
            let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
            Some(PageScript { src: None, inline: Some((sha256, text)) })
        }
    }
}

/// Words by the rules of Unicode (UAX #29).
pub fn words(text: &str) -> i64 {
    use unicode_segmentation::UnicodeSegmentation;
    // A line end ends every word; lines of ASCII, which most are, are counted faster.
    text.lines().map(|line| line.unicode_words().count() as i64).sum()
}
