//! Tables as Parquet: zstd, row groups of a fixed number of rows, so equal tables are equal bytes.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use polars::io::parquet::write::BatchedWriter;
use polars::polars_utils::compression::ZstdLevel;
use polars::prelude::{DataFrame, ParquetCompression, ParquetWriter, Schema};

/// Rows of a row group.
const GROUP: usize = 1 << 18;

/// Writes a table; zstd without a level means level 3.
pub fn write(path: &Path, frame: &DataFrame) -> Result<()> {
    let mut frame = frame.clone();
    frame.rechunk_mut_par();
    ParquetWriter::new(File::create_new(path)?)
        .with_compression(ParquetCompression::Zstd(None))
        .with_row_group_size(Some(GROUP))
        .finish(&mut frame)?;
    Ok(())
}

/// A table that is written piece by piece, each a row group.
pub struct Pieces {
    writer: BatchedWriter<File>,
}

impl Pieces {
    /// Begins a file.
    pub fn create(path: &Path, schema: &Schema) -> Result<Pieces> {
        let writer = ParquetWriter::new(File::create_new(path)?)
            .with_compression(ParquetCompression::Zstd(Some(ZstdLevel::try_new(1)?)))
            .batched(schema)?;
        Ok(Pieces { writer })
    }

    /// Adds rows.
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
