//! `rejects/day=2026-11-21/<server>.parquet`: the documents of a day that a server did not take, and why.
//!
//! Columns: `collection`, `document` (its `_id`), `rev`, `code` (the server's; 0 where it gave none), `message`. The file is
//! replaced whole when a run has rejects, and removed when a run has none left.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use archive::{DataDir, Day, create_dir, sync_dir};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::send::Reject;
use crate::mongo::document::Collection;
use crate::{columns, row_hash};

/// Rejects that wait in memory for the file.
const WAITING: usize = 4096;

/// Rejects of one day, on their way to a file.
pub struct Rejects {
    target: PathBuf,
    unfinished: PathBuf,
    writer: Option<ArrowWriter<File>>,
    waiting: Vec<Reject>,
    ids: HashSet<(Collection, String)>,
}

/// Where the rejects of a day and a server stand.
pub fn path(data: &DataDir, day: Day, key: &str) -> PathBuf {
    data.root().join("rejects").join(format!("day={day}")).join(format!("{key}.parquet"))
}

impl Rejects {
    /// Of a day; unfinished in the folder `tmp`.
    pub fn new(data: &DataDir, tmp: &Path, day: Day, key: &str) -> Rejects {
        Rejects {
            target: path(data, day, key),
            unfinished: tmp.join(format!("rejects-{day}-{key}.parquet")),
            writer: None,
            waiting: Vec::new(),
            ids: HashSet::new(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The `_id`s of a collection.
    pub fn ids(&self, collection: Collection) -> HashSet<String> {
        self.ids.iter().filter(|(of, _)| *of == collection).map(|(_, id)| id.clone()).collect()
    }

    /// Adds one; the same again changes nothing.
    pub fn push(&mut self, reject: Reject) -> Result<()> {
        if !self.ids.insert((reject.collection, reject.id.clone())) {
            return Ok(());
        }
        self.waiting.push(reject);
        if self.waiting.len() >= WAITING { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let failed = || format!("cannot write {}", self.unfinished.display());
        if self.writer.is_none() {
            let file = File::create(&self.unfinished).with_context(failed)?;
            let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
            self.writer = Some(ArrowWriter::try_new(file, schema(), Some(properties.build()))?);
        }
        let text = |of: fn(&Reject) -> String| -> ArrayRef {
            Arc::new(self.waiting.iter().map(|reject| Some(of(reject))).collect::<StringArray>())
        };
        let codes: Int64Array = self.waiting.iter().map(|reject| Some(i64::from(reject.code))).collect();
        let columns = vec![
            text(|reject| reject.collection.name().to_owned()),
            text(|reject| reject.id.clone()),
            text(|reject| row_hash::hex(reject.rev)),
            Arc::new(codes),
            text(|reject| reject.message.clone()),
        ];
        let batch = RecordBatch::try_new(schema(), columns)?;
        if let Some(writer) = &mut self.writer {
            writer.write(&batch).with_context(failed)?;
            writer.flush().with_context(failed)?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Puts the file in its place, durably, or removes the one of an earlier run when nothing was rejected.
    pub fn finish(mut self) -> Result<Option<PathBuf>> {
        if self.ids.is_empty() {
            return match std::fs::remove_file(&self.target) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(e).with_context(|| format!("cannot remove {}", self.target.display()))
                }
                _ => Ok(None),
            };
        }
        if !self.waiting.is_empty() {
            self.write()?;
        }
        let failed = || format!("cannot write {}", self.target.display());
        if let Some(writer) = self.writer.take() {
            writer.into_inner().with_context(failed)?.sync_all().with_context(failed)?;
        }
        let folder = self.target.parent().unwrap_or(Path::new(""));
        create_dir(folder)?;
        std::fs::rename(&self.unfinished, &self.target).with_context(failed)?;
        sync_dir(folder)?;
        Ok(Some(self.target))
    }
}

fn schema() -> Arc<Schema> {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let code = Field::new("code", DataType::Int64, false);
    Arc::new(Schema::new(vec![text("collection"), text("document"), text("rev"), code, text("message")]))
}

/// The rejects of a day that stand in the file.
pub fn read(path: &Path) -> Result<Vec<Reject>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let damaged = || format!("{} is damaged; remove it and upload the day again", path.display());
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).with_context(damaged)?.build()?;
    let mut found = Vec::new();
    for batch in reader {
        let batch = batch.with_context(damaged)?;
        let text = |name| columns::array::<StringArray>(&batch, name);
        let (collections, ids, revs) = (text("collection")?, text("document")?, text("rev")?);
        let (messages, codes) = (text("message")?, columns::array::<Int64Array>(&batch, "code")?);
        for i in 0..batch.num_rows() {
            let Ok(collection) = collections.value(i).parse() else { continue };
            found.push(Reject {
                collection,
                id: ids.value(i).to_owned(),
                rev: row_hash::parse(revs.value(i)).unwrap_or_default(),
                code: i32::try_from(codes.value(i)).unwrap_or_default(),
                message: messages.value(i).to_owned(),
            });
        }
    }
    Ok(found)
}

/// The `_id`s of a collection that were rejected.
pub fn ids(path: &Path, collection: Collection) -> Result<HashSet<String>> {
    let rejects = read(path)?.into_iter().filter(|reject| reject.collection == collection);
    Ok(rejects.map(|reject| reject.id).collect())
}
