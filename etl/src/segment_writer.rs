//! Writes one segment: a Parquet file whose row groups stay under 64 MB and whose bytes, rows and hash are known at the end.
//!
//! Memory: the pages of one row group, compressed; [`SegmentWriter::memory`] says how much, [`SegmentWriter::flush`] frees it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use archive::DataSet;
use archive::schema::{Kind, columns};
use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use crate::footer::Footer;
use crate::{columns as arrow_columns, row_hash};

/// Most bytes of a row group before encoding, which adds a little: it stays under 64 MB.
const ROW_GROUP_BYTES: usize = 56_000_000;
/// Most rows of a row group, so that its Bloom filter and its page index stay small.
const ROW_GROUP_ROWS: usize = 65_536;
/// Size at which a page ends.
const PAGE_BYTES: usize = 1 << 20;

/// A segment that is being written.
pub struct SegmentWriter {
    set: DataSet,
    path: PathBuf,
    arrow: ArrowWriter<Hashing>,
    group_bytes: usize,
    group_rows: usize,
    rows: u64,
    hash: u128,
    /// Memory and size after the last change: asking the encoders costs, and is done for each record.
    memory: usize,
    size: u64,
}

/// A segment that was written and synced.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
}

impl SegmentWriter {
    /// Begins a new file; one that is there is an error.
    pub fn create(path: &Path, set: DataSet) -> Result<SegmentWriter> {
        let file = File::options().write(true).create_new(true).open(path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        let options = ArrowWriterOptions::new().with_properties(properties(set)?).with_skip_arrow_metadata(true);
        let arrow = ArrowWriter::try_new_with_options(Hashing::new(file), arrow_columns::schema(set), options)?;
        let path = path.to_owned();
        Ok(SegmentWriter { set, path, arrow, group_bytes: 0, group_rows: 0, rows: 0, hash: 0, memory: 0, size: 0 })
    }

    /// Adds rows. `bytes` is about their size; `digests` are the SHA-256 of their binary column where they are known.
    pub fn write(&mut self, batch: &RecordBatch, bytes: usize, digests: Option<&[[u8; 32]]>) -> Result<()> {
        let rows = batch.num_rows();
        if self.group_bytes + bytes > ROW_GROUP_BYTES || self.group_rows + rows > ROW_GROUP_ROWS {
            self.flush()?;
        }
        for hash in row_hash::rows(self.set, batch, digests)? {
            self.hash = self.hash.wrapping_add(hash);
        }
        self.arrow.write(batch).with_context(|| format!("cannot write {}", self.path.display()))?;
        self.group_bytes += bytes;
        self.group_rows += rows;
        self.rows += rows as u64;
        self.measure();
        Ok(())
    }

    /// Ends the row group: what is in memory goes to the file.
    pub fn flush(&mut self) -> Result<()> {
        self.group_bytes = 0;
        self.group_rows = 0;
        self.arrow.flush().with_context(|| format!("cannot write {}", self.path.display()))?;
        self.measure();
        Ok(())
    }

    fn measure(&mut self) {
        self.memory = self.arrow.memory_size();
        self.size = (self.arrow.bytes_written() + self.arrow.in_progress_size()) as u64;
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes held in memory for the row group in progress, about.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Size of the file if it ended now, about.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends the file and syncs it. `footer` says all but rows and hashes, which this writer knows.
    pub fn finish(mut self, footer: Footer) -> Result<Finished> {
        let failed = || format!("cannot write {}", self.path.display());
        self.arrow.flush().with_context(failed)?;
        self.arrow.sync().with_context(failed)?;
        let out = self.arrow.inner();
        let data = Some((out.bytes, hex::encode(out.digest.clone().finalize())));
        let footer = Footer { rows: self.rows, hash: self.hash, schema: archive::schema::VERSION, data, ..footer };
        for kv in footer.to_metadata() {
            self.arrow.append_key_value_metadata(kv);
        }
        self.arrow.finish().with_context(failed)?;
        let out = self.arrow.inner_mut();
        out.flush().with_context(failed)?;
        out.file.sync_all().with_context(failed)?;
        let sha256 = hex::encode(std::mem::take(&mut out.digest).finalize());
        Ok(Finished { sha256, bytes: out.bytes, rows: self.rows, path: self.path })
    }
}

fn properties(set: DataSet) -> Result<WriterProperties> {
    let mut p = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by(concat!("kafkaspider ", env!("CARGO_PKG_VERSION")).into())
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(None)
        .set_statistics_truncate_length(Some(256))
        .set_dictionary_enabled(false);
    for column in columns(set) {
        let path = ColumnPath::from(column.name);
        if column.kind == Kind::Binary || LARGE.contains(&column.name) {
            p = p.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        }
        if REPEATING.contains(&column.name) {
            p = p.set_column_dictionary_enabled(path, true);
        }
    }
    let headers = |field: &str| ColumnPath::from(["headers", "list", "element", field].map(String::from).to_vec());
    p = p.set_column_dictionary_enabled(headers("name"), true).set_column_dictionary_enabled(headers("value"), true);
    if set == DataSet::Artefacts {
        p = p.set_column_bloom_filter_enabled(ColumnPath::from("url"), true);
        // made for a million values otherwise, 2 MiB of memory in each open segment
        p = p.set_column_bloom_filter_max_ndv(ColumnPath::from("url"), ROW_GROUP_ROWS as u64);
        p = p.set_column_bloom_filter_fpp(ColumnPath::from("url"), 0.01);
    }
    Ok(p.build())
}

/// Columns of few distinct values, for which a dictionary pays.
const REPEATING: &[&str] = &[
    "crawl",
    "host",
    "site",
    "status",
    "error",
    "content_type",
    "charset",
    "truncated",
    "via",
    "depth",
    "hops",
    "remote",
    "partition",
    "lang",
    "lang_declared",
    "extractor",
    "src_host",
    "dst_host",
    "kind",
    "rel",
];
/// Text columns so long that their smallest and largest value tell nothing.
const LARGE: &[&str] = &["text"];

/// A file that hashes what is written to it.
struct Hashing {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Hashing {
    fn new(file: File) -> Hashing {
        Hashing { file, digest: Sha256::new(), bytes: 0 }
    }
}

impl Write for Hashing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.file.write(buf)?;
        self.digest.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
