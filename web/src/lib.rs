//! What the web means by things: canonical URL, host, site, character set, links of a page. Pure functions, no I/O.

mod canonical;
mod charset;
mod links;
mod site;

pub use canonical::{Canonical, Invalid, canonicalise, resolve};
pub use charset::{decode, sniff};
pub use links::{Base, Extraction, Link, LinkKind, extract};
pub use site::registrable;
