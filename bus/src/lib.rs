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
//!
//! ```
//! use std::time::Duration;
//! use bus::{Batch, Bus, Cleanup, Cover, Event, Options, Output, Record, TopicSpec};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("bus.db");
//! # let path = path.to_str().ok_or("a path that is not UTF-8")?;
//! let bus = Bus::open(path, &Options::default())?;
//! for name in ["words", "lengths"] {
//!     bus.ensure(&[TopicSpec { name: name.into(), partitions: 1, cleanup: Cleanup::Delete }])?;
//! }
//! let record = |key: &str, value: &str| Record { key: key.to_owned().into(), value: Some(value.to_owned().into()), ..Record::default() };
//! bus.append(&[Output { topic: "words".into(), partition: 0, record: record("1", "spider") }])?;
//!
//! let (mut reader, mut writer) = bus.join("counting", "here", &["words"])?;
//! let Event::Assigned(owned) = reader.poll(Duration::from_secs(10))? else { panic!("the assignment comes first") };
//! let Event::Records(words) = reader.poll(Duration::from_secs(10))? else { panic!("there is one") };
//! let length = words[0].record.value.as_ref().map_or(0, |v| v.len()).to_string();
//! writer.publish(&Batch {
//!     outputs: vec![Output { topic: "lengths".into(), partition: 0, record: record("1", &length) }],
//!     covers: vec![Cover { topic: "words".into(), partition: 0, next: words[0].offset + 1, epoch: owned[0].epoch }],
//! })?;
//! assert_eq!(bus.committed("counting", "words")?, [Some(1)]);
//! assert_eq!(bus.scan("lengths", 0, 0)?.next_batch()?[0].record.value.as_deref(), Some(&b"6"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod batch;
mod beats;
mod bus;
pub mod clock;
mod dead;
pub mod embedded;
mod error;
pub mod kafka;
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
