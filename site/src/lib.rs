//! A small web server for tests and the demo: it serves folders and pages over loopback, and can misbehave.
//!
//! It runs on threads of its own, so a test needs no async runtime. Hosts are loopback addresses (127.0.0.1,
//! 127.0.0.2 …), since a crawler tells hosts apart by name or address. Every request and connection is noted with
//! its times: that log is what proves that a crawler was polite.
//!
//! ```
//! let site = site::Site::empty().page("/", site::Page::html("<a href=/two>two</a>")).start()?;
//! assert!(site.url("/").starts_with("http://127.0.0.1:"));
//! assert!(site.requests().is_empty());
//! # Ok::<(), site::Error>(())
//! ```
//!
//! What a path does is a [`Rule`] with a [`Behaviour`]: given by code, or by a file `site.toml` in the folder, as in
//! `data/site`. The server binds loopback addresses only.

mod answer;
mod behaviour;
mod body;
mod config;
mod connection;
mod error;
mod files;
mod generated;
mod log;
mod page;
mod raw;
mod server;
mod tool;

pub use behaviour::{Behaviour, Rule};
pub use error::Error;
pub use generated::{nested_page, tree_page};
pub use log::{Connection, Event, Request, read_log};
pub use page::Page;
pub use server::{Running, Site};
pub use tool::need_tool;
