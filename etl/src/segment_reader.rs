//! Opens segments: footer, sizes, and readers of some columns of some row groups.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use archive::MENDS;
use arrow::datatypes::{DataType, FieldRef, Fields, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use crate::file_hash::sha256_of_first;
use crate::footer::Footer;

/// An open segment.
pub struct SegmentReader {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

impl SegmentReader {
    /// Opens a file and reads its footer and page index.
    pub fn open(path: &Path) -> Result<SegmentReader> {
        SegmentReader::open_with(path, PageIndexPolicy::Optional)
    }

    /// Opens a file and reads its footer only.
    pub fn open_footer(path: &Path) -> Result<SegmentReader> {
        SegmentReader::open_with(path, PageIndexPolicy::Skip)
    }

    fn open_with(path: &Path, page_index: PageIndexPolicy) -> Result<SegmentReader> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let options = ArrowReaderOptions::new().with_page_index_policy(page_index);
        let metadata = ArrowReaderMetadata::load(&file, options)
            .with_context(|| format!("{} is not a Parquet file, or it is damaged; {MENDS}", path.display()))?;
        Ok(SegmentReader { path: path.to_owned(), file, metadata })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says of itself.
    pub fn footer(&self) -> Result<Footer> {
        let metadata = self.metadata().file_metadata().key_value_metadata();
        Footer::from_metadata(metadata).with_context(|| format!("{} is no segment; {MENDS}", self.path.display()))
    }

    /// Whether the file is byte for byte what was sealed; an error when it is not. False when its footer does not say.
    pub fn is_as_sealed(&self) -> Result<bool> {
        let Some((bytes, sealed)) = self.footer()?.data else { return Ok(false) };
        let found = sha256_of_first(&self.path, bytes);
        let found = hex::encode(found.with_context(|| format!("cannot read {}", self.path.display()))?);
        ensure!(
            found == sealed,
            "{} is damaged: its first {bytes} bytes have the SHA-256 {found}, not the {sealed} of its footer; {MENDS}",
            self.path.display()
        );
        Ok(true)
    }

    /// Parquet's own metadata.
    pub fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// Place of a top-level column among the file's columns.
    pub fn column(&self, name: &str) -> Result<usize> {
        let schema = self.metadata.parquet_schema();
        let found =
            (0..schema.num_columns()).find(|i| schema.column(*i).path().parts().first().is_some_and(|p| p == name));
        found.with_context(|| format!("{} has no column {name}", self.path.display()))
    }

    /// A reader of these columns.
    pub fn columns(&self, names: &[&str]) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = self.file.try_clone().with_context(|| format!("cannot open {} again", self.path.display()))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = self.mask(names);
        Ok(builder.with_projection(mask))
    }

    /// A reader of one column of bytes, whose values are views of the decoded pages, not copies.
    pub fn views(&self, name: &str) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let viewed = |field: &FieldRef| match field.name() == name && *field.data_type() == DataType::Binary {
            true => Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView)),
            false => field.clone(),
        };
        let schema = self.metadata.schema();
        let fields: Fields = schema.fields().iter().map(viewed).collect();
        let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        let metadata = ArrowReaderMetadata::try_new(self.metadata.metadata().clone(), options)
            .with_context(|| format!("{} has a column {name} that this version does not read", self.path.display()))?;
        let file = self.file.try_clone().with_context(|| format!("cannot open {} again", self.path.display()))?;
        Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_projection(self.mask(&[name])))
    }

    /// The columns of these names.
    pub fn mask(&self, names: &[&str]) -> ProjectionMask {
        ProjectionMask::columns(self.metadata.parquet_schema(), names.iter().copied())
    }

    /// True when a text is not among the values of a column in a row group, by its statistics.
    pub fn text_is_outside(&self, row_group: usize, column: usize, text: &str) -> bool {
        let statistics = self.metadata().row_group(row_group).column(column).statistics();
        let Some(parquet::file::statistics::Statistics::ByteArray(s)) = statistics else { return false };
        // A bound may be cut short: a smallest value downwards, a largest one upwards, so both stay bounds.
        s.min_opt().is_some_and(|min| text.as_bytes() < min.data())
            || s.max_opt().is_some_and(|max| text.as_bytes() > max.data())
    }
}

/// What a file says of itself.
pub fn footer(path: &Path) -> Result<Footer> {
    SegmentReader::open_footer(path)?.footer()
}

/// Batches of a reader, each error with the file's path.
pub fn batches(
    path: &Path,
    reader: ParquetRecordBatchReader,
) -> impl Iterator<Item = Result<arrow::array::RecordBatch>> {
    let path = path.to_owned();
    reader.map(move |batch| batch.with_context(|| format!("cannot read {}, which is damaged; {MENDS}", path.display())))
}
