//! Records in motion: what a record is, which topics there are, and how a program reads and writes them.
//!
//! A [`Bus`] is opened by its URL. A program joins a group and gets a [`Reader`], which yields records of the
//! partitions that are assigned to it, and a [`Writer`], whose one primitive is *publish these records and cover
//! these input offsets, atomically* ([`Writer::publish`]). Whoever only looks ([`Bus::scan`]) or only adds
//! ([`Bus::append`]) needs no group.
//!
//! Every assignment of a partition carries an [`Epoch`]; work in flight carries it along, and a publish that names
//! an epoch which is over is refused as a whole ([`PublishError::Lost`]). Revocation waits: after
//! [`Event::Revoking`] the partition stays with its owner until [`Reader::release`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod batch;
mod beats;
mod bus;
pub mod clock;
mod dead;
pub mod embedded;
mod error;
mod limits;
pub mod payload;
mod reader;
mod record;
pub mod topic;
mod writer;

pub use batch::{Batch, Cover, Output, Receipt};
pub use beats::Beats;
pub use bus::{Bus, Lag, Offsets, Options, Scan};
pub use dead::dead_letter;
pub use error::{Error, PublishError, Result};
pub use reader::{Assignment, Epoch, Event, Reader};
pub use record::{Delivered, Headers, Record};
pub use topic::{Cleanup, TopicSpec};
pub use writer::Writer;
