//! Records at rest: how the data directory is laid out, what its files are called, what is in it, and who may touch it.
//!
//! Names and small files only: no Arrow, no Polars. The directory is the catalogue; there is no database that can
//! disagree with it.

mod catalogue;
mod data_dir;
mod day;
mod durable;
mod error;
mod lock;
mod manifest;
mod mark;
pub mod schema;
mod segment;
mod tmp;

pub use catalogue::{Catalogue, Gap, Holdings, Overlap, Segment};
pub use data_dir::DataDir;
pub use day::Day;
pub use durable::{rename_new, sync_dir, sync_file, write_new, write_replace};
pub use error::{Error, Result};
pub use lock::Lock;
pub use manifest::{FileEntry, Manifest, Run};
pub use mark::Mark;
pub use segment::{DataSet, SegmentName, Source};
pub use tmp::TmpDir;
