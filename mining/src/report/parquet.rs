//! Tables as Parquet: zstd, row groups of a fixed number of rows, so equal tables are equal bytes.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use polars::prelude::{DataFrame, ParquetCompression, ParquetWriter};

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
