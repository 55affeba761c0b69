//! Tables as Parquet: zstd, row groups of a fixed number of rows, so equal tables are equal bytes.
//!
//! Polars' writer encodes and compresses on the thread that writes. Here a row group is encoded apart from writing it
//! ([`Encoder`]), by as many threads as there are, and written in its turn.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use polars::io::parquet::write::{BatchedWriter, get_encodings};
use polars::polars_utils::compression::ZstdLevel;
use polars::prelude::{Column, CompatLevel, DataFrame, ParquetCompression, ParquetWriter, Schema, SchemaExt};
use polars_parquet::read::ParquetError;
use polars_parquet::write::{
    CompressedPage, CompressionOptions, Compressor, Encoding, SchemaDescriptor, StatisticsOptions, Version,
    WriteOptions, array_to_columns, to_parquet_schema,
};
use rayon::prelude::*;

/// Rows of a row group.
const GROUP: usize = 1 << 18;

/// Writes a table; zstd without a level means level 3.
pub fn write(path: &Path, frame: &DataFrame) -> Result<()> {
    let mut file = Pieces::with(path, frame.schema(), ParquetCompression::Zstd(None))?;
    let encoder = file.encoder();
    for from in (0..frame.height()).step_by(GROUP) {
        file.add(encoder.encode(&frame.slice(from as i64, GROUP))?)?;
    }
    file.finish()
}

/// A table that is written piece by piece, each a row group.
pub struct Pieces {
    writer: BatchedWriter<BufWriter<File>>,
    encoder: Arc<Encoder>,
}

/// Makes row groups of one table; many threads may use it.
pub struct Encoder {
    types: SchemaDescriptor,
    encodings: Vec<Vec<Encoding>>,
    options: WriteOptions,
}

/// A row group, ready to be written.
pub struct Encoded {
    rows: usize,
    columns: Vec<Vec<CompressedPage>>,
}

impl Pieces {
    /// Begins a file.
    pub fn create(path: &Path, schema: &Schema) -> Result<Pieces> {
        Pieces::with(path, schema, ParquetCompression::Zstd(Some(ZstdLevel::try_new(1)?)))
    }

    fn with(path: &Path, schema: &Schema, compression: ParquetCompression) -> Result<Pieces> {
        let writer = ParquetWriter::new(BufWriter::new(File::create_new(path)?))
            .with_compression(compression)
            .batched(schema)?;
        let arrow = schema.to_arrow(CompatLevel::newest());
        let encoder = Encoder {
            types: to_parquet_schema(&arrow)?,
            encodings: get_encodings(&arrow).to_vec(),
            options: WriteOptions {
                statistics: StatisticsOptions::default(),
                compression: CompressionOptions::from(compression),
                version: Version::V1,
                data_page_size: None,
            },
        };
        Ok(Pieces { writer, encoder: Arc::new(encoder) })
    }

    /// What makes its row groups.
    pub fn encoder(&self) -> Arc<Encoder> {
        Arc::clone(&self.encoder)
    }

    /// Adds a row group.
    pub fn add(&mut self, group: Encoded) -> Result<()> {
        if group.rows > 0 {
            self.writer.write_row_group(group.rows as u64, &group.columns)?;
        }
        Ok(())
    }

    /// Adds rows, all on this thread.
    pub fn write(&mut self, mut frame: DataFrame) -> Result<()> {
        frame.rechunk_mut_par();
        Ok(self.writer.write_batch(&frame)?)
    }

    /// Ends the file.
    pub fn finish(self) -> Result<()> {
        self.writer.finish()?;
        Ok(())
    }
}

impl Encoder {
    /// Makes a row group, by several threads where some are idle.
    pub fn encode(&self, frame: &DataFrame) -> Result<Encoded> {
        let columns = frame.columns().par_iter().enumerate().map(|(at, column)| self.column(at, column));
        let columns = columns.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        Ok(Encoded { rows: frame.height(), columns })
    }

    /// The same by this thread alone, for one of several row groups at once.
    pub fn encode_alone(&self, frame: &DataFrame) -> Result<Encoded> {
        let columns = frame.columns().iter().enumerate().map(|(at, column)| self.column(at, column));
        let columns = columns.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        Ok(Encoded { rows: frame.height(), columns })
    }

    /// The pages of a column, by its leaves.
    fn column(&self, at: usize, column: &Column) -> Result<Vec<Vec<CompressedPage>>> {
        let array = column.clone().rechunk_to_arrow(CompatLevel::newest());
        let kind = self.types.fields()[at].clone();
        let mut leaves = Vec::new();
        for pages in array_to_columns(array, kind, self.options, &self.encodings[at])? {
            let pages = pages.map(|page| page.map_err(|error| ParquetError::FeatureNotSupported(error.to_string())));
            let compressed = Compressor::new(pages, self.options.compression, Vec::new());
            leaves.push(compressed.collect::<Result<_, _>>()?);
        }
        Ok(leaves)
    }
}
