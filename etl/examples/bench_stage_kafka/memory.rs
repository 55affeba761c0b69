//! Parquet writing from memory: the rows of a staged archive, all columns, packed alike, into one file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Rows that are handed over at a time: about what stage hands over.
const ROWS: usize = 64;
/// A row group ends here, as in a segment.
const GROUP: usize = 48 << 20;

/// Seconds that writing takes; reading the rows into memory is not counted.
pub fn write(data: &Path, to: &Path) -> f64 {
    let mut files = Vec::new();
    collect(&data.join("artefacts"), &mut files);
    let rows: Vec<RecordBatch> = files.iter().flat_map(|path| rows(path.as_path())).collect();
    let schema = rows.first().expect("nothing was staged").schema();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_column_dictionary_enabled("body".into(), false)
        .set_max_row_group_row_count(None)
        .build();
    let began = Instant::now();
    let file = File::create(to).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    for batch in &rows {
        writer.write(batch).unwrap();
        if writer.in_progress_size() > GROUP {
            writer.flush().unwrap();
        }
    }
    writer.into_inner().unwrap().sync_all().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    std::fs::remove_file(to).unwrap();
    seconds
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.with_batch_size(ROWS).build().unwrap().map(Result::unwrap).collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, into),
            false => into.push(path),
        }
    }
}
