//! Records at rest: how the data directory is laid out, what its files are called, what is in it, and who may touch it.
//!
//! Names and small files only: no Arrow, no Polars. The directory is the catalogue; there is no database that can
//! disagree with it.
//!
//! ```
//! use archive::{Catalogue, DataDir, DataSet, Day, SegmentName, Source};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let data = DataDir::new(folder.path());
//! let day: Day = "2026-11-21".parse().unwrap();
//!
//! // three segments of one partition; the third is the first two, compacted
//! for (from, next) in [(0, 10), (12, 20), (0, 20)] {
//!     let name = SegmentName::new(DataSet::Artefacts, Source::Partition(3), from, next).unwrap();
//!     archive::create_dir(&data.day_dir(DataSet::Artefacts, day)).unwrap();
//!     archive::write_new(&data.segment(day, &name), b"").unwrap();
//! }
//!
//! let catalogue = Catalogue::read(&data).unwrap();
//! let segments = catalogue.segments(DataSet::Artefacts, None, None);
//! assert_eq!(segments.len(), 1);
//! assert_eq!(segments[0].name.to_string(), "artefacts-p003-00000000000000000000-00000000000000000020.parquet");
//! // nothing is extracted yet
//! assert_eq!(catalogue.uncovered(DataSet::Artefacts, DataSet::Pages, None, None), segments);
//! ```

mod data_dir;
mod day;
mod segment;
mod span;

mod catalogue;
mod coverage;
mod listing;

mod durable;
mod held;
mod lock;
mod tmp;

mod loss;
mod manifest;
mod mark;
mod quarantine;
mod run;
pub mod schema;
mod upload;

mod error;
mod time;

pub use catalogue::{Catalogue, Gap, Holdings, Overlap, Segment};
pub use data_dir::DataDir;
pub use day::Day;
pub use durable::{create_dir, rename_new, rename_unsynced, sync_dir, sync_file, write_new, write_replace};
pub use error::{Error, MENDS, Result};
pub use listing::days_in;
pub use lock::Lock;
pub use loss::Loss;
pub use manifest::{FileEntry, Manifest};
pub use mark::Mark;
pub use quarantine::Quarantined;
pub use run::{Run, RunDir};
pub use segment::{DataSet, SegmentName, Source};
pub use span::Span;
pub use tmp::TmpDir;
pub use upload::{Upload, UploadedSegment};
