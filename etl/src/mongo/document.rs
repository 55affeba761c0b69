//! The documents of an archive: one per row of `artefacts`, `pages` and `links`, and one per distinct body.
//!
//! | collection | `_id` | fields |
//! |---|---|---|
//! | `artefacts` | record id | `rev`, `day`, `segment`, and the columns but for `body`, which is in `bodies` under `body_sha256` |
//! | `pages` | record id | `rev`, `day`, `segment`, and the columns |
//! | `links` | record id, `/`, ordinal | `rev`, `day`, `segment`, `extractor`, and the columns |
//! | `bodies` | SHA-256, hexadecimal | `rev`, `bytes` (decoded), `encoding` (`zstd`), `body` |
//!
//! `rev` is the row hash. `day` is a date, its first moment; a time is a date, to the millisecond (the archive has
//! microseconds); nulls are nulls; headers are an array of `{name, value}`.

use anyhow::{Context, Result};
use archive::schema::{Column, Kind, columns};
use archive::{DataSet, Day};
use arrow::array::{
    Array, AsArray, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use sha2::{Digest, Sha256};

use super::bson;
use crate::row_hash;

/// A collection in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// Distinct bodies; first, so that what refers to them finds them.
    Bodies,
    /// Fetches.
    Artefacts,
    /// Pages.
    Pages,
    /// Links.
    Links,
}

impl Collection {
    /// All of them, in the order in which they are uploaded.
    pub const ALL: [Collection; 4] = [Collection::Bodies, Collection::Artefacts, Collection::Pages, Collection::Links];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Collection::Bodies => "bodies",
            Collection::Artefacts => "artefacts",
            Collection::Pages => "pages",
            Collection::Links => "links",
        }
    }

    /// The data set that its documents come from.
    pub fn data_set(self) -> DataSet {
        match self {
            Collection::Bodies | Collection::Artefacts => DataSet::Artefacts,
            Collection::Pages => DataSet::Pages,
            Collection::Links => DataSet::Links,
        }
    }

    /// Its indexes: name and keys.
    pub fn indexes(self) -> &'static [(&'static str, &'static [&'static str])] {
        const DAY: (&str, &[&str]) = ("day_segment", &["day", "segment"]);
        match self {
            Collection::Bodies => &[],
            Collection::Artefacts | Collection::Pages => {
                &[DAY, ("url", &["url"]), ("host_fetched_at", &["host", "fetched_at"]), ("body", &["body_sha256"])]
            }
            Collection::Links => &[DAY, ("src", &["src"]), ("dst", &["dst"])],
        }
    }
}

impl std::str::FromStr for Collection {
    type Err = String;

    fn from_str(name: &str) -> Result<Collection, String> {
        let found = Collection::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| format!("{name:?} is not a collection; there are artefacts, pages, bodies and links"))
    }
}

/// What all documents of a segment say alike.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Day.
    pub day: Day,
    /// Name of the segment.
    pub segment: String,
    /// Version of the extractor, of what was extracted.
    pub extractor: Option<String>,
}

/// Rows of a batch as documents.
pub struct Rows {
    set: DataSet,
    ids: StringArray,
    ordinals: Option<Int64Array>,
    fields: Vec<(&'static str, Values)>,
    revs: Vec<u128>,
}

/// One column of a batch.
enum Values {
    Text(StringArray),
    Int(Int64Array),
    Bool(BooleanArray),
    Timestamp(TimestampMicrosecondArray),
    Pairs(Box<(ListArray, StringArray, StringArray)>),
}

impl Rows {
    /// Takes a batch with all columns but the body. Bodies stand in `rev` by the SHA-256 that the row names.
    pub fn new(set: DataSet, batch: &RecordBatch) -> Result<Rows> {
        let digests = match set {
            DataSet::Artefacts => Some(digests(batch)?),
            _ => None,
        };
        let revs = row_hash::rows(set, batch, digests.as_deref())?;
        let (mut ids, mut ordinals, mut fields) = (None, None, Vec::new());
        for column in columns(set).iter().filter(|column| column.kind != Kind::Binary) {
            let values = Values::of(column, batch)?;
            match (column.name, values) {
                ("id", Values::Text(texts)) => {
                    if set == DataSet::Links {
                        fields.push(("id", Values::Text(texts.clone())));
                    }
                    ids = Some(texts);
                }
                (name, values) => {
                    if let ("ordinal", Values::Int(numbers)) = (name, &values) {
                        ordinals = Some(numbers.clone());
                    }
                    fields.push((name, values));
                }
            }
        }
        Ok(Rows { set, ids: ids.context("column id is missing")?, ordinals, fields, revs })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.revs.len()
    }

    /// Row hash.
    pub fn rev(&self, row: usize) -> u128 {
        self.revs[row]
    }

    /// `_id` of a row's document.
    pub fn id(&self, row: usize, out: &mut String) {
        out.clear();
        out.push_str(self.ids.value(row));
        if let Some(ordinals) = self.ordinals.as_ref().filter(|_| self.set == DataSet::Links) {
            out.push('/');
            out.push_str(&ordinals.value(row).to_string());
        }
    }

    /// Writes a row's document behind what is in the buffer.
    pub fn write(&self, row: usize, id: &str, origin: &Origin, out: &mut Vec<u8>) {
        let document = bson::begin(out);
        bson::text(out, "_id", id);
        bson::text(out, "rev", &row_hash::hex(self.revs[row]));
        bson::date(out, "day", origin.day.start_millis());
        bson::text(out, "segment", &origin.segment);
        if let Some(extractor) = origin.extractor.as_deref().filter(|_| self.set == DataSet::Links) {
            bson::text(out, "extractor", extractor);
        }
        for (name, values) in &self.fields {
            values.write(name, row, out);
        }
        document.end(out);
    }
}

/// The SHA-256 of each body, as the rows name it.
pub fn digests(batch: &RecordBatch) -> Result<Vec<[u8; 32]>> {
    let texts: StringArray = crate::columns::array(batch, "body_sha256")?;
    let digest = |text: &str| -> Result<[u8; 32]> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).with_context(|| format!("body_sha256 {text:?} is no SHA-256"))?;
        Ok(digest)
    };
    (0..texts.len()).map(|i| digest(texts.value(i))).collect()
}

impl Values {
    fn of(column: &Column, batch: &RecordBatch) -> Result<Values> {
        let array = batch.column_by_name(column.name).with_context(|| format!("column {} is missing", column.name))?;
        let values = match column.kind {
            Kind::Text => array.as_string_opt::<i32>().cloned().map(Values::Text),
            Kind::Int => array.as_primitive_opt::<Int64Type>().cloned().map(Values::Int),
            Kind::Bool => array.as_boolean_opt().cloned().map(Values::Bool),
            Kind::Timestamp => array.as_primitive_opt::<TimestampMicrosecondType>().cloned().map(Values::Timestamp),
            Kind::Pairs => array.as_list_opt::<i32>().and_then(|list| {
                let pairs = list.values().as_struct_opt()?;
                let text = |i: usize| pairs.column(i).as_string_opt::<i32>().cloned();
                Some(Values::Pairs(Box::new((list.clone(), text(0)?, text(1)?))))
            }),
            Kind::Binary => None,
        };
        values.with_context(|| format!("column {} is a {}", column.name, array.data_type()))
    }

    fn write(&self, name: &str, row: usize, out: &mut Vec<u8>) {
        match self {
            Values::Text(a) if a.is_valid(row) => bson::text(out, name, a.value(row)),
            Values::Int(a) if a.is_valid(row) => bson::int(out, name, a.value(row)),
            Values::Bool(a) if a.is_valid(row) => bson::boolean(out, name, a.value(row)),
            Values::Timestamp(a) if a.is_valid(row) => bson::date(out, name, a.value(row).div_euclid(1000)),
            Values::Pairs(pairs) if pairs.0.is_valid(row) => {
                let (list, names, values) = &**pairs;
                let array = bson::array(out, name);
                let offsets = list.value_offsets();
                for (n, i) in (offsets[row]..offsets[row + 1]).enumerate() {
                    let pair = bson::document(out, &n.to_string());
                    bson::text(out, "name", names.value(i as usize));
                    bson::text(out, "value", values.value(i as usize));
                    pair.end(out);
                }
                array.end(out);
            }
            _ => bson::null(out, name),
        }
    }
}

/// `rev` of a body: the hash of a row of its SHA-256 and its size.
pub fn body_rev(digest: &[u8; 32], bytes: u64) -> u128 {
    let mut text = [0; 40];
    text[..32].copy_from_slice(digest);
    text[32..].copy_from_slice(&bytes.to_le_bytes());
    first_half(&text)
}

/// Writes the document of a body behind what is in the buffer; `compress` writes its zstd frame there.
pub fn write_body(id: &str, rev: u128, bytes: usize, out: &mut Vec<u8>, compress: impl FnOnce(&mut Vec<u8>)) {
    let document = bson::begin(out);
    bson::text(out, "_id", id);
    bson::text(out, "rev", &row_hash::hex(rev));
    bson::int(out, "bytes", i64::try_from(bytes).unwrap_or(i64::MAX));
    bson::text(out, "encoding", "zstd");
    bson::binary(out, "body", compress);
    document.end(out);
}

/// H(_id, rev): what the ledger and verification sum up modulo 2^128.
pub fn proof(id: &str, rev: u128) -> u128 {
    let mut digest = Sha256::new();
    digest.update((id.len() as u64).to_le_bytes());
    digest.update(id.as_bytes());
    digest.update(rev.to_be_bytes());
    let digest: [u8; 32] = digest.finalize().into();
    digest[..16].iter().fold(0, |n, byte| n << 8 | u128::from(*byte))
}

fn first_half(bytes: &[u8]) -> u128 {
    Sha256::digest(bytes)[..16].iter().fold(0, |n, byte| n << 8 | u128::from(*byte))
}
