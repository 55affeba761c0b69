//! What the web means by things: canonical URL, host, site, character set, links of a page. Pure functions, no I/O.

mod canonical;
mod escapes;
mod reference;
mod site;

mod charset;
mod html;
mod prescan;

mod attribute;
mod collector;
mod feed;
mod links;
mod page;

pub use canonical::{Canonical, Invalid, canonicalise, resolve};
pub use charset::{decode, sniff};
pub use collector::Attributes;
pub use feed::Collector;
pub use html::is_html;
pub use links::{Base, Extraction, Link, LinkKind, extract};
pub use reference::Resolver;
pub use site::registrable;
